/** The servers of the tests start, come back with what they knew, and leave nothing behind. */
import { existsSync } from 'node:fs';
import { createClient } from 'redis';
import { connect, login } from '../support/client.ts';
import { createRoom, joinRoom } from '../support/room.ts';
import { assert, suite } from '../support/suite.ts';
import { serverNames, startRedis, startServer } from './index.ts';
import { ensurePackages } from './install.ts';

const test = suite('servers', { limitMs: 60_000 });

for (const name of serverNames) {
  test(`${name} keeps accounts and its ports over a restart and a crash, and is gone when stopped`, async ({
    after,
  }) => {
    const started = Date.now();
    const server = await startServer(name, { numberedUsers: 20, passwordFormat: 'plain' });
    after(() => server.stop());
    assert.ok(Date.now() - started < 6_000, `start-up took ${Date.now() - started} ms`);
    const target = { access: 'tcp', port: server.ports.plain } as const;
    await server.addUser('late-er', 'it is secret');
    for (const isAbrupt of [false, true]) {
      const client = await login(target, { user: 'user20' });
      await server.halt(isAbrupt);
      await client.closed;
      assert.instance(await connect(target).catch((error) => error), Error);
      await server.restart();
      const again = await login(target, { user: 'late-er', password: 'it is secret', presence: 0 });
      await createRoom(again, `r${isAbrupt}@${server.mucDomain}/me`);
      await again.end();
    }
    const pids = [...server.pids];
    assert.ok(pids.every(isAlive));
    await server.stop();
    assert.not.ok(pids.some(isAlive));
    assert.not.ok(existsSync(server.folder));
  });

  test(`two of ${name} run beside one another and do not know each other's rooms`, async ({ after }) => {
    const pair = await Promise.all([startServer(name), startServer(name)]);
    after(() => Promise.all(pair.map((server) => server.stop())));
    for (const server of pair) {
      const client = await login(
        { access: 'ws', port: server.ports.ws, path: server.wsPath },
        { user: 'alice', presence: 0 },
      );
      const room = `twin@${server.mucDomain}`;
      assert.ok((await createRoom(client, `${room}/al`)).self.codes.includes(201));
      const joined = await joinRoom(await login(client.stream.target, { user: 'bob', presence: 0 }), `${room}/bo`);
      assert.is(joined.occupants.length, 1);
    }
  });
}

test('Redis keeps what it must over a restart, can be paused, and is gone when stopped', async ({ after }) => {
  const redis = await startRedis({ extra: ['appendonly yes', 'appendfsync always'], password: 'secret' });
  after(() => redis.stop());
  const client = createClient({ url: redis.url });
  client.on('error', () => {});
  await client.connect();
  after(() => client.destroy());
  await client.set('key', 'value');
  await redis.halt(true);
  await redis.restart();
  redis.pause();
  const waiting = client.get('key');
  const early = await Promise.race([waiting, new Promise((resolve) => setTimeout(() => resolve('paused'), 100))]);
  assert.is(early, 'paused');
  redis.resume();
  assert.is(await waiting, 'value');
  const { pid } = redis;
  await redis.stop();
  assert.not.ok(isAlive(pid));
  assert.not.ok(existsSync(redis.folder));
});

test('a package that cannot be had is an error that names it', () => {
  ensurePackages(['openssl'], false);
  const named = /^missing Debian packages: no-such-package\. .*apt-get install .*no-such-package$/;
  assert.throws(() => ensurePackages(['openssl', 'no-such-package'], false), named);
});

test.run();

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
