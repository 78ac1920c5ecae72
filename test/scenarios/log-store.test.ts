/** The stanza log outlives the process where the store does (M6, C2): after a restart, and when another node takes over. */
import { kill, shared, startNode } from './support/nodes.ts';
import { assert, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { hasTakenOver, historyAt, inRoom, isStored, keyOf, restart, said, speak } from './support/stored.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('log-store', { limitMs: 60_000, together: 3, except: ['sameOnBoth'] });

scenario(
  'M6',
  'after a restart a device is given what was heard before, once, and nothing that was taken back',
  async (scene) => {
    const { room } = scene;
    const redis = await shared(scene);
    const before = await startNode(scene, redis);
    const { bob, phone } = await inRoom(scene, before);
    await speak(bob, room, ['my secret', ...said]);
    const secret = sayInRoom(bob, room, 'another secret');
    await bob.upTo(`<message type='groupchat' id='${secret}'/>`);
    await isStored(scene, redis, 32);
    const retract = `<retract xmlns='urn:xmpp:message-retract:1' id='${secret}'/>`;
    bob.send(`<message type='groupchat' to='${room}' id='r'><body>took it back</body>${retract}</message>`);
    await phone.upTo(`<message type='groupchat' id='r'/>`);
    await isStored(scene, redis, 33);
    const kept = await redis.cli('lrange', await keyOf(scene), '0', '-1');
    assert.not.match(kept, 'another secret');

    const after = await restart(scene, redis, before);
    assert.equal(await historyAt(after, scene), ['my secret', ...said, undefined, 'took it back']);
    await speak(bob, room, ['later']);
    await isStored(scene, redis, 34);
    assert.equal((await historyAt(after, scene)).slice(-2), ['took it back', 'later']);
  },
);

scenario(
  'M6',
  'a node that takes a killed home’s place knows what that has heard, although its own sessions do not',
  async (scene) => {
    const { room, login } = scene;
    const redis = await shared(scene);
    const home = await startNode(scene, redis);
    const other = await startNode(scene, redis);
    const { bob, phone } = await inRoom(scene, home);
    await speak(bob, room, said);
    await isStored(scene, redis, said.length);
    const desk = await login('alice', { through: other.proxy });
    await joinRoom(desk, `${room}/al`, { history: "maxstanzas='0'" });
    await speak(bob, room, ['last']);
    await desk.upTo(`<message type='groupchat' from='${room}/bob'><body>last</body></message>`);
    await isStored(scene, redis, said.length + 1);
    await kill(home, [phone]);
    await hasTakenOver(other);
    assert.equal(await historyAt(other, scene), [...said, 'last']);
    assert.equal(
      (await desk.fence({ room })).filter(({ name }) => name === 'message'),
      [],
    );
  },
  { except: ['sharedNick'] },
);

scenario(
  'C2',
  'what a device has said by way of a home that is killed before it could tell is said once, and shown to it, however much it was',
  async (scene) => {
    const { room, login } = scene;
    const redis = await shared(scene);
    const home = await startNode(scene, redis);
    const other = await startNode(scene, redis);
    const { bob, phone } = await inRoom(scene, home);
    const desk = await login('alice', { through: other.proxy });
    await joinRoom(desk, `${room}/al`);
    await speak(bob, room, ['before']);
    await desk.upTo(`<message type='groupchat'><body>before</body></message>`);
    other.deafen();
    const ids = said.map((text) => sayInRoom(desk, room, text));
    const heard = await bob.upTo(`<message type='groupchat' id='${ids.at(-1)}'/>`);
    await isStored(scene, redis, said.length + 1);
    await kill(home, [phone]);
    await hasTakenOver(other);
    const last = sayInRoom(desk, room, 'last');
    const told = await desk.upTo(`<message type='groupchat' id='${last}'/>`);
    heard.push(...(await bob.upTo(`<message type='groupchat' id='${last}'/>`)));
    for (const all of [told, heard]) {
      const messages = all.filter(({ name, type }) => name === 'message' && type === 'groupchat');
      assert.equal(
        messages.map(({ id }) => id),
        [...ids, last],
      );
    }
  },
  { except: ['sharedNick'] },
);

scenario(
  'M7',
  'what was taken back while nobody heard the room is given to no device, though the store had it',
  async (scene) => {
    const { room } = scene;
    const redis = await shared(scene);
    const before = await startNode(scene, redis);
    const { bob } = await inRoom(scene, before);
    const secret = sayInRoom(bob, room, 'my secret');
    const heard = (await bob.upTo(`<message type='groupchat' id='${secret}'/>`)).at(-1);
    const name = heard?.child('stanza-id', 'urn:xmpp:sid:0')?.attrs.id ?? secret;
    await speak(bob, room, said);
    await isStored(scene, redis, said.length + 1);
    await before.proxy.stop();
    const retract = `<retract xmlns='urn:xmpp:message-retract:1' id='${name}'/>`;
    bob.send(`<message type='groupchat' to='${room}' id='r'><body>took it back</body>${retract}</message>`);
    await bob.upTo(`<message type='groupchat' id='r'/>`);

    const after = await startNode(scene, redis);
    assert.equal(await historyAt(after, scene), [undefined, ...said, 'took it back']);
    await until('the store to have forgotten it', async () => {
      return !(await redis.cli('lrange', await keyOf(scene), '0', '-1')).includes('my secret');
    });
  },
  { except: ['occupantIds'] },
);

scenario(
  'M6',
  'a private message that nobody could take before a restart is given to the first session after it, and to no other',
  async (scene) => {
    const { room, login } = scene;
    const redis = await shared(scene);
    const before = await startNode(scene, redis, { leave: { when: 'never' } });
    const { bob, phone } = await inRoom(scene, before);
    await leaveRoom(phone, `${room}/al`);
    const sentAt = Date.now();
    bob.send(`<message type='chat' to='${room}/al' id='kept'><body>later</body></message>`);
    const key = await keyOf(scene, ' kept');
    await until('the message to be kept', async () => Number(await redis.cli('llen', key)) === 1);

    const after = await restart(scene, redis, before);
    const [first, second] = [
      await login('alice', { through: after.proxy }),
      await login('alice', { through: after.proxy }),
    ];
    const kept = (await joinRoom(first, `${room}/al`)).all.filter(({ id }) => id === 'kept');
    assert.equal(
      kept.map((one) => one.child('body')?.text),
      ['later'],
    );
    const stamp = Date.parse(kept[0]?.child('delay')?.attrs.stamp ?? '');
    assert.ok(Math.abs(stamp - sentAt) < 5_000, kept[0]?.print());
    assert.is((await joinRoom(second, `${room}/al`)).all.filter(({ id }) => id === 'kept').length, 0);
    await until('the store to be empty', async () => Number(await redis.cli('llen', key)) === 0);
  },
);

scenario('M6', 'a room that the account leaves is forgotten in the store too', async (scene) => {
  const { room } = scene;
  const redis = await shared(scene);
  const node = await startNode(scene, redis);
  const { bob, phone } = await inRoom(scene, node);
  await speak(bob, room, said.slice(0, 3));
  await isStored(scene, redis, 3);
  assert.ok(Number(await redis.cli('pttl', await keyOf(scene))) > 6 * 86_400_000);
  await leaveRoom(phone, `${room}/al`);
  await isStored(scene, redis, 0);
});

scenario.run();
