/** Phones that are slow or have vanished without a word (X3, S9, S11): nobody else pays for them, and the server pushes. */
import { openDevice } from './support/device.ts';
import { PushService } from './support/push.ts';
import { assert, joinRoom, sayInRoom, scenarios } from './support/scenario.ts';
import { said, until, watch } from './support/witness.ts';

const scenario = scenarios('resume-slow', { limitMs: 60_000, together: 2 });
const except = ['streamManagement'] as const;

scenario(
  'X3',
  'a device that stops reading is given up when too much waits for it, also the one that carries the room; the others hear all',
  async (scene) => {
    const { room, proxy } = scene;
    const witness = await watch(scene);
    const phone = await openDevice(scene, 'al');
    await joinRoom(phone.client, `${room}/al`);
    const desk = await scene.login('al', { device: 'desk' });
    await joinRoom(desk, `${room}/al`);
    assert.equal(await witness.sees(), ['+al']);
    phone.client.stream.pause();
    const body = 'x'.repeat(40_000);
    // 2 MiB are kept for it: after some fifty messages it is over, at the latest when the last one has come.
    for (let count = 0; count < 80 && proxy.app.census().sessions > 1; count += 1) {
      const id = sayInRoom(witness.client, room, body);
      await witness.client.pick(said(room, 'witness', id));
      await desk.pick(said(room, 'witness', id, desk.jid));
    }
    await until('the device is given up', () => proxy.app.census().sessions === 1);
    // It is told so, if it reads on before long.
    phone.client.stream.resume();
    const { error } = await phone.client.closed;
    assert.ok(error?.child('policy-violation'), error?.print());
    assert.match(await proxy.app.metrics.render(), /minimix_drops_total\{reason="unacknowledged"\} 1/);
    assert.equal(await witness.sees(), []);
    const id = sayInRoom(desk, room, 'on we go');
    await witness.client.pick(said(room, 'al', id));
    await desk.pick(said(room, 'al', id));
    const heard = phone.messages((one) => one.type === 'groupchat' && one.child('body') !== undefined).length;
    assert.ok(heard <= (2 * 1024 * 1024) / body.length, `${heard} messages were kept for it`);
    assert.equal(await witness.sees(), []);
  },
  { except },
);

for (const [what, isInRoom] of [
  ['a message of a contact', false],
  ['what a room says by another stream', true],
] as const) {
  scenario(
    'S11',
    `a device that answers no more is taken for asleep, and the server pushes for ${what}; it resumes, and has it once`,
    async (scene) => {
      const { room, proxy } = scene;
      const witness = await watch(scene);
      const bob = await scene.direct('bob');
      const service = await PushService.open(scene);
      const desk = await scene.login('al', { device: 'desk' });
      await joinRoom(desk, `${room}/al`);
      const phone = await openDevice(scene, 'al');
      await service.enable(phone.client, 'phone');
      await joinRoom(phone.client, `${room}/al`);
      await witness.sees();
      phone.client.stream.pause();
      if (isInRoom) await witness.say('hello?');
      else bob.send(`<message type='chat' id='hello' to='${phone.jid}'><body>hello?</body></message>`);
      await service.until('phone', 1, 15_000);
      assert.ok(proxy.log.some((line) => line.includes('"SILENT"')));
      assert.is(proxy.log.filter((line) => line.includes('session hibernates')).length, 1);
      await phone.resume();
      await phone.client.fence({ room });
      const heard = phone.messages((one) => one.child('body') !== undefined).map((one) => one.child('body')?.text);
      assert.equal(heard, ['hello?']);
      assert.equal(await witness.sees(), []);
      // One that answers is never taken for asleep.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.not.ok(phone.client.stream.isClosed);
      assert.is(service.told.length, 1);
    },
    { except, config: { limits: { silence: '1s' } } },
  );
}

scenario.run();
