/**
 * SIGKILL of the program while clients have stanzas that are not acknowledged (S9): what was kept for their sessions is gone
 * with it, so they cannot be resumed; but nothing that was acknowledged is lost.
 */
import { Device } from './support/device.ts';
import { startProgram } from './support/program.ts';
import { assert, joinRoom, login, ns, sayInRoom, scenarios } from './support/scenario.ts';
import { said, watch } from './support/witness.ts';

const scenario = scenarios('resume-program', { limitMs: 60_000 });

scenario(
  'S9',
  'after a SIGKILL a resumption fails, what was acknowledged has arrived, and what the client sends again arrives once',
  async (scene) => {
    const { room } = scene;
    const access = scene.transport === 'tcp' ? 'tcp' : 'ws';
    const first = await startProgram(scene, scene.server.upstream());
    const witness = await watch(scene);
    const bob = await scene.direct('bob');
    const jid = await scene.jid('al');
    const options = {
      user: jid.slice(0, jid.indexOf('@')),
      mechanism: scene.mechanism,
      resource: 'phone',
      presence: 0,
    };
    const device = new Device(scene, scene.adopt(await login({ access, port: first.ports[access] }, options)));
    assert.is((await device.client.enableSm()).name, 'enabled');
    await joinRoom(device.client, `${room}/al`);
    // Nothing of what it is sent from now on is acknowledged by the client.
    const { client } = device;
    client.stream.pause();
    bob.send(`<message type='chat' id='unread' to='${jid}'><body>unread</body></message>`);
    await bob.fence();
    for (let count = 0; count < 50; count += 1) {
      client.send(`<message type='chat' id='mine${count}' to='${bob.jid}'><body>mine ${count}</body></message>`);
      client.send(`<r xmlns='${ns.sm}'/>`);
      if (count === 25) {
        client.stream.resume();
        await bob.pick("<message type='chat' id='mine20'/>");
      }
    }
    first.child.kill('SIGKILL');
    await client.closed;
    const lost = [...device.unacknowledged];
    const second = await startProgram(scene, scene.server.upstream());
    const target = { access, port: second.ports[access] } as const;
    const refused = await device.resume({ target }).then(
      () => 'granted',
      (error: Error) => error.message,
    );
    assert.is(refused, 'item-not-found');
    const again = device.client;
    await again.bind('phone');
    await again.available();
    for (const xml of lost) again.send(xml);
    const arrived = await bob.fence();
    await again.fence();
    arrived.push(...(await bob.fence()));
    const ids = new Set(arrived.filter(({ type }) => type === 'chat').map(({ id }) => id));
    const missing = Array.from({ length: 50 }, (_, count) => `mine${count}`).filter((id) => !ids.has(id));
    assert.equal(
      missing.filter((id) => id !== 'mine20'),
      [],
    );
    await joinRoom(again, `${room}/al`);
    const id = sayInRoom(again, room, 'back');
    await again.pick(said(room, 'al', id));
    await witness.client.pick(said(room, 'al', id));
  },
);

scenario.run();
