/** Devices come and go, carriers change, and the room sees nothing of it (L9). */
import { randomInt } from 'node:crypto';
import { assert, type Client, joinRoom, leaveRoom, type Scene, sayInRoom, scenarios } from './support/scenario.ts';
import { heardOnce, said, until, untilSettled, watch } from './support/witness.ts';

const scenario = scenarios('handover', { together: 3 });

/** What the room sees of a carrier that goes: nothing, where the service lets an account share its nick. */
function seenOfHandover(scene: Scene): string[] {
  return scene.carrier === 'account' || scene.server.features.sharedNick ? [] : ['-al', '+al'];
}

async function joined(scene: Scene, device: string): Promise<Client> {
  const client = await scene.login('alice', { device });
  await joinRoom(client, `${scene.room}/al`);
  return client;
}

scenario('L9', 'three devices hand the room on from one to the next', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const devices = [await joined(scene, 'one'), await joined(scene, 'two'), await joined(scene, 'three')];
  assert.equal(await witness.sees(), ['+al']);
  const goes = [(client: Client) => client.drop(), (client: Client) => client.end()];
  for (const go of goes) {
    await go(devices.shift() as Client);
    await untilSettled(scene, devices.length);
    await devices[0]?.fence({ room });
    assert.equal(await witness.sees(), seenOfHandover(scene));
    await heardOnce(devices, room, 'witness', await witness.say('still here?'));
  }
});

scenario(
  'L9',
  'what is said during a hand-over arrives once, in order, at every device',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const one = await joined(scene, 'one');
    const two = await joined(scene, 'two');
    const three = await joined(scene, 'three');
    const ids: string[] = [];
    for (let index = 0; index < 60; index++) {
      if (index === 20) void one.drop();
      ids.push(sayInRoom(witness.client, room, `message ${index}`));
      if (index % 5 === 0) await witness.client.ping();
    }
    await untilSettled(scene, 2);
    const last = await witness.say('last');
    for (const client of [two, three]) {
      const heard = (await client.upTo(said(room, 'witness', last))).map((element) => element.id);
      assert.equal(
        heard.filter((id) => id !== last),
        ids,
      );
      await client.expectNothing({ room });
    }
  },
  { except: ['sharedNick'] },
);

scenario('L9', 'what a device says and asks while its carrier is handed over is not lost', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  const one = await joined(scene, 'one');
  const two = await joined(scene, 'two');
  const ids: string[] = [];
  const asked: Promise<unknown>[] = [];
  for (let index = 0; index < 30; index++) {
    if (index === 10) void one.drop();
    ids.push(sayInRoom(two, room, `message ${index}`));
    if (index % 6 === 0) {
      asked.push(two.iq(`<iq type='get' to='${room}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`));
      await two.ping();
    }
  }
  await Promise.all(asked);
  await untilSettled(scene, 1);
  const last = sayInRoom(two, room, 'last');
  const own = (await two.upTo(said(room, 'al', last))).filter((element) => element.name === 'message');
  assert.equal(
    own.map((element) => element.id),
    [...ids, last],
  );
  const heard = await witness.client.upTo(said(room, 'al', last));
  assert.equal(
    heard.filter((element) => element.name === 'message').map((element) => element.id),
    [...ids, last],
  );
});

scenario('L9', 'a device that comes back under its resource while its old connection lingers', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  let phone = await joined(scene, 'phone');
  const desk = await joined(scene, 'desk');
  assert.equal(await witness.sees(), ['+al']);
  for (let round = 0; round < 3; round++) {
    const old = phone;
    phone = await joined(scene, 'phone');
    const { error } = await old.closed;
    assert.is(error?.condition, 'conflict');
    await untilSettled(scene, 2);
    await heardOnce([phone, desk], room, 'witness', await witness.say('hello again'));
  }
  const changes = await witness.sees();
  if (seenOfHandover(scene).length === 0) assert.equal(changes, []);
});

scenario('L9', 'the only device comes back under its resource while its old connection lingers', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene);
  let phone = await joined(scene, 'phone');
  assert.equal(await witness.sees(), ['+al']);
  for (let round = 0; round < 2; round++) {
    const old = phone;
    phone = await joined(scene, 'phone');
    await old.closed;
    await untilSettled(scene, 1);
    await heardOnce([phone], room, 'witness', await witness.say('hello again'));
  }
  const changes = await witness.sees();
  if (seenOfHandover(scene).length === 0) assert.equal(changes, []);
});

