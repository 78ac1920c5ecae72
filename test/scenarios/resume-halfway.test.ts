/**
 * Connections that break between a request of stream management and its answer (S9): the server has enabled or resumed, and
 * nobody else knows. Nothing hangs, nothing is lost, siblings and rooms do not notice, and nothing is left over.
 */
import { type Breakable, breakable } from './support/breakable.ts';
import { type Device, openDevice } from './support/device.ts';
import { assert, type Client, converse, joinRoom, leaveRoom, ns, type Scene, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-halfway', { limitMs: 60_000 });
const except = ['streamManagement'] as const;
const config = { linger: '0', leave: { grace: '0' } };

/** A proxy whose way to the server can be broken. */
async function stage(scene: Scene) {
  const way = await breakable(scene.server.ports.plain);
  scene.after(() => way.stop());
  const through = await scene.startProxy({}, { access: 'tcp', upstream: way.upstream });
  return { way, through, census: () => through.app.census() };
}

/** Which connection breaks: the client's, behind which the server's answer is still on its way, or the server's. */
const ways = ['client', 'server'] as const;

/** The server has answered this on the connection, and goes on saying what nobody hears. */
function answered(way: Breakable, connection: number, answer: string): Promise<void> {
  return until(`the server has said ${answer}`, () => way.said(connection).down.includes(`<${answer}`));
}

for (const broken of ways) {
  scenario(
    'S9',
    `the ${broken}'s connection breaks between <enable/> and <enabled/>: the device logs in anew, its sibling notices nothing`,
    async (scene) => {
      const { room } = scene;
      const { way, through, census } = await stage(scene);
      const witness = await watch(scene);
      const phone = await scene.login('al', { device: 'phone', through });
      const own = way.made - 1;
      await joinRoom(phone, `${room}/al`);
      const desk = await scene.login('al', { device: 'desk', through });
      await joinRoom(desk, `${room}/al`);
      assert.equal(await witness.sees(), ['+al']);
      way.stall(own);
      phone.stream.send(`<enable xmlns='${ns.sm}' resume='true'/>`);
      await answered(way, own, 'enabled');
      const { legs } = census();
      if (broken === 'client') {
        await phone.drop();
        await until('the proxy knows it', () => census().legs < legs);
      }
      way.break(own);
      await phone.closed;
      assert.not.ok(phone.sm, 'it was not told');
      await until('the session is over', () => census().sessions === 1);
      const first = await witness.say('without the phone');
      await desk.pick(said(room, 'witness', first));
      // The server keeps the old session: the new one takes its resource, and its place is not seen to go.
      const again = await scene.login('al', { device: 'phone', through });
      await joinRoom(again, `${room}/al`, { history: "maxstanzas='0'" });
      const second = await witness.say('with it');
      for (const client of [again, desk]) {
        await client.pick(said(room, 'witness', second, client.jid));
        // Its own presence as the room shows it, now without the old session.
        await client.expectNothing({ room, except: [`<presence from='${room}/al'/>`] });
      }
      assert.equal(await witness.sees(), []);
      await nothingIsLeft([again, desk], room, census);
      assert.equal(await witness.sees(), ['-al']);
    },
    { except, config },
  );

  scenario(
    'S9',
    `the ${broken}'s connection breaks between <resume/> and <resumed/>: another resumption has everything, once`,
    async (scene) => {
      const { room } = scene;
      const { way, through, census } = await stage(scene);
      const target = through.target(scene.transport);
      const witness = await watch(scene);
      const bob = await scene.direct('bob');
      const phone = await openDevice(scene, 'al', { through });
      await joinRoom(phone.client, `${room}/al`);
      const desk = await scene.login('al', { device: 'desk', through });
      await joinRoom(desk, `${room}/al`);
      await witness.sees();
      const spoken: string[] = [];
      const written: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        await phone.cut();
        spoken.push(await witness.say(`asleep ${round}`));
        written.push(await write(bob, phone, round));
        const half = await halfResumed(scene, phone, target);
        const connection = way.made - 1;
        way.stall(connection);
        half.stream.send(`<resume xmlns='${ns.sm}' previd='${phone.client.sm?.id}' h='${phone.client.sm?.inbound}'/>`);
        await answered(way, connection, 'resumed');
        if (broken === 'client') await half.drop();
        else way.break(connection);
        await half.closed;
        assert.equal(half.stream.inbox.pending.map(String), [], 'it was told nothing');
        spoken.push(await witness.say(`half awake ${round}`));
        await phone.resume({ target });
        await phone.client.pick(`<message type='chat' id='chat${round}'/>`);
        const id = await witness.say(`awake ${round}`);
        spoken.push(id);
        for (const client of [phone.client, desk]) await client.pick(said(room, 'witness', id));
      }
      await phone.client.fence({ room });
      assert.equal(ids(phone, 'groupchat'), spoken);
      assert.equal(ids(phone, 'chat'), written);
      assert.equal(await witness.sees(), []);
      await nothingIsLeft([phone.client, desk], room, census);
      assert.equal(await witness.sees(), ['-al']);
    },
    { except, config },
  );
}

/** A stream on which the device has authenticated, and bound nothing. */
async function halfResumed(scene: Scene, { jid }: Device, target: Parameters<typeof converse>[0]): Promise<Client> {
  const user = jid.slice(0, jid.indexOf('@'));
  const { mechanism } = scene;
  return scene.adopt(await converse(target, `${user}/half`, (client) => client.authenticate({ user, mechanism })));
}

async function write(bob: Client, { jid }: Device, round: number): Promise<string> {
  bob.send(`<message type='chat' id='chat${round}' to='${jid}'><body>${round}</body></message>`);
  await bob.fence();
  return `chat${round}`;
}

/** Ids of what was said with a body, in the order of its coming. */
function ids(device: Device, type: string): (string | undefined)[] {
  return device.messages((one) => one.type === type && one.child('body') !== undefined).map(({ id }) => id);
}

/** The clients leave and log out: the proxy holds nothing more. */
async function nothingIsLeft(clients: readonly Client[], room: string, census: () => object): Promise<void> {
  for (const client of clients) await leaveRoom(client, `${room}/al`);
  for (const client of clients) await client.end();
  await until(`nothing is left: ${JSON.stringify(census())}`, () =>
    Object.values(census()).every((count) => count === 0),
  );
}

scenario.run();
