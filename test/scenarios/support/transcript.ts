/** What went over the clients' streams, for the message of a failed scenario. */
import process from 'node:process';
import type { Client } from '../../support/client.ts';

/** `TEST_WIRE=all` shows everything in full. */
const isFull = process.env.TEST_WIRE === 'all';
const shownEntries = isFull ? Number.POSITIVE_INFINITY : 25;
const shownLogLines = isFull ? Number.POSITIVE_INFINITY : 12;
const shownLength = isFull ? Number.POSITIVE_INFINITY : 600;
/** Answers to fences say nothing. */
const fenceAnswer = /^<iq [^>]*><query xmlns=['"]http:..jabber.org.protocol.disco#info['"]>.*<.iq>$/s;

/** The last entries of all clients in the order of time, and the last lines of the proxy's log. */
export function transcript(clients: readonly Client[], log: readonly string[]): string {
  const entries = clients.flatMap((client) => client.log.map((entry) => ({ client, entry })));
  entries.sort((a, b) => a.entry.at - b.entry.at);
  const start = entries[0]?.entry.at ?? 0;
  const lines = entries.slice(-shownEntries).map(({ client, entry }) => {
    const { at, direction, text } = entry;
    const limit = fenceAnswer.test(text) ? Math.min(shownLength, 150) : shownLength;
    const shown = text.length > limit ? `${text.slice(0, limit)}... (${text.length} characters)` : text;
    return `  ${String(at - start).padStart(6)} ms  ${client.stream.inbox.name} ${direction === 'in' ? '<-' : '->'} ${shown}`;
  });
  const logged = log.slice(-shownLogLines).map((line) => `  ${line}`);
  const wire = `  The last of ${entries.length} pieces on the wire:\n${lines.join('\n')}`;
  return `${wire}\n  The last of ${log.length} lines of the proxy's log:\n${logged.join('\n')}`;
}
