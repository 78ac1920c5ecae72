/** Rooms that ask a question before they let somebody in (XEP-0158, XEP-0045 section 7.2.15), and devices that answer it (J8). */
import { assert, type Client, createRoom, joinPresence, joinRoom, ns, scenarios } from './support/scenario.ts';
import { untilSettled } from './support/witness.ts';

const scenario = scenarios('captcha', { together: 3, except: ['captcha'] });

const captcha = 'urn:xmpp:captcha';

/** Bob's room, which asks whoever comes. */
async function createAsking(bob: Client, room: string): Promise<void> {
  await createRoom(bob, `${room}/bob`);
  const fields = `<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='captcha_protected'><value>1</value></field>`;
  const form = `<x xmlns='${ns.data}' type='submit'>${fields}</x>`;
  await bob.iq(`<iq type='set' to='${room}'><query xmlns='${ns.mucOwner}'>${form}</query></iq>`);
  await bob.fence({ room });
}

interface Question {
  /** What the room knows it by. */
  id: string;
  /** The answer, which the picture of this server holds. */
  answer: string;
}

/** The room's question to this device, which it gets under its own address. */
async function asked(client: Client, room: string): Promise<Question> {
  const message = await client.pick(
    `<message from='${room}' to='${client.jid}' id='{any}'><captcha xmlns='${captcha}'><x xmlns='${ns.data}' type='form'/></captcha></message>`,
  );
  const picture = Buffer.from(message.child('data', 'urn:xmpp:bob')?.text ?? '', 'base64').toString('latin1');
  const fields = message.at('captcha', 'x')?.elements ?? [];
  const challenge = fields.find((one) => one.attrs.var === 'challenge')?.child('value')?.text ?? '';
  return { id: challenge, answer: picture.slice(8) };
}

function answer({ id, answer }: Question, room: string): string {
  const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`;
  const fields = [
    field('FORM_TYPE', captcha),
    field('from', room),
    field('challenge', id),
    field('sid', ''),
    field('ocr', answer),
  ];
  return `<iq type='set' to='${room}'><captcha xmlns='${captcha}'><x xmlns='${ns.data}' type='submit'>${fields.join('')}</x></captcha></iq>`;
}

scenario(
  'J8',
  'a device whose sibling’s stream carries answers the question of a room, and later ones are not asked',
  async (scene) => {
    const { room } = scene;
    const bob = await scene.direct('bob');
    await createAsking(bob, room);
    // Who joins first has the carrier, where that is borrowed.
    const desk = await scene.login('alice', { device: 'desk' });
    const other = scene.newRoom();
    await createRoom(desk, `${other}/al`);
    const phone = await scene.login('alice', { device: 'phone' });
    const id = phone.id();
    phone.send(joinPresence(`${room}/al`, { id }));
    const question = await asked(phone, room);
    await desk.expectNothing();
    await bob.expectNothing({ room });
    await phone.iq(answer(question, room));
    await phone.pick(
      `<presence from='${room}/al' to='${phone.jid}' id='${id}'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    await bob.expect(`<presence from='${room}/al'/>`);
    await joinRoom(desk, `${room}/al`);
    for (const client of [desk, bob]) await client.expectNothing({ room });
  },
);

scenario(
  'J8',
  'a wrong answer is refused to the device that gave it, and the next join is asked anew',
  async (scene) => {
    const { room } = scene;
    const bob = await scene.direct('bob');
    await createAsking(bob, room);
    const desk = await scene.login('alice', { device: 'desk' });
    await createRoom(desk, `${scene.newRoom()}/al`);
    const phone = await scene.login('alice', { device: 'phone' });
    phone.send(joinPresence(`${room}/al`, { id: 'first' }));
    const first = await asked(phone, room);
    const wrong = await phone.iqError(answer({ ...first, answer: `${first.answer}0` }, room));
    assert.is(wrong.condition, 'not-allowed');
    await phone.pick(`<presence type='error' id='first' from='${room}/al' to='${phone.jid}'/>`);
    phone.send(joinPresence(`${room}/al`, { id: 'second' }));
    const second = await asked(phone, room);
    assert.is.not(second.id, first.id);
    await phone.iq(answer(second, room));
    await phone.pick(
      `<presence id='second' from='${room}/al'><x xmlns='${ns.mucUser}'><status code='110'/></x></presence>`,
    );
    await bob.expect(`<presence from='${room}/al'/>`);
    for (const client of [desk, bob]) await client.expectNothing();
    await untilSettled(scene, 2);
  },
);

scenario.run();
