/**
 * kill -9 of the program at each step of a conversation (S9): its sessions cannot be resumed, as what was kept for them is gone.
 * Clients begin anew and send again what was not acknowledged; nothing that was is lost, in either direction.
 */
import { type Device, managed, record } from './support/device.ts';
import { type Program, startProgram } from './support/program.ts';
import {
  assert,
  type Client,
  type Element,
  joinPresence,
  joinRoom,
  login,
  ns,
  type Scene,
  sayInRoom,
  scenarios,
} from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-killed', { limitMs: 150_000, except: ['sameOnBoth'] });

/** Ids of messages with a body, in the order of their coming. */
function ids(all: readonly Element[], type: string, sender: string): string[] {
  const isWanted = (one: Element): boolean =>
    one.name === 'message' && one.type === type && one.from?.startsWith(sender) === true && !!one.child('body');
  return all.filter(isWanted).map(({ id }) => id ?? '');
}

/** The phone at a program that has just been started. */
async function begin(scene: Scene, { ports }: Program): Promise<Device> {
  const jid = await scene.jid('al');
  const user = { user: jid.slice(0, jid.indexOf('@')), mechanism: scene.mechanism, resource: 'phone' };
  const phone = await managed(scene, scene.adopt(await login({ access: 'tcp', port: ports.tcp }, user)));
  // What the server has kept comes now.
  await phone.client.available();
  return phone;
}

interface Talk {
  readonly phone: Device;
  readonly bob: Client;
  readonly room: string;
  /** What the phone has said, to whom. */
  readonly toBob: string[];
  readonly toRoom: string[];
}

function speak({ phone: { client }, bob, room, toBob, toRoom }: Talk): void {
  const id = client.id();
  client.send(`<message to='${bob.jid}' type='chat' id='${id}'><body>from the phone</body></message>`);
  toBob.push(id);
  toRoom.push(sayInRoom(client, room, 'from the phone'));
}

/** All that it has sent is acknowledged. */
async function acknowledged({ client, unacknowledged }: Device): Promise<void> {
  client.send(`<r xmlns='${ns.sm}'/>`);
  await until('all is acknowledged', () => unacknowledged.length === 0);
}

/** What goes on when the program is killed. */
const moments: Readonly<Record<string, (talk: Talk, say: (body: string) => Promise<string>) => Promise<void>>> = {
  'all is acknowledged': async (talk) => {
    speak(talk);
    await acknowledged(talk.phone);
  },
  'it speaks': async (talk) => {
    for (let count = 0; count < 5; count += 1) speak(talk);
  },
  'it has not heard': async ({ phone }, say) => {
    phone.client.stream.pause();
    for (let count = 0; count < 3; count += 1) await say('not heard');
  },
  'it sleeps': async ({ phone }, say) => {
    await phone.cut();
    await say('asleep');
  },
  'it joins again': async ({ phone, room }) => {
    phone.client.send(joinPresence(`${room}/al`));
  },
};

scenario(
  'S9',
  'the program is killed at any step of a conversation: nothing that was acknowledged is lost, nothing comes twice but what was sent again',
  async (scene) => {
    const { room, server } = scene;
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const [shown, byBob] = [record(witness.client), record(bob)];
    const [toBob, toRoom, fromBob, heard, chats]: string[][] = [[], [], [], [], []];
    const again = new Set<string>();
    const lists = { toBob: toBob as string[], toRoom: toRoom as string[] };
    let left: string[] = [];
    let program = await startProgram(scene, server.upstream());
    for (const [moment, happens] of [...Object.entries(moments), ['the end', async () => {}] as const]) {
      const phone = await begin(scene, program);
      await joinRoom(phone.client, `${room}/al`);
      for (const xml of left.splice(0)) {
        const id = / id='([^']*)'/.exec(xml)?.[1];
        if (!xml.startsWith('<message') || id === undefined) continue;
        again.add(id);
        phone.client.send(xml);
      }
      const first = await witness.say(`before ${moment}`);
      await phone.client.pick(said(room, 'witness', first));
      await happens({ phone, bob, room, ...lists }, (body) => witness.say(body));
      if (moment === 'the end') await acknowledged(phone);
      else {
        program.child.kill('SIGKILL');
        await program.ended;
        await phone.client.drop();
        left = [...phone.unacknowledged];
        await witness.say(`after ${moment}`);
        // ejabberd leaves what it could not deliver to its archive alone, jabberd2 has lost it: with the proxy or without.
        if (server.name === 'prosody') {
          const id = bob.id();
          bob.send(`<message to='${await scene.jid('al')}' type='chat' id='${id}'><body>meanwhile</body></message>`);
          fromBob?.push(id);
          await bob.fence();
        }
        program = await startProgram(scene, server.upstream());
      }
      heard?.push(...ids(phone.heard, 'groupchat', room));
      chats?.push(...ids(phone.heard, 'chat', bob.jid));
    }
    await bob.fence();
    await witness.client.fence({ room });
    const missing = (from: readonly string[] = [], what: readonly string[] = []) =>
      what.filter((id) => !from.includes(id));
    assert.equal(missing(heard, ids(shown, 'groupchat', room)), [], "the room's messages");
    const bounced = byBob.filter(({ type }) => type === 'error').map(({ id }) => id ?? '');
    assert.equal(missing([...(chats ?? []), ...bounced], fromBob), [], "the contact's messages, or an error for them");
    const account = await scene.jid('al');
    for (const [what, came] of [
      [lists.toBob, ids(byBob, 'chat', account)],
      [lists.toRoom, ids(shown, 'groupchat', `${room}/al`)],
    ] as const) {
      assert.equal(missing(came, what), [], 'what the phone has said has come');
      const twice = came.filter((id, index) => came.indexOf(id) !== index);
      assert.equal(missing([...again], twice), [], 'twice only what it had to send again');
    }
    assert.ok(again.size > 0, 'something was not acknowledged');
  },
);

scenario.run();