scenario(
  'L9',
  'fifteen rooms are handed over, each unseen',
  async (scene) => {
    const rooms = Array.from({ length: 15 }, () => scene.newRoom());
    const by = await scene.direct('witness');
    const witnesses = [];
    for (const room of rooms) witnesses.push(await watch(scene, { room, by }));
    const one = await scene.login('alice', { device: 'one' });
    const two = await scene.login('alice', { device: 'two' });
    for (const room of rooms) for (const client of [one, two]) await joinRoom(client, `${room}/al`);
    await one.drop();
    await untilSettled(scene, 1);
    for (const [index, witness] of witnesses.entries()) {
      assert.equal(await witness.sees(), ['+al'], `room ${index}`);
      await heardOnce([two], witness.room, 'witness', await witness.say('here?'));
    }
  },
  { except: ['sharedNick'] },
);

scenario('J8', 'a room with a password is handed over without asking any device for it', async (scene) => {
  const { room } = scene;
  const witness = await watch(scene, { config: { passwordprotectedroom: '1', roomsecret: 'sesame' } });
  const one = await scene.login('alice', { device: 'one' });
  await joinRoom(one, `${room}/al`, { password: 'sesame' });
  const two = await joined(scene, 'two');
  assert.equal(await witness.sees(), ['+al']);
  await one.drop();
  await untilSettled(scene, 1);
  await two.fence({ room });
  assert.equal(await witness.sees(), seenOfHandover(scene));
  await heardOnce([two], room, 'witness', await witness.say('still here?'));
});

scenario(
  'L9',
  'whatever devices do, as long as one is inside the room sees one join and no leave',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene);
    const names = ['a', 'b', 'c'];
    const online = new Map<string, Client>();
    const inside = new Set<string>();
    const steps: string[] = [];
    const bring = async (name: string) => {
      online.set(name, await scene.login('alice', { device: name }));
    };
    const enter = async (name: string) => {
      await joinRoom(online.get(name) as Client, `${room}/al`);
      inside.add(name);
    };
    await bring('a');
    await enter('a');
    for (let step = 0; step < 14; step++) {
      const name = names[randomInt(names.length)] as string;
      const client = online.get(name);
      const isLast = inside.has(name) && inside.size === 1;
      const choice = randomInt(4);
      steps.push(`${name}${choice}`);
      if (!client) await bring(name);
      else if (!inside.has(name)) await enter(name);
      else if (isLast) await enter(name);
      else if (choice === 0) {
        await leaveRoom(client, `${room}/al`);
        inside.delete(name);
      } else if (choice === 1) await bring(name);
      else {
        await (choice === 2 ? client.drop() : client.end());
        online.delete(name);
        inside.delete(name);
      }
      if (choice === 1 && client && inside.has(name)) await enter(name);
    }
    await untilSettled(scene, online.size);
    const members = [...inside].map((name) => online.get(name) as Client);
    for (const client of online.values()) await client.fence({ room });
    const id = await witness.say('who is left?');
    for (const client of members) await client.expect(said(room, 'witness', id));
    assert.equal(await witness.sees(), ['+al'], steps.join(' '));
  },
  { except: ['sharedNick'] },
);

scenario(
  'L5',
  'the stream of a carrier is ended at the server: the account comes back, devices see differences only',
  async (scene) => {
    const { room } = scene;
    const witness = await watch(scene, { config: { whois: 'anyone' } });
    const one = await joined(scene, 'one');
    const two = await joined(scene, 'two');
    const three = await joined(scene, 'three');
    const shown = await witness.client.pick(`<presence from='${room}/al'/>`);
    const carrier = shown.child('x', 'http://jabber.org/protocol/muc#user')?.child('item')?.attrs.jid ?? '';
    assert.is(carrier === one.jid, scene.carrier === 'borrowed');
    for (const client of [one, two, three]) await client.fence({ room });
    // Whoever binds the same resource at the server ends the stream that had it.
    await scene.direct('alice', { device: carrier.slice(carrier.indexOf('/') + 1), isSilent: true });
    if (scene.carrier === 'borrowed') await one.closed;
    const left = scene.carrier === 'borrowed' ? [two, three] : [one, two, three];
    await until('the account is back', async () => {
      const changes = await witness.sees();
      return changes.at(-1) === '+al';
    });
    await heardOnce(left, room, 'witness', await witness.say('back?'));
    const id = sayInRoom(two, room, 'yes');
    await heardOnce(left, room, 'al', id);
    await witness.client.pick(said(room, 'al', id));
  },
);

scenario.run();
