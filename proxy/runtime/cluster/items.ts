/** Inputs and effects of an account as items of a payload. */
import type { Effect } from '../../core/effects.ts';
import type { Input } from '../../core/inputs.ts';
import type { Carrier, CarrierId, CarrierKind, Session, SessionId } from '../../core/state.ts';
import type { RoomFacts } from '../../core/watch.ts';
import type { BareKey } from '../../xml/address.ts';
import type { Payload, Reading, TextRef } from './envelope.ts';
import { fromPlain, type Plain, toPlain } from './plain.ts';

/**
 * What happens most is written by hand; all else with what it holds. `carrier-lost` and the like hold stanzas in lists, and are rare.
 */
export type InputItem =
  | {
      readonly kind: 'session-stanza';
      readonly session: SessionId;
      readonly stanza: TextRef;
      readonly isUnsure?: boolean | undefined;
      readonly isAskedAgain?: boolean | undefined;
    }
  | { readonly kind: 'carrier-stanza'; readonly carrier: CarrierId; readonly stanza: TextRef }
  /** A session has come that another node has had; with what it knows, as in an attachment. */
  | { readonly kind: 'arrive'; readonly knowledge: TextRef }
  | { readonly kind: 'other'; readonly input: Plain };

/** Effects that another node can have a part in, and what it must know of the account's state to do so. */
export type EffectItem =
  | { readonly kind: 'fork'; readonly sessions: readonly SessionId[]; readonly stanza: TextRef }
  | { readonly kind: 'to-session'; readonly session: SessionId; readonly xml: TextRef }
  | {
      readonly kind: 'to-carrier';
      readonly carrier: CarrierId;
      readonly xml: TextRef;
      readonly source: SessionId | undefined;
    }
  | { readonly kind: 'relay-upstream'; readonly session: SessionId; readonly stanza: TextRef }
  | { readonly kind: 'relay-downstream'; readonly carrier: CarrierId; readonly stanza: TextRef }
  | { readonly kind: 'hold-carrier'; readonly carrier: CarrierId }
  | { readonly kind: 'park-carrier'; readonly carrier: CarrierId }
  | { readonly kind: 'suspend-carrier'; readonly carrier: CarrierId }
  /** `isGone`: the account does not count it among its streams any more. */
  | { readonly kind: 'carrier-free'; readonly carrier: CarrierId; readonly isGone: boolean }
  | { readonly kind: 'open-account-stream' }
  | { readonly kind: 'close-account-stream' }
  /** A session of that resource has come elsewhere: the one that has it must go (RFC 6120 section 7.7.2.2). */
  | { readonly kind: 'replace-session'; readonly session: SessionId }
  | { readonly kind: 'session-behind'; readonly session: SessionId }
  | { readonly kind: 'rest-session'; readonly session: SessionId; readonly rests: boolean }
  /** What another home would have to know of a room that sessions there have joined, or that a stream there carries. */
  | { readonly kind: 'room'; readonly facts: RoomFacts }
  /** `last`: what tells the last message so far from others. */
  | { readonly kind: 'entered'; readonly room: BareKey; readonly session: SessionId; readonly last: string | undefined }
  | { readonly kind: 'left'; readonly room: BareKey; readonly session: SessionId }
  | ViewItem;

/** What has changed in what the other node sees of the account. */
export interface ViewItem {
  readonly kind: 'view';
  /** The last envelope that was taken from the other node when this was true. */
  readonly seen: number;
  readonly idPrefix: string;
  readonly hasIds: boolean;
  readonly accountStream: string;
  /** Rooms that its sessions have entered and left. */
  readonly sessions: readonly RoomChange<SessionId>[];
  /** The same for the account's streams, wherever they are. */
  readonly carriers: readonly (RoomChange<CarrierId> & Pick<Carrier, 'jid' | 'kind' | 'status'>)[];
  /** Streams that are none any more. */
  readonly gone: readonly CarrierId[];
  /** Domains of the account's rooms that have turned out to be MUC services; left out where there are none to tell. */
  readonly services?: readonly string[];
}

export interface RoomChange<Id> {
  readonly id: Id;
  readonly entered: readonly BareKey[];
  readonly left: readonly BareKey[];
}

/** What a session is, as far as its own node knows. */
export type SessionFacts = Omit<Session, 'rooms'>;

export interface CarrierFacts {
  readonly id: CarrierId;
  readonly kind: CarrierKind;
  readonly jid: string;
  readonly session: SessionId | undefined;
  readonly status: Carrier['status'];
  readonly isParked?: boolean;
  readonly heardAt: number;
  readonly rooms: readonly BareKey[];
}

export function writeInput(payload: Payload<InputItem>, input: Exclude<Input, { kind: 'arrive' }>): void {
  if (input.kind === 'session-stanza' || input.kind === 'carrier-stanza') {
    payload.add({ ...input, stanza: payload.stanza(input.stanza) });
  } else payload.add({ kind: 'other', input: toPlain(input, payload) });
}

/** @throws ViolationError on what no node has written */
export function readInput(reading: Reading<InputItem>, item: Exclude<InputItem, { kind: 'arrive' }>): Input {
  if (item.kind === 'other') return fromPlain(item.input, reading) as Input;
  const stanza = reading.stanza(item.stanza);
  if (item.kind === 'carrier-stanza') return { ...item, stanza };
  const { kind, session, isUnsure, isAskedAgain } = item;
  return { kind, session, stanza, ...(isUnsure && { isUnsure }), ...(isAskedAgain && { isAskedAgain }) };
}

/** Those effects that go to a session or a stream of another node. */
export type Directed = Extract<
  Effect,
  {
    kind:
      | 'to-session'
      | 'to-carrier'
      | 'relay-upstream'
      | 'relay-downstream'
      | 'hold-carrier'
      | 'park-carrier'
      | 'suspend-carrier'
      | 'carrier-free';
  }
>;

export function writeEffect(payload: Payload<EffectItem>, effect: Directed, isGone: boolean): void {
  switch (effect.kind) {
    case 'to-session': {
      const { kind, session, xml, origin } = effect;
      payload.add({ kind, session, xml: payload.made(xml, origin) });
      return;
    }
    case 'to-carrier': {
      const { kind, carrier, xml, source, origin } = effect;
      payload.add({ kind, carrier, source, xml: payload.made(xml, origin) });
      return;
    }
    case 'relay-upstream':
    case 'relay-downstream':
      payload.add({ ...effect, stanza: payload.stanza(effect.stanza) });
      return;
    case 'carrier-free':
      payload.add({ ...effect, isGone });
      return;
    case 'hold-carrier':
    case 'park-carrier':
    case 'suspend-carrier':
      payload.add(effect);
      return;
  }
}
