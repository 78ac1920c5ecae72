/** Client libraries that others have written log in, join, talk and leave through the proxy (S5, J1, M1, L1). */
import type { ServerName } from '../servers/index.ts';
import { createRoom } from '../support/room.ts';
import { type Library, type Person, slixmpp, stanzaIo, strophe, xmppJs } from './support/libraries.ts';
import { assert, type Client, type Stage, stages } from './support/stage.ts';
import { said, until } from './support/witness.ts';

const stage = stages('library-rooms', { limitMs: 60_000 });

type Device = readonly [library: Library, access: 'tcp' | 'starttls' | 'ws'];

/** Two accounts, and the devices of each. */
const everything: readonly (readonly Device[])[] = [
  [
    [xmppJs, 'tcp'],
    [stanzaIo, 'ws'],
  ],
  [
    [strophe, 'ws'],
    [slixmpp, 'starttls'],
    [xmppJs, 'ws'],
  ],
];
/** The joins of stanza.io do not end at mu-conference, with and without a proxy. */
const atJabberd2: typeof everything = [
  [
    [xmppJs, 'tcp'],
    [xmppJs, 'ws'],
  ],
  [
    [strophe, 'ws'],
    [slixmpp, 'starttls'],
  ],
];
/** xmpp.js and Strophe know no DIGEST-MD5. */
const digest: typeof everything = [[[slixmpp, 'starttls']]];

const plays: readonly [mechanism: string, on: readonly ServerName[], devices: typeof everything][] = [
  ['PLAIN', ['prosody', 'ejabberd'], everything],
  ['PLAIN', ['jabberd2'], atJabberd2],
  ['SCRAM-SHA-1', ['prosody', 'ejabberd'], everything],
  ['DIGEST-MD5', ['jabberd2'], digest],
];

for (const [mechanism, on, accounts] of plays) {
  stage(
    'M1',
    `libraries log in with ${mechanism}, join, hear each other in one order, and leave; the room sees two occupants`,
    async (scene) => {
      const room = scene.newRoom();
      const proxy = await scene.proxy({ certificate: scene.server.certificate, config: { leave: { grace: '0' } } });
      const bob = await scene.direct('bob');
      await createRoom(bob, `${room}/bob`);
      const people = await open(scene, proxy.at.bind(proxy), mechanism, accounts);
      for (const { person, nick } of people) {
        await person.join(room, nick);
        await bob.fence({ room });
      }
      const wanted: string[] = [];
      for (const [index, { person, nick }] of people.entries()) {
        const text = `${index} says <hello> & "good bye"`;
        person.say(room, text);
        wanted.push(`${nick}: ${text}`);
        await hears(bob, room, nick, text);
        sayBob(bob, room, `heard ${index}`);
        wanted.push(`bob: heard ${index}`);
        await hears(bob, room, 'bob', `heard ${index}`);
      }
      for (const { person } of people) {
        await until('all has been heard', () => person.heard.length >= wanted.length);
        assert.equal(person.heard, wanted);
      }
      for (const [index, { person, nick }] of people.entries()) {
        await person.leave(room, nick);
        const isLast = people.findLastIndex((one) => one.nick === nick) === index;
        if (isLast) await bob.pick(`<presence type='unavailable' from='${room}/${nick}'/>`);
        else assert.equal(leaves(await bob.fence({ room })), []);
      }
      for (const { person } of people) await person.quit();
      await until('nothing is left', () => proxy.app.census().sessions === 0 && proxy.app.census().legs === 0);
    },
    { on },
  );
}

stage.run();

interface Played {
  person: Person;
  nick: string;
}

async function open(
  scene: Stage,
  at: (access: Device[1]) => Parameters<Library>[0],
  mechanism: string,
  accounts: typeof everything,
): Promise<Played[]> {
  const people: Played[] = [];
  const certificate = scene.server.certificate.cert;
  for (const [index, devices] of accounts.entries()) {
    const nick = ['anna', 'bert'][index] as string;
    const user = await scene.user(nick);
    for (const [library, access] of devices) {
      const person = await library(at(access), { user, mechanism, certificate });
      scene.after(() => person.quit().catch(() => {}));
      people.push({ person, nick });
    }
  }
  return people;
}

function sayBob(bob: Client, room: string, text: string): void {
  bob.send(`<message type='groupchat' to='${room}' id='${bob.id()}'><body>${text}</body></message>`);
}

/** The witness hears it once. */
async function hears(bob: Client, room: string, nick: string, text: string): Promise<void> {
  const message = await bob.pick(said(room, nick, '{any}').replace(` id='{any}'`, ''));
  assert.is(message.child('body')?.text, text);
}

function leaves(arrived: readonly { name: string; type: string | undefined }[]): unknown[] {
  return arrived.filter((one) => one.name === 'presence' && one.type === 'unavailable');
}
