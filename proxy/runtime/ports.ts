/** The sessions and streams of an account that are on this node, as receivers of what the account's rules decide. */
import type { Languages } from '../core/language.ts';
import type { CarrierId, SessionId } from '../core/state.ts';
import type { Metrics } from '../ops/metrics.ts';
import { type BareKey, bareKey } from '../xml/address.ts';
import { bridge, Fork } from '../xml/edit.ts';
import { type Declarations, parseStanza, type Stanza } from '../xml/stanza.ts';
import { urgencyOf } from './hold-back.ts';
import type { Outlet, OutletSource } from './outlet.ts';

/** What the account needs of a session. */
export interface SessionPort extends OutletSource {
  readonly id: SessionId;
  readonly jid: string;
  /** The resource that its client asked for and knows itself by, or that the server chose. */
  readonly asked: string;
  /** Of its streams; absent: their headers say nothing. */
  readonly languages?: Languages | undefined;
  /** It is awake, and another node could go on with it (XEP-0198), with what its stream carries then. */
  readonly isTransferable?: boolean;
  /** What texts for it must declare. */
  readonly declared: Declarations | 'websocket';
  /** A stanza whose declarations are right for `declared`. */
  deliver(text: Buffer): void;
  /** Its client is inactive (XEP-0352): what is not urgent may be given to `holdBack` in place of `deliver`. */
  readonly mayHoldBack: boolean;
  /** `occupant`: whose presence it is, of which only the last state matters. */
  holdBack(text: Buffer, occupant: string | undefined): void;
  /** A stanza that was made from `origin` and stands under its stream's declarations. */
  send(xml: string | Buffer, origin?: Stanza): void;
  /** What it is owed is not to be had any more: it hibernates, and cannot be resumed without a loss. */
  fallBehind(): void;
  /** Another connection of the same client has taken its place. */
  replace(): void;
  /** A stanza that does not concern rooms, on the session's own upstream stream. */
  relayUpstream(stanza: Stanza): void;
}

/** What the account needs of an upstream stream that can carry rooms. */
export interface CarrierPort {
  readonly outlet: Outlet;
  /** Something is about to be sent for rooms: the server must not hold back what it has for this stream. */
  wake(): void;
  relayDownstream(stanza: Stanza): void;
  /** The client has gone: no one-to-one traffic any more. */
  hold(): void;
  /** The same, until another session comes: contacts see that nobody is there. */
  park(): void;
  /** No rooms are left on it. */
  free(): void;
  /** Its session hibernates: the connection to the server is to be dropped as it is. */
  suspend(): void;
}

/** The account's nick in a room. */
export type NickIn = (room: BareKey) => string | undefined;

export class Ports {
  readonly sessions = new Map<SessionId, SessionPort>();
  readonly carriers = new Map<CarrierId, CarrierPort>();
  readonly #hot: Metrics['hot'];
  readonly #nickIn: NickIn;
  /** A session of another node, as a source for streams that are here. */
  sourceElsewhere: ((id: SessionId) => OutletSource) | undefined;

  constructor(metrics: Pick<Metrics, 'hot'>, nickIn: NickIn) {
    this.#hot = metrics.hot;
    this.#nickIn = nickIn;
  }

  /** One text to many sessions. Returns those that are not here, if there are any. */
  fork(sessions: readonly SessionId[], stanza: Stanza): SessionId[] | undefined {
    const hot = this.#hot;
    const fork = new Fork(stanza);
    let copies = 0;
    let missing: SessionId[] | undefined;
    for (const id of sessions) {
      const session = this.sessions.get(id);
      if (!session) {
        missing ??= [];
        missing.push(id);
        continue;
      }
      const text = fork.for(session.jid, session.declared);
      if (session.mayHoldBack) this.#deliverLater(session, text, stanza);
      else session.deliver(text);
      copies += 1;
    }
    hot.stanzasForked += copies;
    if (copies > 1) {
      hot.stanzasSaved += copies - 1;
      hot.bytesSaved += (copies - 1) * stanza.length;
    }
    return missing;
  }

  #deliverLater(session: SessionPort, text: Buffer, stanza: Stanza): void {
    const key = bareKey(stanza.from ?? '');
    const nick = key === undefined ? undefined : this.#nickIn(key);
    const urgency = nick === undefined ? 'now' : urgencyOf(stanza, nick);
    if (urgency === 'now') session.deliver(text);
    else session.holdBack(text, urgency === 'presence' ? stanza.from : undefined);
  }

  /** To a stream; `source` is the session on whose share of the rate it goes. False: the stream is not here. */
  toCarrier(id: CarrierId, xml: string | Buffer, source: SessionId | undefined, origin: Stanza | undefined): boolean {
    const port = this.carriers.get(id);
    if (!port) return false;
    port.wake();
    const from = source === undefined ? undefined : (this.sessions.get(source) ?? this.sourceElsewhere?.(source));
    const { outlet } = port;
    if (origin && origin.outerPrefixes.length > 0) {
      const stanza = parseStanza(asBuffer(xml), origin.declarations);
      outlet.send(from, bridge(stanza, outlet.leg.declared) ?? stanza.bytes);
    } else outlet.send(from, xml);
    return true;
  }
}

function asBuffer(xml: string | Buffer): Buffer {
  return typeof xml === 'string' ? Buffer.from(xml) : xml;
}
