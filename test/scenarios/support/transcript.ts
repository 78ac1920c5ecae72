/** What went over the clients' streams, for the message of a failed scenario. */
import type { Client } from '../../support/client.ts';

const shownEntries = 40;
const shownLogLines = 15;
const shownLength = 1_500;

/** The last entries of all clients in the order of time, and the last lines of the proxy's log. */
export function transcript(clients: readonly Client[], log: readonly string[]): string {
  const entries = clients.flatMap((client) => client.log.map((entry) => ({ client, entry })));
  entries.sort((a, b) => a.entry.at - b.entry.at);
  const start = entries[0]?.entry.at ?? 0;
  const lines = entries.slice(-shownEntries).map(({ client, entry }) => {
    const { at, direction, text } = entry;
    const shown = text.length > shownLength ? `${text.slice(0, shownLength)}... (${text.length} characters)` : text;
    return `  ${String(at - start).padStart(6)} ms  ${client.stream.inbox.name} ${direction === 'in' ? '<-' : '->'} ${shown}`;
  });
  const logged = log.slice(-shownLogLines).map((line) => `  ${line}`);
  const wire = `  The last of ${entries.length} pieces on the wire:\n${lines.join('\n')}`;
  return `${wire}\n  The last of ${log.length} lines of the proxy's log:\n${logged.join('\n')}`;
}
