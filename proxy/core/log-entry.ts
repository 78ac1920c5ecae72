/** One message of a stanza log. */
import { parseStanza, type Stanza } from '../xml/stanza.ts';
import { contentKey, messageKey, stanzaIdOf } from './message-key.ts';

export interface LogEntry {
  /** The message as the room sent it, in bytes of its own; of one that was taken back, what is left of it. */
  readonly text: Buffer;
  readonly source: Stanza['declarations'];
  /** When it was sent, epoch ms: the room's delay stamp, else the time of arrival. */
  readonly at: number;
  /** When it came to the account, epoch ms. */
  readonly heardAt: number;
  /** Whether the text has the room's own `<delay/>` already. */
  readonly delayed: boolean;
  /** It comes from the store, and nobody knows in which language it is, as it does not say; absent: that of the streams here, if it does not say. */
  readonly isUnlabelled?: true | undefined;
  /** By what it is known, where its text does not tell any more: it was taken back. */
  readonly keys?: { readonly content: string; readonly message: string } | undefined;
  /** By what it is known, once somebody has asked: each text is read for that once at most. */
  known?: { content?: string; message?: string } | undefined;
  /** By what an archive (archive.ts) and its sender know it, once somebody has asked. */
  marks?: Marks | undefined;
  /** By what others may refer to it, once somebody has looked for it (retraction.ts). */
  names?: readonly string[] | undefined;
}

export interface Marks {
  /** In the room's name (XEP-0359). */
  readonly id: string | undefined;
  /** Its sender's `id`. */
  readonly own: string | undefined;
  /** The sender, as the room writes it. */
  readonly from: string;
}

/** The stanza of an entry, to be forked. */
export function entryStanza(entry: LogEntry): Stanza {
  return parseStanza(entry.text, entry.source);
}

/** As `contentKey` of the message as it was said. */
export function entryContentKey(entry: LogEntry): string {
  if (entry.keys) return entry.keys.content;
  entry.known ??= {};
  entry.known.content ??= contentKey(entryStanza(entry));
  return entry.known.content;
}

/** As `messageKey` of the message as it was said. */
export function entryMessageKey(entry: LogEntry): string {
  if (entry.keys) return entry.keys.message;
  entry.known ??= {};
  entry.known.message ??= messageKey(entryStanza(entry));
  return entry.known.message;
}

/** Each text is read for them once. */
export function entryMarks(entry: LogEntry): Marks {
  entry.marks ??= marksOf(entryStanza(entry));
  return entry.marks;
}

export function marksOf(stanza: Stanza): Marks {
  const { id: own, from = '' } = stanza;
  return { id: stanzaIdOf(stanza), own, from };
}
