/** What a device says is in the language of its own stream (RFC 6120 section 8.1.5), though another one carries it. */
import { assert, type Client, createRoom, joinRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('language');

/** In which language an occupant is told that it is what the speaker says. */
async function languageOf(hearer: Client, speaker: Client, room: string, attributes = ''): Promise<string | undefined> {
  const id = speaker.id();
  speaker.send(`<message type='groupchat' to='${room}' id='${id}'${attributes}><body>salut</body></message>`);
  return (await hearer.pick(`<message type='groupchat' id='${id}'/>`)).attrs['xml:lang'];
}

scenario(
  'M1',
  'what each device says is in the language of its own stream, whichever stream carries it',
  async ({ room, carrier, login, direct }) => {
    const bob = await direct('bob');
    await createRoom(bob, `${room}/bo`);
    // As it is without the proxy.
    const carol = await direct('carol', { language: 'de' });
    await joinRoom(carol, `${room}/ca`);
    const usual = await languageOf(bob, carol, room);

    const phone = await login('alice', { device: 'phone', language: 'de' });
    await joinRoom(phone, `${room}/al`);
    const desk = await login('alice', { device: 'desk', language: 'fr' });
    await joinRoom(desk, `${room}/al`);
    assert.is(await languageOf(bob, phone, room), carrier === 'account' ? 'de' : usual);
    assert.is(await languageOf(bob, desk, room), 'fr');
    assert.is(await languageOf(bob, desk, room, " xml:lang='it'"), 'it');

    desk.send(`<message type='chat' to='${room}/bo' id='private'><body>salut</body></message>`);
    const whispered = await bob.pick(`<message type='chat' id='private'/>`);
    assert.is(whispered.attrs['xml:lang'], 'fr');
    phone.send(`<presence type='unavailable' to='${room}/al'/>`);
    desk.send(`<presence to='${room}/al'><status>absent</status></presence>`);
    const shown = await bob.pick(`<presence from='${room}/al'><status>absent</status></presence>`);
    assert.is(shown.attrs['xml:lang'], 'fr');
  },
);

scenario.run();
