/**
 * What a client says behind its join and goes at once (J7), while its node does not know yet where the account is at home, or the home is
 * another node: by which stream the account will join is not known then, and the client's own is not to be ended before.
 */
import { type Node, nodes } from './support/nodes.ts';
import { assert, type Client, joinPresence, type Scene, scenarios } from './support/scenario.ts';
import { said, until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('nodes-farewell', { limitMs: 60_000, except: ['sameOnBoth'] });

const ends = {
  'the end of its stream': (client: Client): Promise<unknown> => client.end(),
  // What was sent last is not lost with it: the server has answered what came behind.
  'the end of its connection': async (client: Client): Promise<unknown> => {
    await client.ping();
    return client.drop();
  },
};

/** The node's session has ended for its client. */
function isOver({ proxy }: Node): boolean {
  return proxy.log.some((line) => line.includes('session over'));
}

/** Joins, speaks three times and is gone, without waiting for anything. */
async function speakAndGo({ room }: Scene, client: Client, go: (client: Client) => Promise<unknown>): Promise<void> {
  client.send(joinPresence(`${room}/al`));
  for (const word of [1, 2, 3]) {
    client.send(`<message type='groupchat' id='word${word}' to='${room}'><body>${word}</body></message>`);
  }
  await go(client);
}

/** The room has heard it, after the account had come. */
async function isHeard({ room }: Scene, witness: Witness): Promise<void> {
  const seen = await witness.client.upTo(said(room, 'al', 'word3'), { limitMs: 15_000 });
  const words = seen.filter((one) => one.type === 'groupchat' && one.from === `${room}/al`).map(({ id }) => id);
  assert.equal(words, ['word1', 'word2', 'word3']);
  assert.is(seen.find((one) => one.name === 'presence' && one.from === `${room}/al`)?.type, undefined);
}

for (const [how, go] of Object.entries(ends)) {
  scenario(
    'J7',
    `what is said behind a join reaches the room after ${how}, with the home not found yet`,
    async (scene) => {
      const witness = await watch(scene);
      const [node] = await nodes(scene, 1);
      if (!node) throw new Error('no node');
      node.cut(true);
      const client = await scene.login('al', { through: node.proxy });
      await speakAndGo(scene, client, go);
      // The node has heard all of it, and cannot find out.
      await until('the client is gone', () => isOver(node));
      node.cut(false);
      await isHeard(scene, witness);
      if (scene.carrier === 'borrowed') {
        await until('the room has seen the account leave', async () => (await witness.sees()).at(-1) === '-al');
      }
      await until(
        'nothing is left of it',
        () => node.proxy.app.census().legs === (scene.carrier === 'account' ? 1 : 0),
      );
    },
  );
}

scenario(
  'J7',
  'what is said behind a join reaches the room after the end of its stream, with the home on another node',
  async (scene) => {
    const witness = await watch(scene);
    const [first, second] = await nodes(scene, 2);
    if (!first || !second) throw new Error('no nodes');
    const other = await scene.login('al', { device: 'other', through: first.proxy });
    const client = await scene.login('al', { device: 'desk', through: second.proxy });
    await speakAndGo(scene, client, ends['the end of its stream']);
    await isHeard(scene, witness);
    assert.ok(isOver(second));
    await other.fence();
  },
);

scenario.run();
