/** Whether a session is inside is its own matter, though the account is (L8, L1; XEP-0410 section 3.2). */
import { assert, type Client, joinRoom, leaveRoom, type Scene, StanzaError, scenarios } from './support/scenario.ts';
import { heardOnce, watch } from './support/witness.ts';

const scenario = scenarios('self-ping', { together: 3 });

/** What a ping to the account's nick is answered with: `in`, or the condition of the error. */
async function pinged(client: Client, room: string): Promise<string> {
  try {
    const answer = await client.iq(`<iq type='get' to='${room}/al'><ping xmlns='urn:xmpp:ping'/></iq>`);
    assert.is(answer.from, `${room}/al`);
    return 'in';
  } catch (error) {
    if (error instanceof StanzaError) return error.condition ?? 'none';
    throw error;
  }
}

/** mu-conference answers strangers in its own way. */
function strangers({ server }: Scene): readonly string[] {
  return server.name === 'jabberd2' ? ['item-not-found', 'not-acceptable'] : ['not-acceptable'];
}

scenario(
  'L8',
  'a joined session is told that it is in, its siblings that have not joined or have left that they are not',
  async (scene) => {
    const { room } = scene;
    await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const phone = await scene.login('alice', { device: 'phone' });
    const isOut = async (client: Client): Promise<void> => {
      const answer = await pinged(client, room);
      assert.ok(strangers(scene).includes(answer), `it is told ${answer}`);
    };
    await joinRoom(desk, `${room}/al`);
    assert.is(await pinged(desk, room), 'in');
    await isOut(phone);
    await joinRoom(phone, `${room}/al`);
    for (const client of [desk, phone]) assert.is(await pinged(client, room), 'in');
    await leaveRoom(desk, `${room}/al`);
    await isOut(desk);
    assert.is(await pinged(phone, room), 'in');
  },
);

scenario(
  'L8',
  'a page that is loaded anew is told that it is not inside, and joins unseen',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    const page = await scene.login('alice');
    await joinRoom(desk, `${room}/al`);
    await joinRoom(page, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await page.drop();
    const again = await scene.login('alice');
    const answer = await pinged(again, room);
    assert.ok(strangers(scene).includes(answer), `it is told ${answer}`);
    await joinRoom(again, `${room}/al`);
    await desk.fence({ room });
    await heardOnce([desk, again], room, 'witness', await witness.say('hello'));
    assert.equal(await witness.sees(), []);
  },
  { except: ['sharedNick'] },
);

scenario(
  'L2',
  'a client that doubts leaves and joins again at once: it is answered in full, and nobody sees it',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    await leaveRoom(desk, `${room}/al`);
    const { occupants, nick } = await joinRoom(desk, `${room}/al`);
    assert.equal([nick, ...occupants.map(({ from }) => from)], ['al', `${room}/witness`]);
    assert.is(await pinged(desk, room), 'in');
    await heardOnce([desk], room, 'witness', await witness.say('hello'));
    assert.equal(await witness.sees(), []);
  },
);

scenario.run();
