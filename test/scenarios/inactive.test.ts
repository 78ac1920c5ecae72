import { assert, createRoom, joinRoom, sayInRoom, scenarios } from './support/scenario.ts';

const scenario = scenarios('inactive clients');

const CSI = 'urn:xmpp:csi:0';

scenario(
  'S10',
  'chatter waits for a client that is inactive, in order, until somebody mentions it; its sibling hears all at once',
  async (scene) => {
    const { room } = scene;
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const phone = await scene.login('alice', { device: 'phone' });
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(phone, `${room}/al`);
    await joinRoom(desk, `${room}/al`);
    phone.send(`<inactive xmlns='${CSI}'/>`);
    await phone.ping();
    const chatter = [sayInRoom(bob, room, 'lunch?'), sayInRoom(bob, room, 'or not')];
    for (const id of chatter) await desk.expect(`<message type='groupchat' id='${id}'/>`);
    // The sibling has heard it, so the proxy has: nothing of it has gone to the inactive one.
    const before = phone.log.length;
    const mention = sayInRoom(bob, room, 'al, are you there?');
    await desk.expect(`<message type='groupchat' id='${mention}'/>`);
    for (const id of [...chatter, mention]) await phone.expect(`<message type='groupchat' id='${id}'/>`);
    const heard = phone.log.slice(before).map(({ text }) => text);
    for (const id of chatter)
      assert.ok(
        heard.some((text) => text.includes(id)),
        'it came with the mention, not before',
      );
  },
);

scenario(
  'S10',
  'of an occupant who comes and goes an inactive client sees the final state alone, when it is active again',
  async (scene) => {
    const { room } = scene;
    const bob = await scene.direct('bob');
    await createRoom(bob, `${room}/bob`);
    const phone = await scene.login('alice', { device: 'phone' });
    const desk = await scene.login('alice', { device: 'desk' });
    await joinRoom(phone, `${room}/al`);
    await joinRoom(desk, `${room}/al`);
    await phone.fence({ room });
    phone.send(`<inactive xmlns='${CSI}'/>`);
    await phone.ping();
    bob.send(`<presence to='${room}/bob'><show>away</show></presence>`);
    await desk.pick(`<presence from='${room}/bob'><show>away</show></presence>`);
    bob.send(`<presence to='${room}/bob'><show>dnd</show></presence>`);
    await desk.pick(`<presence from='${room}/bob'><show>dnd</show></presence>`);
    phone.send(`<active xmlns='${CSI}'/>`);
    const seen = (await phone.fence({ room })).filter((one) => one.name === 'presence' && one.from === `${room}/bob`);
    assert.equal(
      seen.map((one) => one.child('show')?.text),
      ['dnd'],
    );
  },
);

scenario.run();
