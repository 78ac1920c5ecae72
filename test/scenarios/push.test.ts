/**
 * Push notifications (S9, XEP-0357): the server tells the push service of the same things, at the same moments, as it does for
 * an account that plays the same conversation without the proxy.
 */
import { type Party, playBoth } from './support/push.ts';
import { assert, type Element, joinRoom, type Scene, scenarios } from './support/scenario.ts';
import { said, until } from './support/witness.ts';

const scenario = scenarios('push', { limitMs: 90_000, together: 3, except: ['sameOnBoth'] });
const except = ['streamManagement'] as const;

/** Plays it, and compares: `expected` is what is noted for either. */
async function same(scene: Scene, expected: readonly string[], play: (party: Party) => Promise<void>): Promise<void> {
  const { direct, proxied } = await playBoth(scene, play);
  assert.equal(direct, expected, 'without the proxy');
  assert.equal(proxied, expected, 'through the proxy');
}

scenario(
  'S9',
  'a device is pushed for while it sleeps, of what was lost with its connection, and offline; not while it is there',
  async (scene) => {
    const expected = [
      'awake:',
      'asleep:',
      'to the account: phone',
      'to the device: phone',
      'resumed:',
      'awake again:',
      'lost on the way: phone',
      'resumed again:',
      'ended:',
      'offline: phone',
      'disabled:',
    ];
    await same(scene, expected, async (party) => {
      const phone = await party.open('phone');
      await party.enable(phone.client, 'phone');
      await party.writes(party.jid);
      await phone.client.pick(`<message type='chat'/>`);
      // What it has acknowledged has come as far as the ping.
      await phone.client.ping();
      await party.note('awake');
      await party.cut(phone);
      await party.note('asleep');
      await party.writes(party.jid);
      await party.note('to the account');
      await party.writes(phone.jid);
      await party.note('to the device');
      await party.resume(phone);
      await phone.client.ping();
      await party.note('resumed');
      await party.writes(party.jid);
      await phone.client.ping();
      await party.note('awake again');
      phone.client.stream.pause();
      await party.writes(party.jid);
      await party.cut(phone);
      await party.note('lost on the way');
      await party.resume(phone);
      await phone.client.ping();
      await party.note('resumed again');
      await party.end(phone.client);
      await party.note('ended');
      await party.writes(party.jid);
      await party.note('offline');
      const again = await party.open('phone');
      await party.disable(again.client, 'phone');
      await party.cut(again);
      await party.writes(party.jid);
      await party.note('disabled');
    });
  },
  { except },
);

scenario(
  'S9',
  'a device alone in a room is pushed for as without the proxy: of messages to it, of the room, and when it sleeps again',
  async (scene) => {
    const expected = [
      'joined:',
      'asleep:',
      'to the account: phone',
      'to the device: phone',
      'room: phone',
      'private: phone',
      'resumed:',
      'room, awake:',
      'asleep again:',
      'room again: phone',
    ];
    await same(scene, expected, async (party) => {
      const phone = await party.open('phone');
      await party.enable(phone.client, 'phone');
      await joinRoom(phone.client, `${party.room}/al`);
      await party.note('joined');
      await party.cut(phone);
      await party.note('asleep');
      await party.writes(party.jid);
      await party.note('to the account');
      await party.writes(phone.jid);
      await party.note('to the device');
      await party.says('al: are you there?');
      await party.note('room');
      await quiet();
      party.witness.client.send(`<message type='chat' to='${party.room}/al'><body>psst</body></message>`);
      await party.witness.client.fence({ room: party.room });
      await party.note('private');
      await party.resume(phone);
      await phone.client.ping();
      await party.note('resumed');
      const id = await party.says('welcome');
      await phone.client.pick(said(party.room, 'witness', id));
      await party.note('room, awake');
      await party.cut(phone);
      await party.note('asleep again');
      await party.says('and again');
      await party.note('room again');
    });
  },
  { except },
);

