/** Entries of a stanza log as they lie in the store, and how a home goes on with what another has left there. */
import { USUAL_DECLARATIONS } from '../xml/declarations.ts';
import { bridge } from '../xml/edit.ts';
import { parseStanza } from '../xml/stanza.ts';
import { saying } from './language.ts';
import { entryStanza, type LogEntry } from './log-entry.ts';

type Head = [at: number, heardAt: number, isDelayed: 0 | 1, keys?: { content: string; message: string }];

/** A line of JSON, then the text as it stands under the usual stream header. `spoken`: the language of a text from here which does not say its own. */
export function writeEntry(entry: LogEntry, spoken?: string): Buffer {
  const { at, heardAt, delayed, keys, isUnlabelled } = entry;
  const language = isUnlabelled ? undefined : spoken;
  const head: Head = [at, heardAt, delayed ? 1 : 0];
  if (keys) head.push(keys);
  const isReady = entry.source === USUAL_DECLARATIONS && language === undefined;
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), isReady ? entry.text : standalone(entry, language)]);
}

function standalone(entry: LogEntry, language: string | undefined): Buffer {
  const stanza = language === undefined ? entryStanza(entry) : saying(entryStanza(entry), language);
  return bridge(stanza, USUAL_DECLARATIONS) ?? stanza.bytes;
}

/** @throws SyntaxError or ViolationError on what no node has written */
export function readEntry(bytes: Buffer): LogEntry {
  const end = bytes.indexOf('\n');
  const [at, heardAt, isDelayed, keys] = JSON.parse(bytes.toString('utf8', 0, end)) as Head;
  const text = Buffer.from(bytes.subarray(end + 1));
  const isUnlabelled = parseStanza(text).root.attr('xml:lang') === undefined;
  const entry = { text, source: USUAL_DECLARATIONS, at, heardAt, delayed: isDelayed === 1, ...(keys && { keys }) };
  return isUnlabelled ? { ...entry, isUnlabelled } : entry;
}
