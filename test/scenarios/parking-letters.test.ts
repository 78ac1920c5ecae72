/** What is written to a device that is not there any more, and cannot be resumed: kept with its parked stream, or the server's to see to. */
import { alone, parkedAlone } from './support/parked.ts';
import { assert, type Client, type Scene, scenarios } from './support/scenario.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('parking-letters', { except: ['passwordKnown', 'sameOnBoth'] });

scenario(
  'M6',
  'more than can be kept for a parked stream is given back to who has written it, and receipts make way for letters',
  async (scene) => {
    const { desk } = await parkedAlone(scene);
    const friend = await scene.direct('friend', { device: 'friend' });
    const receipt = `<received xmlns='urn:xmpp:receipts' id='earlier'/>`;
    friend.send(`<message type='chat' to='${desk.jid}' id='receipt'>${receipt}</message>`);
    const ids = Array.from({ length: 102 }, (_, count) => `m${count}`);
    for (const id of ids) friend.send(`<message type='chat' to='${desk.jid}' id='${id}'><body>${id}</body></message>`);
    for (const id of ids.slice(100)) await friend.pick(`<message type='error' from='${desk.jid}' id='${id}'/>`);
    const back = await scene.login('alice', { device: 'phone' });
    for (const id of ids.slice(0, 100)) await back.pick(`<message type='chat' from='${friend.jid}' id='${id}'/>`);
    const more = (await back.fence()).filter(({ name, from }) => name === 'message' && from === friend.jid);
    assert.equal(more.map(String), []);
    assert.match(await scene.proxy.app.metrics.render(), /^minimix_drops_total\{reason="letters-full"\} 1$/m);
  },
);

for (const linger of ['0s', '7d']) {
  const what = linger === '0s' ? "is the server's again with linger 0" : 'reaches the next session';
  scenario(
    'S9',
    `what a device that manages its stream, and cannot resume, has not acknowledged when it drops ${what}`,
    async (scene) => {
      const { desk } = await alone(scene);
      const friend = await scene.direct('friend', { device: 'friend' });
      const own = await scene.direct('carol', { device: 'desk', transport: scene.transport });
      const fates = new Map<Client, string>();
      for (const device of [desk, own]) {
        await device.enableSm('');
        await device.ping();
        device.stream.pause();
        friend.send(`<message type='chat' to='${device.jid}' id='lost'><body>on its way</body></message>`);
        await friend.fence();
        await device.drop();
        const isLate = device === desk && linger !== '0s';
        const role = device === desk ? 'alice' : 'carol';
        if (isLate) await until('its stream is parked', () => scene.proxy.app.census().parked === 1);
        else await until('it has gone', () => scene.proxy.app.census().legs === 0 || device === own);
        // Whether it is the server that has it shows past the proxy.
        const next = isLate ? await scene.login(role, { device: 'phone' }) : await settled(scene, role, device);
        const told = [...(await next.fence()), ...next.stream.inbox.takeAll()].some(({ id }) => id === 'lost');
        const errors = [...(await friend.fence()), ...friend.stream.inbox.takeAll()];
        const isRefused = errors.some(({ id, type, from }) => id === 'lost' && type === 'error' && from === device.jid);
        fates.set(device, `${told ? 'given to the next' : 'not given'}, ${isRefused ? 'refused' : 'not refused'}`);
      }
      if (linger === '0s') assert.is(fates.get(desk), fates.get(own));
      else assert.is(fates.get(desk), 'given to the next, not refused');
    },
    { except: ['streamManagement'], config: { linger } },
  );
}

/** The server has noticed that the device has gone: the next session of the account, past the proxy, sees no other. */
async function settled(scene: Scene, role: string, device: Client): Promise<Client> {
  const next = await scene.direct(role, { device: 'phone' });
  await until('the server has ended the old stream', async () => {
    const probe = `<iq type='get' to='${device.jid}'><ping xmlns='urn:xmpp:ping'/></iq>`;
    return next.iqError(probe, { limitMs: 500 }).then(
      ({ condition }) => condition === 'service-unavailable',
      () => false,
    );
  });
  return next;
}

scenario.run();
