/** A room that will not have the session which is to take over from a parked stream: it stays with that stream (L3). */
import { comesBack, dropsParked, parkedAlone, untilParked } from './support/parked.ts';
import { assert, configureRoom, joinRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, until, watch } from './support/witness.ts';

const scenario = scenarios('parking-refused', { except: ['passwordKnown', 'sameOnBoth'] });

scenario(
  'L3',
  'a room that refuses the next session stays on the parked stream, that session is in it all the same, and one that it takes gets it',
  async (scene) => {
    const { room } = scene;
    const { witness } = await parkedAlone(scene);
    await configureRoom(witness.client, room, { passwordprotectedroom: '1', roomsecret: 'sesame' });
    const phone = await scene.login('alice', { device: 'phone' });
    await phone.fence({ room });
    await joinRoom(phone, `${room}/al`);
    await heardOnce([phone], room, 'witness', await witness.say('there'));
    await heardOnce([phone], room, 'al', sayInRoom(phone, room, 'yes'));
    assert.is(scene.proxy.app.census().parked, 1);
    await dropsParked(scene, phone);
    await witness.ping('al');
    await configureRoom(witness.client, room, { passwordprotectedroom: '0', roomsecret: '' });
    const missed = await witness.say('gone?');
    const back = await comesBack(scene, 'alice', 'tablet');
    const { history } = await joinRoom(back, `${room}/al`);
    assert.is(history.at(-1)?.id, missed);
    await heardOnce([back], room, 'witness', await witness.say('back?'));
    assert.equal(await witness.sees(), ['+al']);
  },
  { except: ['sharedNick'] },
);

scenario(
  'L9',
  'a nick that a stranger has registered meanwhile costs a parked stream nothing',
  async (scene) => {
    // What a node has learnt of a service it has learnt for itself.
    const { room, server, node: through } = scene;
    const witness = await watch(scene);
    // All rooms of the server know it then, those of other scenarios too.
    const al = `al-of-${room.slice(0, room.indexOf('@'))}`;
    // That the service lets accounts share their nicks is known, also where this account is at home.
    const first = await scene.login('alice', { device: 'first', through });
    await joinRoom(first, `${room}/${al}`);
    const desk = await scene.login('alice', { device: 'desk', through });
    await joinRoom(desk, `${room}/${al}`);
    await first.end();
    await until('its place is handed over', () => scene.proxy.app.census().legs === 2);
    await dropsParked(scene, desk);
    const stranger = await scene.direct('stranger');
    await stranger.iq(
      `<iq type='set' to='${server.mucDomain}'><query xmlns='jabber:iq:register'><nick>${al}</nick></query></iq>`,
    );
    const phone = await scene.login('alice', { device: 'phone', through });
    await phone.fence({ room });
    await joinRoom(phone, `${room}/${al}`);
    await heardOnce([phone], room, 'witness', await witness.say('there'));
    await phone.drop();
    await untilParked(scene);
    await witness.ping(al);
    assert.equal(await witness.sees(), [`+${al}`]);
  },
  { except: ['nickRegistry'] },
);

scenario.run();
