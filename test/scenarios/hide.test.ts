/** A client that hides rooms (XEP-0437) leaves them, and the account does not (L2, FIELD 9: told apart from a real leave). */
import { assert, joinRoom, leaveRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { watch } from './support/witness.ts';

const scenario = scenarios('hide', { together: 3 });

scenario(
  'L2',
  'a client that hides a room hears no more of it but that something was said, once, and the account stays',
  async (scene) => {
    const { room, server } = scene;
    const witness = await watch(scene);
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    desk.send(`<presence to='${server.mucDomain}'><rai xmlns='urn:xmpp:rai:0'/></presence>`);
    await leaveRoom(desk, `${room}/al`);
    await witness.say('one');
    await desk.pick(
      `<message from='${server.mucDomain}' to='${desk.jid}'><rai xmlns='urn:xmpp:rai:0'><activity>${room}</activity></rai></message>`,
    );
    await witness.say('two');
    await witness.ping('al');
    assert.equal(await witness.sees(), []);
    // Back in, it has missed nothing, and the next leave hides the room anew.
    const { history } = await joinRoom(desk, `${room}/al`);
    assert.equal(
      history.map((one) => one.child('body')?.text),
      ['one', 'two'],
    );
    const id = sayInRoom(desk, room, 'three');
    await desk.upTo(`<message type='groupchat' id='${id}'/>`);
    assert.equal(await witness.sees(), []);
  },
  { config: { leave: { grace: '0' } } },
);

scenario.run();