scenario(
  'S9',
  'a device whose place a sibling or the account stream holds is pushed for as if it had its own, and neither notices',
  async (scene) => {
    const expected = [
      'joined:',
      'asleep:',
      'to the account: phone',
      'to the device: phone',
      'room: phone',
      'resumed:',
      'ended:',
      'desk online: phone',
    ];
    const heard: Element[] = [];
    await same(scene, expected, async (party) => {
      const phone = await party.open('phone');
      await party.enable(phone.client, 'phone');
      await joinRoom(phone.client, `${party.room}/al`);
      const desk = await party.login('desk');
      await joinRoom(desk, `${party.room}/al`);
      await party.note('joined');
      await party.cut(phone);
      await party.note('asleep');
      await party.writes(party.jid);
      await desk.pick(`<message type='chat'/>`);
      await party.note('to the account');
      await party.writes(phone.jid);
      await party.note('to the device');
      const id = await party.says('hello');
      await desk.pick(said(party.room, 'witness', id));
      await party.note('room');
      await party.resume(phone);
      await phone.client.pick(said(party.room, 'witness', id));
      await party.note('resumed');
      if (party.name === 'proxied') {
        heard.push(...(await phone.client.fence({ room: party.room })), ...(await desk.fence({ room: party.room })));
        const ids = phone.messages((one) => one.type === 'groupchat' && one.child('body') !== undefined);
        assert.equal(
          ids.map((one) => one.id),
          [id],
        );
      }
      await party.end(phone.client);
      await party.note('ended');
      await party.writes(party.jid);
      await party.note('desk online');
    });
    const own = await scene.jid('proxied-al');
    assert.equal(heard.filter((one) => one.name === 'message' && one.from?.startsWith(own)).map(String), []);
  },
  { except },
);

scenario(
  'S9',
  'an account with no device is pushed for; on Prosody twice for a message while its stream stays, as for any silent session',
  async (scene) => {
    const { direct, proxied } = await playBoth(scene, async (party) => {
      const phone = await party.open('phone');
      await party.enable(phone.client, 'phone');
      await joinRoom(phone.client, `${party.room}/al`);
      // What the proxy has for an account whose password it knows.
      if (party.name === 'direct' && scene.carrier === 'account') await party.login('silent', { isSilent: true });
      await party.end(phone.client);
      await party.note('ended');
      await party.writes(party.jid);
      await party.note('offline');
      await party.says('anybody?');
      await party.note('room');
    });
    const isTwice = scene.server.name === 'prosody' && scene.carrier === 'account';
    assert.equal(direct, ['ended:', `offline: phone${isTwice ? ' phone' : ''}`, 'room:']);
    assert.equal(proxied, direct);
  },
  { except },
);

scenario(
  'S9',
  'what was to wake a device whose time runs out comes back to nobody',
  async (scene) => {
    const heard: Element[] = [];
    await playBoth(scene, async (party) => {
      if (party.name === 'direct') return;
      const phone = await party.open('phone', "resume='true' max='4'");
      await party.enable(phone.client, 'phone');
      await joinRoom(phone.client, `${party.room}/al`);
      const desk = await party.login('desk');
      await joinRoom(desk, `${party.room}/al`);
      await party.cut(phone);
      const id = await party.says('hello');
      await desk.pick(said(party.room, 'witness', id));
      await party.note('room');
      await until('its time is over', () => scene.proxy.log.some((line) => line.includes('not resumed')), 20_000);
      heard.push(...(await desk.fence({ room: party.room })));
    });
    assert.equal(heard.filter((one) => one.name === 'message').map(String), []);
    const metrics = await scene.proxy.app.metrics.render();
    assert.match(metrics, scene.carrier === 'account' ? /reason="left-room"/ : /reason="nudge"/);
  },
  { except: ['streamManagement', 'resumptionTime'] },
);

/** A sleeping device is told of what several messages say once in five seconds: a pause that a test has to wait for. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5_100));
}

scenario.run();
