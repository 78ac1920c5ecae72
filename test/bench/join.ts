/** A second device joins a room of 500 occupants, in which its account is already: what it costs the server and the proxy. */
import { LoadClient } from './load-client.ts';
import type { Result } from './measure.ts';
import { cpuOf, type ProxyCommand, startLoadServer, startProxy } from './programs.ts';

const OCCUPANTS = 500;
const ROOM = 'full@conference.localhost';
const MUC = 'http://jabber.org/protocol/muc';

export interface JoinOptions {
  readonly proxy: ProxyCommand;
  readonly joins: number;
}

export async function join({ proxy, joins }: JoinOptions): Promise<Result[]> {
  const server = await startLoadServer(OCCUPANTS);
  const ours = await startProxy(proxy, server.port);
  try {
    const login = { port: ours.port, user: 'juliet' };
    const first = await LoadClient.login({ ...login, resource: 'balcony' });
    await enter(first);
    const second = await LoadClient.login({ ...login, resource: 'chamber' });
    for (let n = 0; n < 20; n++) await enterAndLeave(second);
    const before = await server.counters();
    const bytes = second.bytes;
    const cpu = await cpuOf(ours.pids, async () => {
      for (let n = 0; n < joins; n++) await enterAndLeave(second);
    });
    const after = await server.counters();
    const heard = (second.bytes - bytes) / joins;
    if (heard < OCCUPANTS * 100) throw new Error(`a join was answered with ${heard} bytes only`);
    first.close();
    second.close();
    const stanzas = after.stanzas - before.stanzas;
    return [
      {
        part: 'join',
        name: `stanzas to the server for ${joins} joins and leaves`,
        most: 0,
        reached: stanzas,
        unit: '',
      },
      {
        part: 'join',
        name: `proxy CPU a join, ${OCCUPANTS} occupants`,
        most: 5,
        reached: (cpu / joins) * 1000,
        unit: 'ms',
      },
      { part: 'join', name: 'bytes of the answer', reached: Math.round(heard), unit: 'B' },
    ];
  } finally {
    await ours.stop();
    await server.stop();
  }
}

async function enterAndLeave(client: LoadClient): Promise<void> {
  await enter(client);
  await client.ask(`<presence to='${ROOM}/juliet' type='unavailable'/>`, "code='110'");
}

/** The subject stands at the end of the answer (XEP-0045 section 7.1). */
async function enter(client: LoadClient): Promise<void> {
  await client.ask(`<presence to='${ROOM}/juliet' id='join'><x xmlns='${MUC}'/></presence>`, '</subject>');
}
