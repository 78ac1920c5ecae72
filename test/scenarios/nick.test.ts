/** Nick changes and status in the room (L6, L7). */
import { assert, type Client, type Element, joinRoom, leaveRoom, type Scene, scenarios } from './support/scenario.ts';
import { heardOnce, type Witness, watch } from './support/witness.ts';

const scenario = scenarios('nick', { together: 3, parked: { alice: 'al' } });

async function twoJoined(scene: Scene): Promise<{ witness: Witness; desk: Client; phone: Client }> {
  const witness = await watch(scene);
  const desk = await scene.login('alice', { device: 'desk' });
  const phone = await scene.login('alice', { device: 'phone' });
  await joinRoom(desk, `${scene.room}/al`);
  await joinRoom(phone, `${scene.room}/al`);
  assert.equal(await witness.sees(), ['+al']);
  return { witness, desk, phone };
}

const user = (inner: string) => `<x xmlns='http://jabber.org/protocol/muc#user'>${inner}</x>`;

scenario('L7', 'a new nick taken by one device is the new nick of all, and a 303 to everybody', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  const idle = await scene.login('alice', { device: 'idle' });
  const nicks = ['al', 'ally', 'al & co', 'al'];
  for (const [index, renamer] of [phone, desk, phone].entries()) {
    const before = nicks[index] as string;
    const after = nicks[index + 1] as string;
    const xml = (text: string) => text.replaceAll('&', '&amp;');
    renamer.send(`<presence to='${room}/${xml(after)}'/>`);
    for (const client of [desk, phone]) {
      await client.expect(
        `<presence type='unavailable' from='${room}/${xml(before)}' to='${client.jid}'>
           ${user(`<item nick='${xml(after)}'/><status code='303'/><status code='110'/>`)}</presence>`,
      );
      await client.expect(
        `<presence from='${room}/${xml(after)}' to='${client.jid}'>${user(`<item/><status code='110'/>`)}</presence>`,
      );
      await client.expectNothing({ room });
    }
    assert.equal(await witness.sees(), [`${before}>${after}`]);
    await idle.expectNothing();
  }
  await heardOnce([desk, phone], room, 'witness', await witness.say('nice name'));
});

scenario('L7', 'a device that joins after a rename is told the nick that it has now', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  desk.send(`<presence to='${room}/ally'/>`);
  await phone.pick(`<presence from='${room}/ally'>${user(`<status code='110'/>`)}</presence>`);
  const idle = await scene.login('alice', { device: 'idle' });
  const late = await joinRoom(idle, `${room}/al`);
  assert.is(late.nick, 'ally');
  assert.ok(late.self.codes.includes(210));
  assert.equal(await witness.sees(), ['al>ally']);
});

scenario('L7', 'a nick that is taken is refused to the device that asked, and to no other', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  for (const asker of [phone, desk]) {
    const sibling = asker === desk ? phone : desk;
    const id = asker.id();
    asker.send(`<presence to='${room}/witness' id='${id}'/>`);
    await asker.expect(
      `<presence type='error' from='${room}/witness' to='${asker.jid}' id='${id}'>
         <error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`,
    );
    await asker.expectNothing({ room });
    await sibling.expectNothing({ room });
  }
  assert.equal(await witness.sees(), []);
  await heardOnce([desk, phone], room, 'witness', await witness.say('that is mine'));
});

scenario('L7', 'two devices rename at once: all see the same nicks in the same order', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  desk.send(`<presence to='${room}/desk-al'/>`);
  phone.send(`<presence to='${room}/phone-al'/>`);
  // Once the answers to both are there, whichever was the first at the proxy, each has all.
  const arrived = new Map<Client, Element[]>([
    [desk, []],
    [phone, []],
  ]);
  for (const client of [desk, phone, desk, phone]) arrived.get(client)?.push(...(await client.fence({ room })));
  const seen = [...arrived.values()].map((all) => {
    const own = all.filter((one) => one.codes.includes(110) && one.type === undefined);
    return own.map((one) => (one.from ?? '').split('/')[1] as string);
  });
  const changes = await witness.sees();
  assert.is(changes.filter((one) => one.includes('>')).length, 2, changes.join(' '));
  const last = changes.at(-1)?.split('>')[1] as string;
  for (const nicks of seen) assert.is(nicks.at(-1), last);
  assert.equal(seen[0], seen[1]);
  await heardOnce([desk, phone], room, 'witness', await witness.say('who is who?'));
});

scenario('L6', 'a status update of a device shows at the other occupants and at its siblings', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  phone.send(`<presence to='${room}/al'><show>chat</show><status>hungry</status></presence>`);
  for (const client of [desk, phone]) {
    await client.expect(
      `<presence from='${room}/al' to='${client.jid}'><show>chat</show><status>hungry</status>
         ${user(`<status code='110'/>`)}</presence>`,
    );
    await client.expectNothing({ room });
  }
  await witness.client.expect(`<presence from='${room}/al'><show>chat</show><status>hungry</status></presence>`);
});

scenario('L6', 'a device that is less available than its sibling does not hide it from the room', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  await witness.client.fence({ room });
  phone.send(`<presence to='${room}/al'><show>xa</show></presence>`);
  // It sees what it would see if it were alone.
  await phone.expect(
    `<presence from='${room}/al' to='${phone.jid}'><show>xa</show>${user(`<status code='110'/>`)}</presence>`,
  );
  await phone.expectNothing({ room });
  await desk.expectNothing({ room });
  await witness.client.expectNothing({ room });
});

scenario('L7', 'a rename and a leave at once leave the others where they are', async (scene) => {
  const { room } = scene;
  const { witness, desk, phone } = await twoJoined(scene);
  phone.send(`<presence to='${room}/ally'/>`);
  await leaveRoom(phone, `${room}/al`);
  await desk.upTo(`<presence from='${room}/ally'>${user(`<status code='110'/>`)}</presence>`);
  // It may be shown the rename, where that is answered first.
  await phone.fence({ room });
  await phone.expectNothing({ room });
  assert.equal(await witness.sees(), ['al>ally']);
  await heardOnce([desk], room, 'witness', await witness.say('bye'));
});

scenario.run();
