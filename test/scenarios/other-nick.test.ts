/** A device that is in the room joins it once more, under another nick: a nick change to everybody else (J3, J5). */
import {
  assert,
  type Client,
  type Element,
  joinPresence,
  joinRoom,
  leaveRoom,
  type Scene,
  scenarios,
} from './support/scenario.ts';
import { heardOnce, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('other-nick', { together: 3, parked: { alice: 'al' } });
const user = (inner: string) => `<x xmlns='http://jabber.org/protocol/muc#user'>${inner}</x>`;

async function joined(scene: Scene, ...nicks: string[]): Promise<{ witness: Witness; devices: Client[] }> {
  const witness = await watch(scene);
  const devices: Client[] = [];
  for (const [index, nick] of nicks.entries()) {
    const device = await scene.login('alice', { device: `d${index}` });
    await joinRoom(device, `${scene.room}/${nick}`);
    devices.push(device);
  }
  assert.equal(await witness.sees(), [`+${nicks[0]}`]);
  return { witness, devices };
}

/** The device joins as that nick; its answer, from the 303 to the subject. */
async function joinAs(device: Client, room: string, before: string, nick: string): Promise<Element[]> {
  const id = device.id();
  device.send(joinPresence(`${room}/${nick}`, { id }));
  await device.expect(
    `<presence type='unavailable' from='${room}/${before}' to='${device.jid}'>
       ${user(`<item nick='${nick}'/><status code='303'/><status code='110'/>`)}</presence>`,
  );
  await device.expect(`<presence from='${room}/witness'/>`);
  const self = await device.expect(
    `<presence from='${room}/${nick}' to='${device.jid}' id='${id}'>${user(`<item/><status code='110'/>`)}</presence>`,
  );
  assert.is(self.codes.includes(210), false);
  return device.upTo(`<message type='groupchat' from='${room}'><subject/></message>`);
}

scenario(
  'J5',
  'the only device in the room joins under another nick: the room sees a nick change, the device the whole answer',
  async (scene) => {
    const { room } = scene;
    const { witness, devices } = await joined(scene, 'al');
    const [desk] = devices as [Client];
    const said = await witness.say('before');
    await heardOnce([desk], room, 'witness', said);
    const rest = await joinAs(desk, room, 'al', 'ally');
    assert.equal(
      rest.filter(({ name }) => name === 'message').map(({ id }) => id),
      [said, undefined],
    );
    assert.equal(await witness.sees(), ['al>ally']);
    await desk.expectNothing({ room });
    // And back again, as often as it likes.
    await joinAs(desk, room, 'ally', 'al');
    assert.equal(await witness.sees(), ['ally>al']);
    await heardOnce([desk], room, 'witness', await witness.say('after'));
    // Whichever way the nick was changed in between.
    desk.send(`<presence to='${room}/alf'/>`);
    await desk.pick(`<presence from='${room}/alf'>${user(`<status code='110'/>`)}</presence>`);
    await desk.fence({ room });
    await joinAs(desk, room, 'alf', 'al');
    assert.equal(await witness.sees(), ['al>alf', 'alf>al']);
    await leaveRoom(desk, `${room}/al`);
  },
);

scenario('J5', 'its siblings see the nick change, and nothing of the answer', async (scene) => {
  const { room } = scene;
  const { witness, devices } = await joined(scene, 'al', 'al', 'al');
  const [desk, phone, tablet] = devices as [Client, Client, Client];
  for (const [index, [asker, before, after]] of (
    [
      [phone, 'al', 'ally'],
      [desk, 'ally', 'alice'],
    ] as const
  ).entries()) {
    await heardOnce(devices, room, 'witness', await witness.say(`before ${index}`));
    await joinAs(asker, room, before, after);
    for (const sibling of devices.filter((one) => one !== asker)) {
      await sibling.expect(
        `<presence type='unavailable' from='${room}/${before}' to='${sibling.jid}'>${user(`<status code='303'/>`)}</presence>`,
      );
      await sibling.expect(
        `<presence from='${room}/${after}' to='${sibling.jid}'>${user(`<status code='110'/>`)}</presence>`,
      );
      await sibling.expectNothing({ room });
    }
    assert.equal(await witness.sees(), [`${before}>${after}`]);
  }
  await heardOnce([desk, phone, tablet], room, 'witness', await witness.say('after'));
});

scenario('J5', 'a nick that is taken is refused to that join, and all stay what they were', async (scene) => {
  const { room } = scene;
  const { witness, devices } = await joined(scene, 'al', 'al');
  const [desk, phone] = devices as [Client, Client];
  for (const asker of [phone, desk]) {
    const id = asker.id();
    asker.send(joinPresence(`${room}/witness`, { id }));
    await asker.expect(
      `<presence type='error' from='${room}/witness' to='${asker.jid}' id='${id}'>
         <x xmlns='http://jabber.org/protocol/muc'/>
         <error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    );
    for (const one of devices) await one.expectNothing({ room });
  }
  assert.equal(await witness.sees(), []);
  await heardOnce(devices, room, 'witness', await witness.say('that is mine'));
  // The device is in, and is answered as before.
  assert.equal((await joinRoom(phone, `${room}/al`)).self.codes, [110]);
});

scenario(
  'J3',
  "a device that was given the account's nick in place of its own asks for its own again, and changes nothing",
  async (scene) => {
    const { room } = scene;
    const { witness, devices } = await joined(scene, 'al', 'phoney');
    const [desk, phone] = devices as [Client, Client];
    for (let count = 0; count < 2; count += 1) {
      const again = await joinRoom(phone, `${room}/phoney`);
      assert.is(again.nick, 'al');
      assert.ok(again.self.codes.includes(210));
    }
    await desk.expectNothing({ room });
    assert.equal(await witness.sees(), []);
  },
);

scenario.run();
