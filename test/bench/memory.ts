/** Resident memory of the proxy for idle sessions, and for accounts that are in a room. */
import { setTimeout as wait } from 'node:timers/promises';
import { type LoadClient, type Login, loginAll } from './load-client.ts';
import { mostFiles, type Result, residentKib } from './measure.ts';
import { type ProxyCommand, startLoadServer, startProxy } from './programs.ts';

const MUC = 'http://jabber.org/protocol/muc';
/** Sessions that come before the count: what the first ones make the process load is not theirs. */
const WARM_UP = 100;
/** For what else a process keeps open. */
const OTHER_FILES = 100;
/** Time in which the collector of an idle process gives back what the logins have left behind. */
const REST_MS = 12_000;

export interface MemoryOptions {
  readonly proxy: ProxyCommand;
  readonly sessions: number;
  /** Sessions of them that join a room; its memory is measured too. */
  readonly joined: number;
}

export async function memory({ proxy, sessions, joined }: MemoryOptions): Promise<Result[]> {
  // The proxy has two sockets a session; all processes inherit the limit of this one.
  const possible = Math.floor((mostFiles('self') - OTHER_FILES) / 2) - WARM_UP;
  const count = Math.min(sessions, possible);
  const note = count < sessions ? ` (of ${sessions}: ulimit -n is ${mostFiles('self')})` : '';
  const server = await startLoadServer(20);
  const ours = await startProxy(proxy, server.port);
  const clients: LoadClient[] = [];
  try {
    clients.push(...(await loginAll(logins(ours.port, 'warm', WARM_UP))));
    await wait(REST_MS / 4);
    const before = residentKib(ours.pid);
    const idle = await loginAll(logins(ours.port, 'idle', count));
    clients.push(...idle);
    const peak = residentKib(ours.pid);
    await wait(REST_MS);
    const after = residentKib(ours.pid);
    const joiners = idle.slice(0, joined);
    for (const client of joiners) await enter(client);
    await wait(REST_MS);
    const inside = residentKib(ours.pid);
    const result = (name: string, reached: number): Result => ({ part: 'memory', name, reached, unit: 'KiB' });
    return [
      { ...result(`an idle session, ${count} of them${note}`, (after - before) / count), most: 40 },
      result('a session right after its login', (peak - before) / count),
      result(`an account in a room of 20, ${joined} of them`, (inside - after) / joined),
      result('the process before', before),
    ];
  } finally {
    for (const client of clients) client.close();
    await ours.stop();
    await server.stop();
  }
}

function logins(port: number, prefix: string, count: number): Login[] {
  return Array.from({ length: count }, (_, n) => ({ port, user: `${prefix}${n}`, resource: 'phone' }));
}

async function enter(client: LoadClient): Promise<void> {
  const nick = client.jid.slice(0, client.jid.indexOf('@'));
  const to = `room@conference.localhost/${nick}`;
  await client.ask(`<presence to='${to}' id='join'><x xmlns='${MUC}'/></presence>`, '</subject>');
}
