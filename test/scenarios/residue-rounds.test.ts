/** Nothing is left of clients that have gone: streams, accounts, timers, sockets, gauges, memory. */
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Target } from '../support/client.ts';
import type { TestProxy } from '../support/proxy.ts';
import { createRoom, joinPresence, joinRoom, leaveRoom, sayInRoom } from '../support/room.ts';
import { assert, type Client, login, type Stage, stages } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('residue-rounds', { limitMs: 180_000 });

/** Most where they cost least: ejabberd takes much of the processor for each login, jabberd2 its time. */
const roundsAt = { prosody: 260, ejabberd: 150, jabberd2: 120 } as const;
/** The first rounds fill caches and let the compiler do its work: most of the growth is over behind 80 of them. */
const warmUpAt = { prosody: 160, ejabberd: 100, jabberd2: 80 } as const;
/** Far below what one forgotten session, room or history a round would make. */
const mostGrowthBytes = 512 * 1024;

// A process is started with the flag or gets it here: what is measured must be what is held.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

for (const kind of ['account', 'borrowed'] as const) {
  stage(
    'X3',
    `after hundreds of rounds of logins, joins, talk, leaves and drops nothing is left, ${kind} carriers`,
    async (scene) => {
      const config = { linger: '0', leave: { grace: '0' }, log: { level: 'warn' } };
      const proxy = await scene.proxy({ config });
      const rooms = [scene.newRoom(), scene.newRoom(), scene.newRoom()];
      const witness = await scene.direct('witness');
      for (const room of rooms) await createRoom(witness, `${room}/witness`);
      const strong = scene.server.name === 'jabberd2' ? 'DIGEST-MD5' : 'SCRAM-SHA-1';
      const mechanism = kind === 'account' ? 'PLAIN' : strong;
      await settled(proxy);
      const before = resources();
      const rounds = roundsAt[scene.server.name];
      const warmUp = warmUpAt[scene.server.name];
      let early = 0;
      for (let round = 0; round < rounds; round++) {
        if (round === warmUp) {
          await settled(proxy);
          early = await heapUsed();
        }
        const role = `user${round % 5}`;
        const target = round % 2 === 0 ? proxy.at('tcp') : proxy.at('ws');
        await playRound(scene, round, { role, target, mechanism, room: rooms[round % 3] as string });
        forget(witness);
      }
      await settled(proxy);
      const grown = (await heapUsed()) - early;
      assert.ok(grown < mostGrowthBytes, `the heap has grown by ${grown} bytes`);
      await until(`what the process holds is as before: ${before}`, () => resources() === before);
      const gauges = gaugesOf(await proxy.app.metrics.render());
      assert.ok(gauges.length > 4);
      assert.equal(
        gauges.filter(({ value }) => value !== 0),
        [],
      );
    },
  );
}

stage.run();

interface Round {
  role: string;
  target: Target;
  mechanism: string;
  room: string;
}

/** One account comes with two devices, and goes in one of the ways there are. */
async function playRound(scene: Stage, round: number, { role, target, mechanism, room }: Round): Promise<void> {
  const nick = `n-${role}`;
  const user = await scene.user(role);
  // Not by the scene, which keeps its clients.
  const open = (device: string) => login(target, { user, mechanism, resource: `${device}-${round}`, presence: 0 });
  const one = await open('one');
  const other = round % 3 === 0 ? await open('other') : undefined;
  const joined = round % 7 === 0 ? [] : [one];
  for (const client of joined) await joinRoom(client, `${room}/${nick}`);
  // Some go while their join is on its way.
  if (joined.length === 0) one.send(joinPresence(`${room}/${nick}`));
  if (other && joined.length > 0) {
    await joinRoom(other, `${room}/${nick}`).catch(() => {});
    joined.push(other);
  }
  for (const client of joined) {
    const id = sayInRoom(client, room, 'x'.repeat(500));
    await client.pick(`<message type='groupchat' id='${id}'/>`).catch(() => {});
  }
  if (round % 2 === 0) for (const client of joined) await leaveRoom(client, `${room}/${nick}`);
  for (const client of [one, other]) if (client) await go(client, round);
}

/** What the witness has kept of its stream is no part of what is measured. */
function forget({ stream, noise }: Client): void {
  stream.inbox.takeAll();
  stream.log.splice(0);
  noise.splice(0);
}

async function go(client: Client, round: number): Promise<void> {
  if (round % 5 === 0) await client.drop();
  else if (round % 5 === 1) await client.fin();
  else await client.end();
}

async function settled({ app }: TestProxy): Promise<void> {
  const none = { sessions: 0, accounts: 0, occupancies: 0, carriers: 0, legs: 0, negotiations: 0 };
  await until(`nothing is held: ${JSON.stringify(app.census())}`, () =>
    Object.entries(none).every(([name, count]) => app.census()[name as keyof typeof none] === count),
  );
}

/** Sockets, timers and the like that the process has, by kind and number; those that come and go by themselves left out. */
function resources(): string {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const passing of ['TickObject', 'Immediate', 'Timeout', 'CloseReq']) counts.delete(passing);
  return JSON.stringify([...counts].sort());
}

async function heapUsed(): Promise<number> {
  for (let count = 0; count < 3; count++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().heapUsed;
}

/** Gauges of what is held at present. */
function gaugesOf(text: string): { name: string; value: number }[] {
  const names = ['sessions', 'accounts', 'occupancies', 'carriers', 'legs', 'iq_pending'];
  return text
    .split('\n')
    .map((line) => /^minimix_(\w+)(\{[^}]*\})? (\S+)$/.exec(line))
    .filter((match) => match !== null && names.includes(match[1] as string))
    .map((match) => ({ name: `${match?.[1]}${match?.[2] ?? ''}`, value: Number(match?.[3]) }));
}
