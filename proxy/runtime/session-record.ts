/** A whole session between two nodes, as text for the store: its streams' counters and stanzas, and its part in the account. */
import type { Passage } from '../core/passage.ts';
import { readPortable, writePortable } from '../core/portable.ts';
import type { Settings } from '../core/state.ts';
import { Payload, Reading } from './cluster/envelope.ts';
import { type LegsSnapshot, legsFromText, legsToText } from './session-snapshot.ts';

export interface SessionRecord {
  readonly jid: string;
  /** See `Session`. */
  readonly asked: string;
  readonly device: string | undefined;
  /** See `ClientState`. */
  readonly shown: string | undefined;
  /** How ids of the proxy's own begin that may still come back on its stream. */
  readonly idPrefixes: readonly string[];
  readonly legs: LegsSnapshot;
  readonly passage: Passage;
}

type RecordItem =
  | ({ readonly kind: 'session'; readonly legs: number } & Pick<
      SessionRecord,
      'jid' | 'asked' | 'device' | 'shown' | 'idPrefixes'
    >)
  | { readonly kind: 'passage'; readonly portable: unknown };

export function writeRecord({ legs, passage, ...rest }: SessionRecord, now: number): string {
  const payload = new Payload<RecordItem>();
  payload.add({ kind: 'session', ...rest, legs: payload.text(legsToText(legs)) });
  payload.add({ kind: 'passage', portable: writePortable(passage, { put: (text) => payload.text(text) }, now) });
  return payload.seal().toString();
}

/** @throws Error on what no node of this version has written */
export function readRecord(text: string, settings: Settings): SessionRecord {
  const { session, reading } = open(text);
  const passage = reading.items.find((item) => item.kind === 'passage');
  if (!passage) throw new SyntaxError('no passage in it');
  const texts = { get: (ref: number) => reading.text(ref) };
  return {
    jid: session.jid,
    asked: session.asked,
    device: session.device,
    shown: session.shown,
    idPrefixes: session.idPrefixes,
    legs: legsFromText(reading.text(session.legs).toString()),
    passage: readPortable(passage.portable, texts, settings) as Passage,
  };
}

/** The streams alone. @throws as above */
export function readLegs(text: string): LegsSnapshot {
  const { session, reading } = open(text);
  return legsFromText(reading.text(session.legs).toString());
}

function open(text: string) {
  const reading = new Reading<RecordItem>(Buffer.from(text));
  const session = reading.items.find((item) => item.kind === 'session');
  if (!session) throw new SyntaxError('no session in it');
  return { session, reading };
}
