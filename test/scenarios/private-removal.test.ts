/** Private messages that nobody could take, and an account that is in the room no more (M6, L5). */
import { assert, joinRoom, leaveRoom, scenarios } from './support/scenario.ts';
import { until, watch } from './support/witness.ts';

const scenario = scenarios('private-removal');

scenario(
  'M6',
  'a private message that nobody could take is given to the next session, once, though the account was kicked meanwhile',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    await leaveRoom(desk, `${room}/al`);
    witness.client.send(`<message type='chat' to='${room}/al' id='kept'><body>later</body></message>`);
    await witness.ping('al');
    const kick = `<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='al' role='none'/></query>`;
    await witness.client.iq(`<iq type='set' to='${room}'>${kick}</iq>`);
    await until('the account is told', () => scene.proxy.app.census().occupancies === 0);
    const phone = await scene.login('alice', { device: 'phone' });
    const kept = await phone.pick(`<message type='chat' from='${room}/witness' id='kept'/>`);
    assert.ok(kept.child('delay', 'urn:xmpp:delay'));
    const { all } = await joinRoom(phone, `${room}/al`);
    assert.is(all.filter(({ id }) => id === 'kept').length, 0);
    await desk.expectNothing({ room });
  },
);

scenario.run();
