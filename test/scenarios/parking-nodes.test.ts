/** Parked streams where several nodes serve an account: the next session may be on any of them. */
import { kill, type Node, nodes } from './support/nodes.ts';
import { assert, type Client, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { heardOnce, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('parking-nodes', { limitMs: 60_000, except: ['passwordKnown', 'sameOnBoth'] });

scenario(
  'C1',
  'a session on another node takes the rooms of a parked stream over unseen, and is given what was written to it',
  async (scene) => {
    const { room } = scene;
    const { first, second, desk, witness } = await parkedOnFirst(scene);
    const friend = await scene.direct('friend', { device: 'friend' });
    friend.send(`<message type='chat' to='${desk.jid}' id='full'><body>to the device</body></message>`);
    await friend.iqError(`<iq type='get' to='${desk.jid}'><query xmlns='jabber:iq:version'/></iq>`);
    const missed = await witness.say('gone?');
    const back = await scene.login('alice', { device: 'desk', through: second.proxy });
    await back.pick(`<message type='chat' from='${friend.jid}' id='full' to='${back.jid}'/>`);
    await until('nothing is parked', () => first.proxy.app.census().parked === 0);
    const joined = await joinRoom(back, `${room}/al`);
    assert.equal(
      joined.history.map(({ id }) => id),
      [missed],
    );
    await heardOnce([back], room, 'witness', await witness.say('there'));
    await until('the first node has nothing of it', () => first.proxy.app.census().legs === 0);
    assert.equal(await witness.sees(), ['+al']);
  },
  { except: ['sharedNick'] },
);

scenario(
  'C4',
  'a node that stops ends its parked streams: the account leaves, and comes back by another node',
  async (scene) => {
    const { room } = scene;
    const { first, second, witness } = await parkedOnFirst(scene);
    await first.proxy.app.stop();
    await until('the room has seen the account leave', async () => (await witness.sees()).includes('-al'));
    const back = await scene.login('alice', { device: 'desk', through: second.proxy });
    await joinRoom(back, `${room}/al`);
    await heardOnce([back], room, 'witness', await witness.say('there'));
    assert.equal(await witness.sees(), ['+al']);
  },
);

scenario(
  'M6',
  'what was written to a parked stream outlives its node, and is given to the next session on another, once',
  async (scene) => {
    const { first, second, desk } = await parkedOnFirst(scene);
    const friend = await scene.direct('friend', { device: 'friend' });
    friend.send(`<message type='chat' to='${desk.jid}' id='full'><body>to the device</body></message>`);
    await friend.iqError(`<iq type='get' to='${desk.jid}'><query xmlns='jabber:iq:version'/></iq>`);
    await lettersAre(1, desk, second);
    await kill(first, []);
    const back = await scene.login('alice', { device: 'phone', through: second.proxy });
    const late = await back.pick(`<message type='chat' from='${friend.jid}' id='full' to='${back.jid}'/>`, {
      limitMs: 15_000,
    });
    assert.ok(late.child('delay', 'urn:xmpp:delay'));
    await lettersAre(0, desk, second);
    const again = (await back.fence()).filter(({ id }) => id === 'full');
    assert.equal(again.map(String), []);
  },
);

/** So many letters to the account lie in the store. */
function lettersAre(count: number, { bareJid }: Client, { store }: Node): Promise<void> {
  return until(`${count} letters lie in the store`, async () => {
    return (await store.logs.read(bareJid, ' letters')).length === count;
  });
}

interface Parked {
  readonly first: Node;
  readonly second: Node;
  readonly desk: Client;
  readonly witness: Witness;
}

/** Alice's only device was on the first of two nodes. */
async function parkedOnFirst(scene: Scene): Promise<Parked> {
  const witness = await watch(scene);
  const [first, second] = (await nodes(scene, 2)) as [Node, Node];
  const desk = await scene.login('alice', { device: 'desk', through: first.proxy });
  await joinRoom(desk, `${scene.room}/al`);
  await desk.drop();
  await until('its stream is parked', () => first.proxy.app.census().parked === 1);
  return { first, second, desk, witness };
}

scenario.run();
