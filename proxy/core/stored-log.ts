/** Entries of a stanza log as they lie in the store, and how a home goes on with what another has left there. */
import { USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { bridge } from '../xml/edit.ts';
import { parseStanza } from '../xml/stanza.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';

type Head = [at: number, heardAt: number, isDelayed: 0 | 1, keys?: { content: string; message: string }];

/** A line of JSON, then the text as it stands under the usual stream header. */
export function writeEntry(entry: LogEntry): Buffer {
  const { at, heardAt, delayed, keys } = entry;
  const head: Head = [at, heardAt, delayed ? 1 : 0];
  if (keys) head.push(keys);
  const text = entry.source === USUAL_DECLARATIONS ? entry.text : bridge(entryStanza(entry), USUAL_DECLARATIONS);
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), text ?? entry.text]);
}

/** @throws SyntaxError or ViolationError on what no node has written */
export function readEntry(bytes: Buffer): LogEntry {
  const end = bytes.indexOf('\n');
  const [at, heardAt, isDelayed, keys] = JSON.parse(bytes.toString('utf8', 0, end)) as Head;
  const text = Buffer.from(bytes.subarray(end + 1));
  parseStanza(text);
  return { text, source: USUAL_DECLARATIONS, at, heardAt, delayed: isDelayed === 1, ...(keys && { keys }) };
}
