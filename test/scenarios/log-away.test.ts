/** What is kept of a room in the store while the store is away (M6, C3): it is made up for when it is back. */
import type { RedisServer } from '../servers/index.ts';
import { type Node, shared, startNode } from './support/nodes.ts';
import { assert, createRoom, joinRoom, leaveRoom, type Scene, scenarios } from './support/scenario.ts';
import { inRoom, isStored, restart, said, speak } from './support/stored.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('log-away', { limitMs: 60_000, except: ['sameOnBoth'] });

/** A step of a log has failed at the node. */
async function hasFailed({ proxy }: Node): Promise<void> {
  await until('a step to fail', async () => {
    return /^minimix_drops_total\{reason="no-store"\} [1-9]/m.test(await proxy.app.metrics.render());
  });
}

scenario(
  'M6',
  'a private message that nobody could take while the store was away is given to the first session after a restart',
  async (scene) => {
    const { room, login } = scene;
    const redis = await shared(scene);
    const before = await startNode(scene, redis, { leave: { when: 'never' } });
    const { bob, phone } = await inRoom(scene, before);
    await leaveRoom(phone, `${room}/al`);
    before.cut(true);
    bob.send(`<message type='chat' to='${room}/al' id='kept'><body>later</body></message>`);
    await hasFailed(before);
    before.cut(false);
    await isStored(scene, redis, 1, ' kept');

    const after = await restart(scene, redis, before);
    const first = await login('alice', { through: after.proxy });
    const joined = await joinRoom(first, `${room}/al`);
    assert.is(joined.all.filter(({ id }) => id === 'kept').length, 1);
  },
);

scenario(
  'M6',
  'a session that joins while the store is away is given what that has kept when it is back, and later ones the history',
  async (scene) => {
    const { room, newRoom, login, direct } = scene;
    const redis = await shared(scene);
    const before = await startNode(scene, redis, { leave: { when: 'never' } });
    const bob = await direct('bob');
    const other = newRoom();
    for (const one of [room, other]) await createRoom(bob, `${one}/bob`);
    const phone = await login('alice', { through: before.proxy });
    await joinRoom(phone, `${room}/al`);
    await speak(bob, room, said);
    await leaveRoom(phone, `${room}/al`);
    bob.send(`<message type='chat' to='${room}/al' id='kept'><body>later</body></message>`);
    await isStored(scene, redis, said.length);
    await isStored(scene, redis, 1, ' kept');

    const after = await restart(scene, redis, before);
    const desk = await login('alice', { through: after.proxy });
    await joinRoom(desk, `${other}/al`);
    after.cut(true);
    const joined = await joinRoom(desk, `${room}/al`);
    assert.is(joined.all.filter(({ id }) => id === 'kept').length, 0);
    await speak(bob, room, ['last']);
    after.cut(false);
    const kept = await desk.pick(`<message type='chat' id='kept'><body>later</body></message>`);
    assert.ok(kept.child('delay'), kept.print());
    await isStored(scene, redis, 0, ' kept');
    const tablet = await login('alice', { through: after.proxy });
    const { history, all } = await joinRoom(tablet, `${room}/al`, { history: "maxstanzas='100'" });
    assert.equal(
      history.map((one) => one.child('body')?.text),
      [...said, 'last'],
    );
    assert.is(all.filter(({ id }) => id === 'kept').length, 0);
  },
);

/** The account leaves its room for good, having heard something there, while the store is away from its node. */
async function leaveWhileAway(scene: Scene, redis: RedisServer, node: Node): Promise<void> {
  const { room } = scene;
  const { bob, phone } = await inRoom(scene, node);
  await speak(bob, room, said.slice(0, 3));
  await isStored(scene, redis, 3);
  node.cut(true);
  await leaveRoom(phone, `${room}/al`);
  await bob.upTo(`<presence type='unavailable' from='${room}/al'/>`);
  await phone.end();
  await until('the account to be gone', () => node.proxy.app.census().occupancies === 0);
  await hasFailed(node);
}

scenario(
  'M6',
  'a room that an account leaves for good while the store is away is forgotten there when it is back',
  async (scene) => {
    const redis = await shared(scene);
    const node = await startNode(scene, redis, { linger: '0' });
    await leaveWhileAway(scene, redis, node);
    node.cut(false);
    await isStored(scene, redis, 0);
  },
);

scenario(
  'M6',
  'a room that an account leaves for good is forgotten in the store also when that was away for so long that the node is taken for dead',
  async (scene) => {
    const redis = await shared(scene);
    const node = await startNode(scene, redis, { linger: '0' });
    const other = await startNode(scene, redis);
    await leaveWhileAway(scene, redis, node);
    await until('the others to believe it dead', async () => (await other.store.nodes.alive()).length === 1);
    await isStored(scene, redis, 3);
    node.cut(false);
    await isStored(scene, redis, 0);
  },
);

scenario.run();
