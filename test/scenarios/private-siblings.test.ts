/** Private messages, and devices that are not there, or not in the room (M3, S9). */
import { asWithoutProxy } from './support/compare.ts';
import { type Device, openDevice } from './support/device.ts';
import { assert, type Client, type Element, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { until, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('private-siblings', { together: 3 });

const carbons = 'urn:xmpp:carbons:2';

const pm = (to: string, id: string, inner = '') =>
  `<message type='chat' to='${to}' id='${id}'><body>${id}</body>${inner}</message>`;

scenario(
  'M3',
  'a device outside the room hears of private messages what it hears without the proxy',
  async (scene) => {
    await asWithoutProxy(
      scene,
      async ({ actor, room, person, step }) => {
        const bob = await person('bob');
        await step('one comes', async () => bob.send(pm(`${room}/al`, 'play-in')));
        await step('one goes', async () => actor.send(pm(`${room}/bob`, 'play-out')));
        await step('one that is to stay here', async () =>
          actor.send(
            pm(`${room}/bob`, 'play-private', `<private xmlns='${carbons}'/><no-copy xmlns='urn:xmpp:hints'/>`),
          ),
        );
        await step('one to nobody', async () => actor.send(pm(`${room}/nobody`, 'play-lost')));
        await step('somebody writes', async () =>
          bob.send(
            `<message type='chat' to='${room}/al' id='play-writes'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
          ),
        );
        await step('one to all', async () =>
          bob.send(`<message type='groupchat' to='${room}' id='play-all'><body>hear</body></message>`),
        );
      },
      { hasOutsider: true },
    );
  },
  { except: ['carbons'] },
);

interface Cast {
  witness: Witness;
  desk: Client;
  phone: Device;
}

/** Two devices inside, with carbons where the server has them; the phone can resume. */
async function cast(scene: Scene): Promise<Cast> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await openDevice(scene, 'alice', { device: 'phone' });
  for (const client of [desk, phone.client]) {
    if (scene.server.features.carbons) await client.iq(`<iq type='set'><enable xmlns='${carbons}'/></iq>`);
    await joinRoom(client, `${scene.room}/al`);
  }
  await witness.sees();
  return { witness, desk, phone };
}

/** What the device has heard of the message with this id, itself or as a carbon. */
function copies(device: Device, id: string): { plain: Element[]; sent: Element[] } {
  const plain = device.messages((one) => one.id === id);
  const sent = device.messages((one) => one.at('sent', 'forwarded', 'message')?.id === id);
  return { plain, sent };
}

scenario(
  'M3',
  'private messages that come and go while a sibling sleeps are there once when it resumes, and so are errors to its own',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await cast(scene);
    phone.client.send(pm(`${room}/nobody`, 'lost'));
    await phone.client.stream.inbox.wait(5_000, 'the error', (there) => there.find((one) => one.id === 'lost'));
    await desk.fence({ room });
    await phone.cut();
    witness.client.send(pm(`${room}/al`, 'in'));
    await desk.pick(`<message type='chat' from='${room}/witness' id='in'/>`);
    desk.send(pm(`${room}/witness`, 'out'));
    await witness.client.pick(`<message type='chat' from='${room}/al' id='out'/>`);
    await phone.resume();
    const carbonsOut = scene.server.features.carbons ? 1 : 0;
    const heard = () => copies(phone, 'in').plain.length + copies(phone, 'out').sent.length;
    await until('the phone has what came and went', () => heard() >= 1 + carbonsOut);
    await phone.client.fence({ room });
    for (const [id, plain, sent] of [
      ['in', 1, 0],
      ['out', 0, carbonsOut],
      ['lost', 1, 0],
    ] as const) {
      const { length } = copies(phone, id).plain;
      assert.equal([id, length, copies(phone, id).sent.length], [id, plain, sent]);
    }
    for (const carbon of copies(phone, 'out').sent) {
      assert.equal([carbon.from, carbon.at('sent', 'forwarded', 'message')?.from], [desk.bareJid, desk.jid]);
    }
    await desk.expectNothing({ room });
  },
);

scenario(
  'M3',
  'either mark keeps a private message from siblings as it does without the proxy, and the room gets it',
  async (scene) => {
    const { room } = scene;
    const { witness, desk, phone } = await cast(scene);
    const marks = { private: `<private xmlns='${carbons}'/>`, 'no-copy': `<no-copy xmlns='urn:xmpp:hints'/>` };
    for (const [id, mark] of Object.entries(marks)) {
      desk.send(pm(`${room}/witness`, id, mark));
      await witness.client.expect(`<message type='chat' from='${room}/al' id='${id}'/>`);
      await phone.client.expectNothing({ room });
    }
    desk.send(pm(`${room}/witness`, 'open'));
    await witness.client.expect(`<message type='chat' from='${room}/al' id='open'/>`);
    await phone.client.expect(`<message type='chat' from='${desk.bareJid}'><sent xmlns='${carbons}'/></message>`);
    await phone.client.expectNothing({ room });
  },
  { except: ['carbons', 'streamManagement'] },
);

scenario.run();
