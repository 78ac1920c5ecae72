/**
 * Accounts outlive their node without a device (C2, C4, L3, X4): their password lies in the store, sealed with a key, and a node that has the
 * key opens the account's stream anew. Nodes are processes of their own, as they are run.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Seal } from '../../proxy/store/seal.ts';
import { type RedisServer, startRedis } from '../servers/index.ts';
import { type Program, startProgram } from './support/program.ts';
import { assert, type Client, joinRoom, leaveRoom, login, type Scene, scenarios } from './support/scenario.ts';
import { historyFor, MOST_HISTORY } from './support/stored.ts';
import { until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('sealed', { limitMs: 90_000, except: ['sameOnBoth', 'accountStream'] });

/** How long the others believe a node alive (ms). */
const LEASE_MS = 1500;
/** How long a node that lives may need to take over (ms). */
const TAKEN_MS = 20_000;

/** An account with a password that is like nothing else, in a room that somebody else watches. */
interface Place {
  readonly scene: Scene;
  readonly redis: RedisServer;
  readonly witness: Witness;
  readonly user: string;
  readonly password: string;
  readonly jid: string;
  readonly key: string;
  /** Keys, from now on, in the file that nodes read: the first seals. */
  useKeys(...keys: readonly string[]): void;
  start(flags?: readonly string[]): Promise<Program>;
}

async function place(scene: Scene): Promise<Place> {
  const redis = await startRedis();
  scene.after(() => redis.stop());
  const folder = mkdtempSync(join(tmpdir(), 'minimix-keys-'));
  scene.after(() => rmSync(folder, { recursive: true, force: true }));
  const key = randomBytes(32).toString('base64');
  const file = join(folder, 'seal.key');
  const useKeys = (...keys: readonly string[]): void => {
    rmSync(file, { force: true });
    writeFileSync(file, `# of the service\n${keys.join('\n')}\n`, { mode: 0o400 });
  };
  useKeys(key);
  const user = `sealed-${randomBytes(4).toString('hex')}`;
  const password = `Geheim-${randomBytes(8).toString('hex')}`;
  await scene.server.addUser(user, password);
  const usual = ['--store', redis.url, '--http', '127.0.0.1:0', '--set', `cluster.lease=${LEASE_MS}ms`];
  return {
    scene,
    redis,
    witness: await watch(scene),
    user,
    password,
    jid: `${user}@${scene.server.host}`,
    key,
    useKeys,
    start: (flags = ['--set', `sealing.key-file=${file}`]) =>
      startProgram(scene, scene.server.upstream(), [...usual, ...flags]),
  };
}

async function device({ scene, user, password }: Place, { ports }: Program): Promise<Client> {
  const target = { access: 'tcp', port: ports.tcp } as const;
  return scene.adopt(await login(target, { user, password, mechanism: 'PLAIN', presence: 0 }));
}

/** A device joins and logs out: the account stays. */
async function leaveAccountBehind(at: Place, program: Program): Promise<void> {
  const { scene, witness, user } = at;
  const client = await device(at, program);
  await joinRoom(client, `${scene.room}/${user}`);
  assert.equal(await witness.sees(), [`+${user}`]);
  await witness.say('before');
  await until('the password is sealed', async () => (await deposit(at)) !== '');
  await client.end(1000);
  await until('the device is gone', async () => (await fieldsOf(at, 'sessions')) === '');
}

/** What lies in the store of the account; '' when nothing does. */
async function deposit({ redis, jid }: Place): Promise<string> {
  return (await redis.cli('hget', `minimix:{${jid}}:home`, 'deposit')).trim();
}

async function fieldsOf({ redis, jid }: Place, part: 'sessions' | 'rooms'): Promise<string> {
  return (await redis.cli('hkeys', `minimix:{${jid}}:${part}`)).trim();
}

