/**
 * Several worker processes on one machine (C7), as they are run, on one Redis: what several nodes do, behind one port. The
 * devices of an account land on different workers.
 */
import process from 'node:process';
import { startRedis } from '../servers/index.ts';
import { type Program, startProgram } from './support/program.ts';
import { assert, type Client, joinRoom, login, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, heardUpTo, speaks, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('workers', { limitMs: 120_000, except: ['sameOnBoth'] });

const WORKERS = 3;
const LEASE_MS = 2000;

interface Place {
  readonly program: Program;
  readonly clients: readonly Client[];
  readonly witness: Witness;
  get(path: string): Promise<{ status: number; text: string }>;
}

/** One program of three workers; connections go round, so that each of three devices has a worker of its own. */
async function place(scene: Scene): Promise<Place> {
  const redis = await startRedis();
  scene.after(() => redis.stop());
  const witness = await watch(scene);
  const set = ['--set', `workers=${WORKERS}`, '--set', `cluster.lease=${LEASE_MS}ms`, '--http', '127.0.0.1:0'];
  const program = await startProgram(scene, scene.server.upstream(), ['--store', redis.url, ...set]);
  const jid = await scene.jid('alice');
  const clients: Client[] = [];
  for (let index = 0; index < WORKERS; index += 1) {
    const user = { user: jid.slice(0, jid.indexOf('@')), mechanism: scene.mechanism, presence: 0 };
    const client = scene.adopt(
      await login({ access: 'tcp', port: program.ports.tcp }, { ...user, resource: `d${index}` }),
    );
    await joinRoom(client, `${scene.room}/al`);
    clients.push(client);
  }
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${program.ports.http}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return { program, clients, witness, get };
}

/** Lines of the program's log that say this. */
function said(program: Program, message: string): Record<string, unknown>[] {
  const lines = program
    .log()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`));
  return lines.map((line) => JSON.parse(line));
}

/** Of each device: the number of the worker that serves it. */
function workersOf({ program, clients }: Place): unknown[] {
  const bound = said(program, 'session bound');
  return clients.map(({ jid }) => bound.find((line) => line.jid === jid)?.worker);
}

scenario(
  'C7',
  'devices of one account on three workers share a room; metrics and readiness are those of all; a stop ends in order',
  async (scene) => {
    const { room } = scene;
    const there = await place(scene);
    const { program, clients, witness, get } = there;
    assert.equal(new Set(workersOf(there)).size, WORKERS);
    assert.equal(await witness.sees(), ['+al']);
    await heardOnce(clients, room, 'al', sayInRoom(clients[0] as Client, room, 'to all'));
    assert.is((await get('/readyz')).status, 200);
    const { text } = await get('/metrics');
    assert.match(text, new RegExp(`^minimix_workers ${WORKERS}$`, 'm'));
    assert.match(text, new RegExp(`^minimix_sessions\\{transport="tcp"\\} ${WORKERS}$`, 'm'));
    assert.match(text, /^minimix_joins_saved_total 2$/m);
    program.child.kill('SIGTERM');
    assert.is(await program.ended, 0);
  },
);

scenario(
  'C7',
  'a worker that is killed is started again and counted, and the others go on; the room sees nothing of it but for its device',
  async (scene) => {
    const { room } = scene;
    const there = await place(scene);
    const { program, clients, witness, get } = there;
    const [first] = workersOf(there);
    const pid = said(program, 'worker started').find(({ worker }) => worker === first)?.pid as number;
    const others = clients.slice(1);
    process.kill(pid, 'SIGKILL');
    const ids: string[] = [];
    for (let index = 0; index < 10; index += 1) ids.push(await witness.say(`message ${index}`));
    for (const client of others) await speaks(client, room, 'al');
    const last = await witness.say('last');
    for (const client of others) assert.equal(await heardUpTo(client, room, last), [...ids, last]);
    await until('the worker to be back', async () => /^minimix_workers 3$/m.test((await get('/metrics')).text), 20_000);
    const { text } = await get('/metrics');
    assert.match(text, /^minimix_worker_exits_total\{reason="crash"\} 1$/m);
    // Whichever worker it comes to.
    const jid = await scene.jid('alice');
    const user = { user: jid.slice(0, jid.indexOf('@')), mechanism: scene.mechanism, presence: 0, resource: 'again' };
    const again = scene.adopt(await login({ access: 'tcp', port: program.ports.tcp }, user));
    await joinRoom(again, `${room}/al`);
    await heardOnce([...others, again], room, 'al', sayInRoom(again, room, 'back'));
    program.child.kill('SIGTERM');
    assert.is(await program.ended, 0);
  },
);

scenario('C7', 'when the parent is killed its workers close their streams and end', async (scene) => {
  const there = await place(scene);
  const { program, clients } = there;
  const pids = said(program, 'worker started').map(({ pid }) => pid as number);
  scene.after(() => {
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
  });
  program.child.kill('SIGKILL');
  for (const client of clients) {
    const { error, isClean } = await client.closed;
    assert.ok(isClean && error?.child('system-shutdown'), client.jid);
  }
  await until('the workers to end', () => pids.every((pid) => !isAlive(pid)), 30_000);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

scenario.run();
