/**
 * Several nodes as they are run, each in a process of its own, on one Redis: one is killed, stands still, or is told to stop
 * (C2, C4, C5). Every message is accounted for.
 */
import { startRedis } from '../servers/index.ts';
import { type Program, startProgram } from './support/program.ts';
import {
  assert,
  type Client,
  joinRoom,
  leaveRoom,
  login,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { heardOnce, heardUpTo, leavesAlone, speaks, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('nodes-program', { limitMs: 90_000, except: ['sameOnBoth'] });

/** How long the others believe a node alive (ms). */
const LEASE_MS = 2000;

interface Place {
  readonly programs: readonly Program[];
  readonly clients: readonly Client[];
  readonly witness: Witness;
}

/** Three nodes, a device on each, all of them in the room; the first node is the home. */
async function place(scene: Scene): Promise<Place> {
  const redis = await startRedis();
  scene.after(() => redis.stop());
  const witness = await watch(scene);
  const flags = ['--store', redis.url, '--set', `cluster.lease=${LEASE_MS}ms`, '--set', 'leave.grace=0'];
  const starting = [0, 1, 2].map(() => startProgram(scene, scene.server.upstream(), flags));
  const programs = await Promise.all(starting);
  const jid = await scene.jid('alice');
  const access = scene.transport === 'tcp' ? 'tcp' : 'ws';
  const clients: Client[] = [];
  for (const [index, { ports }] of programs.entries()) {
    const user = { user: jid.slice(0, jid.indexOf('@')), mechanism: scene.mechanism, presence: 0 };
    const target = { access, port: ports[access], path: '/xmpp-websocket' } as const;
    const client = scene.adopt(await login(target, { ...user, resource: `d${index}` }));
    await joinRoom(client, `${scene.room}/al`);
    clients.push(client);
  }
  assert.equal(await witness.sees(), ['+al']);
  return { programs, clients, witness };
}

scenario(
  'C2',
  'SIGKILL of the home: devices on other nodes hear everything, once and in order, and go on',
  async (scene) => {
    const { room } = scene;
    const { programs, clients, witness } = await place(scene);
    const [, ...others] = clients;
    const ids: string[] = [];
    // No more than a room gives as history: what the home had heard and not passed on yet is lost with it.
    for (let index = 0; index < 15; index += 1) {
      if (index === 5) programs[0]?.child.kill('SIGKILL');
      ids.push(await witness.say(`message ${index}`));
    }
    for (const client of others) await speaks(client, room, 'al');
    const last = await witness.say('last');
    for (const client of others) assert.equal(await heardUpTo(client, room, last), [...ids, last]);
    await heardOnce(others, room, 'al', sayInRoom(others[0] as Client, room, 'still here'));
  },
);

scenario(
  'C2',
  'SIGKILL of a node that is not the home: the others hear everything, the room sees nothing, its device is gone',
  async (scene) => {
    const { room } = scene;
    const { programs, clients, witness } = await place(scene);
    const others = clients.slice(0, 2);
    const ids: string[] = [];
    for (let index = 0; index < 30; index += 1) {
      if (index === 10) programs[2]?.child.kill('SIGKILL');
      ids.push(await witness.say(`message ${index}`));
    }
    const last = await witness.say('last');
    for (const client of others) assert.equal(await heardUpTo(client, room, last), [...ids, last]);
    assert.equal(await witness.sees(), []);
    const [first, second] = others as [Client, Client];
    await leaveRoom(second, `${room}/al`);
    await leavesAlone(first, witness, 'al');
  },
);

scenario(
  'C5',
  'SIGSTOP of the home beyond its lease: another one takes over, and the one that comes back does no harm',
  async (scene) => {
    const { room } = scene;
    const { programs, clients, witness } = await place(scene);
    const [sleeper, ...others] = clients;
    programs[0]?.child.kill('SIGSTOP');
    const ids: string[] = [];
    // The lease is to pass meanwhile, and a room gives no more than 20 messages as history.
    for (let index = 0; index < 12; index += 1) {
      ids.push(await witness.say(`message ${index}`));
      await new Promise((resolve) => setTimeout(resolve, LEASE_MS / 6));
    }
    for (const client of others) await speaks(client, room, 'al');
    programs[0]?.child.kill('SIGCONT');
    await speaks(sleeper as Client, room, 'al');
    const last = await witness.say('last');
    for (const client of clients) assert.equal(await heardUpTo(client, room, last), [...ids, last]);
    await heardOnce(clients, room, 'al', sayInRoom(sleeper as Client, room, 'back'));
    assert.equal(await witness.sees(), []);
  },
  // The place of a process that stands still is not free before its connection ends.
  { except: ['sharedAnyway'] },
);

scenario(
  'C4',
  'SIGTERM of one node after the other, in the midst of talk: the room sees nothing, and who stays hears all',
  async (scene) => {
    const { room } = scene;
    const { programs, clients, witness } = await place(scene);
    const stays = clients[2] as Client;
    const ids: string[] = [];
    for (const program of programs.slice(0, 2)) {
      let isOver = false;
      program.child.kill('SIGTERM');
      void program.ended.then(() => {
        isOver = true;
      });
      while (!isOver) ids.push(await witness.say(`message ${ids.length}`));
      assert.is(await program.ended, 0);
    }
    const last = await witness.say('last');
    assert.equal(await heardUpTo(stays, room, last), [...ids, last]);
    if (scene.server.features.sharedNick) assert.equal(await witness.sees(), []);
    await heardOnce([stays], room, 'al', sayInRoom(stays, room, 'alone'));
  },
);

scenario.run();