async function metric({ ports }: Program, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

/** The node has the account, and the account its place in the room. */
async function takenUp(program: Program): Promise<void> {
  const isIn = async (): Promise<boolean> =>
    (await metric(program, 'minimix_orphans_total{result="taken-up"}')) === 1 &&
    (await metric(program, 'minimix_handovers_total{result="rejoined"}')) === 1;
  await until('the account is taken up, and back in its room', isIn, TAKEN_MS);
}

/** The room has the account, still or again. */
async function isThere({ witness, user }: Place): Promise<void> {
  const seen = await witness.sees();
  assert.ok(seen.length === 0 || seen.join(' ') === `-${user} +${user}`, seen.join(' '));
}

/** What a device that comes later is given of what was said, in order. */
async function historyAt(at: Place, program: Program): Promise<(string | undefined)[]> {
  return historyFor(await device(at, program), `${at.scene.room}/${at.user}`);
}

scenario(
  'C2',
  'SIGKILL of the home of an account without devices: another node goes on, and a later device is given all that was said, once',
  async (scene) => {
    const at = await place(scene);
    const { witness } = at;
    const [home, other] = await Promise.all([at.start(), at.start()]);
    await leaveAccountBehind(at, home);
    home.child.kill('SIGKILL');
    await home.ended;
    await witness.say('in between');
    await takenUp(other);
    await isThere(at);
    await witness.say('after');
    await until('it is kept', async () => (await historyKept(at)) === 3);
    assert.equal(await historyAt(at, await at.start()), ['before', 'in between', 'after']);
    assert.equal(await witness.sees(), []);
  },
);

async function historyKept({ redis, jid, scene }: Place): Promise<number> {
  return Number(await redis.cli('llen', `minimix:{${jid}}:log:${scene.room}`));
}

scenario(
  'C2',
  'SIGKILL of the only node: when it is started again accounts without devices are back in their rooms, and have missed nothing',
  async (scene) => {
    const at = await place(scene);
    const before = await at.start();
    await leaveAccountBehind(at, before);
    before.child.kill('SIGKILL');
    await before.ended;
    await at.witness.say('in between');
    const after = await at.start();
    await takenUp(after);
    await isThere(at);
    assert.equal(await historyAt(at, after), ['before', 'in between']);
  },
);

scenario(
  'C4',
  'SIGTERM of the only node: when it is started again accounts without devices are back in their rooms, and have missed nothing',
  async (scene) => {
    const at = await place(scene);
    const before = await at.start();
    await leaveAccountBehind(at, before);
    before.child.kill('SIGTERM');
    assert.is(await before.ended, 0);
    await at.witness.say('in between');
    const after = await at.start();
    await takenUp(after);
    await isThere(at);
    assert.equal(await historyAt(at, after), ['before', 'in between']);
  },
);

scenario(
  'C4',
  'SIGTERM of the home of an account without devices, another node living: nobody sees it go, and nothing that was said is lost',
  async (scene) => {
    const at = await place(scene);
    const { witness, user } = at;
    const [home, other] = await Promise.all([at.start(), at.start()]);
    await until('the nodes know each other', async () => (await metric(home, 'minimix_cluster_peers')) === 1);
    await leaveAccountBehind(at, home);
    home.child.kill('SIGTERM');
    const said = ['before'];
    let isOver = false;
    void home.ended.then(() => {
      isOver = true;
    });
    // No more than a device is given that asks for it, over all of the stop.
    while (!isOver && said.length < MOST_HISTORY) {
      said.push(`word ${said.length}`);
      await witness.say(said.at(-1) ?? '');
      await delay(20);
    }
    assert.is(await home.ended, 0);
    assert.is(await metric(other, 'minimix_occupancies'), 1);
    const seen = scene.server.features.sharedNick ? [] : [`-${user}`, `+${user}`];
    assert.equal(await witness.sees(), seen);
    assert.equal(await historyAt(at, other), said);
    assert.equal(await witness.sees(), []);
  },
);

scenario(
  'J8',
  'a room with a password has the account back after SIGKILL, although its password lies nowhere in the clear',
  async (scene) => {
    const at = await place(scene);
    const { user, redis, jid } = at;
    const room = scene.newRoom();
    const witness = await watch(scene, {
      room,
      config: { passwordprotectedroom: '1', roomsecret: 'open-sesame' },
    });
    const before = await at.start();
    const client = await device(at, before);
    await joinRoom(client, `${room}/${user}`, { password: 'open-sesame' });
    await until('both are sealed', async () => /"sealed"/.test(await redis.cli('hvals', `minimix:{${jid}}:rooms`)));
    await client.end(1000);
    await until('the device is gone', async () => (await fieldsOf(at, 'sessions')) === '');
    const stored = `${await redis.cli('hvals', `minimix:{${jid}}:rooms`)}${await redis.cli('hvals', `minimix:{${jid}}:home`)}`;
    assert.not.match(stored, 'open-sesame');
    assert.not.match(stored, at.password);
    before.child.kill('SIGKILL');
    await before.ended;
    await takenUp(await at.start());
    const seen = await witness.sees();
    assert.is(seen.at(-1), `+${user}`);
  },
);

scenario(
  'X4',
  'with another key nothing is taken up: that is counted, and said without the secret; with the right one it is',
  async (scene) => {
    const at = await place(scene);
    const home = await at.start();
    await leaveAccountBehind(at, home);
    home.child.kill('SIGKILL');
    await home.ended;
    const wrong = await at.start(['--set', `sealing.secret-key=${randomBytes(32).toString('hex')}`]);
    const refused = 'minimix_orphans_total{result="unknown-key"}';
    await until('it is told', async () => (await metric(wrong, refused)) > 0, TAKEN_MS);
    assert.is(await metric(wrong, 'minimix_occupancies'), 0);
    // What a process writes comes by a pipe, and later than what it answers.
    await until('it is said', () => wrong.log().includes('sealed with another key'));
    const right = await at.start();
    await takenUp(right);
    await isThere(at);
    for (const { log } of [home, wrong, right]) {
      assert.not.match(log(), at.password);
      assert.not.match(log(), at.key);
    }
  },
);

scenario(
  'X4',
  'a password that the server refuses by now is deleted from the store, and the rooms are given up',
  async (scene) => {
    const at = await place(scene);
    const { redis, jid, key } = at;
    const home = await at.start();
    await leaveAccountBehind(at, home);
    home.child.kill('SIGKILL');
    await home.ended;
    // As if the user had another password now.
    const seal = new Seal([Buffer.from(key, 'base64')]);
    const about = { account: jid, purpose: 'password' };
    const kept = seal.open(await deposit(at), about);
    assert.is(kept.result, 'opened');
    const said = JSON.parse(kept.result === 'opened' ? kept.text : '') as { secret: string };
    assert.is(said.secret, at.password);
    const stale = seal.seal(JSON.stringify({ ...said, secret: 'what it was before' }), about);
    await redis.cli('hset', `minimix:{${jid}}:home`, 'deposit', stale);
    const other = await at.start();
    await until('it is deleted', async () => (await deposit(at)) === '', TAKEN_MS);
    await until('the rooms are given up', async () => (await fieldsOf(at, 'rooms')) === '');
    assert.is(await metric(other, 'minimix_sealed_total{event="deleted"}'), 1);
    await until('nothing is left of it', async () => (await metric(other, 'minimix_accounts')) === 0);
  },
);

scenario(
  'X4',
  'keys are changed by SIGHUP: what is kept is sealed with the new one, and no node needs the old one',
  async (scene) => {
    const at = await place(scene);
    const { key, useKeys } = at;
    const home = await at.start();
    await leaveAccountBehind(at, home);
    const before = Seal.keyOf(await deposit(at));
    const fresh = randomBytes(32).toString('base64');
    for (const keys of [[key, fresh], [fresh, key], [fresh]]) {
      useKeys(...keys);
      const reloads = home.log().split('"reloaded"').length;
      home.child.kill('SIGHUP');
      await until('keys are read', () => home.log().split('"reloaded"').length > reloads);
      const isSo = async (): Promise<boolean> => (Seal.keyOf(await deposit(at)) === before) === (keys[0] === key);
      await until('it is sealed with the first', isSo);
    }
    home.child.kill('SIGKILL');
    await home.ended;
    await at.witness.say('in between');
    const other = await at.start();
    await takenUp(other);
    assert.equal(await historyAt(at, other), ['before', 'in between']);
    assert.not.match(home.log(), fresh);
  },
);

scenario('X4', 'what was tampered with, or sealed for another account, counts as not there', async (scene) => {
  const at = await place(scene);
  const { redis, jid, key } = at;
  const home = await at.start();
  await leaveAccountBehind(at, home);
  home.child.kill('SIGKILL');
  await home.ended;
  const text = JSON.stringify({ username: at.user, secret: at.password, host: scene.server.host, stanzaBytes: 65_000 });
  const foreign = new Seal([Buffer.from(key, 'base64')]).seal(text, { account: `x${jid}`, purpose: 'password' });
  await redis.cli('hset', `minimix:{${jid}}:home`, 'deposit', foreign);
  const other = await at.start();
  await until('it is told', async () => (await metric(other, 'minimix_sealed_total{event="broken"}')) > 0, TAKEN_MS);
  await until('the rooms are given up', async () => (await fieldsOf(at, 'rooms')) === '');
  assert.is(await deposit(at), '');
  assert.is(await metric(other, 'minimix_account_streams_opened_total'), 0);
});

scenario(
  'L3',
  'an account whose time without devices is over is not taken up, however long its node was dead',
  async (scene) => {
    const at = await place(scene);
    const home = await at.start();
    await leaveAccountBehind(at, home);
    const goneAt = Date.now();
    home.child.kill('SIGKILL');
    await home.ended;
    await until('the time is over', () => Date.now() > goneAt + 5000, 6000);
    const other = await at.start([...keyOf(at), '--set', 'linger=5s']);
    await until(
      'it is given up',
      async () => (await metric(other, 'minimix_orphans_total{result="given-up"}')) === 1,
      TAKEN_MS,
    );
    assert.is(await metric(other, 'minimix_account_streams_opened_total'), 0);
    assert.equal([await deposit(at), await fieldsOf(at, 'rooms')], ['', '']);
  },
);

function keyOf({ key }: Place): string[] {
  return ['--set', `sealing.secret-key=${key}`];
}

scenario('X4', 'without a key nothing is kept; nor is it when the account has left its last room', async (scene) => {
  const at = await place(scene);
  const { user, witness } = at;
  const open = await at.start([]);
  const client = await device(at, open);
  await joinRoom(client, `${scene.room}/${user}`);
  await until('the place is kept', async () => (await fieldsOf(at, 'rooms')) === scene.room);
  assert.is(await deposit(at), '');
  await client.end(1000);
  open.child.kill('SIGTERM');
  assert.is(await open.ended, 0);
  assert.equal((await witness.sees()).at(-1), `-${user}`);

  const sealing = await at.start([...keyOf(at), '--set', 'leave.grace=0']);
  const again = await device(at, sealing);
  await joinRoom(again, `${scene.room}/${user}`);
  await until('the password is sealed', async () => (await deposit(at)) !== '');
  await leaveRoom(again, `${scene.room}/${user}`);
  await again.end(1000);
  await until('it is deleted', async () => (await deposit(at)) === '');
});

scenario.run();
