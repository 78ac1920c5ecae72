/** Clients that know the older version of stream management only (urn:xmpp:sm:2, S9). */
import { assert, converse, scenarios } from './support/scenario.ts';
import { until } from './support/witness.ts';

const scenario = scenarios('resume-version');

const OLD = 'urn:xmpp:sm:2';
const NEW = 'urn:xmpp:sm:3';

scenario(
  'S9',
  'a client of the older version is acknowledged and resumed in it, and its session is not resumed in the newer one',
  async (scene) => {
    const { mechanism, proxy, transport } = scene;
    const bob = await scene.direct('bob');
    const device = await scene.login('al');
    device.send(`<enable xmlns='${OLD}' resume='true'/>`);
    const enabled = await device.pick(`<enabled xmlns='${OLD}' resume='true'/>`);
    const previd = enabled.attrs.id ?? '';
    device.send(`<message to='${bob.jid}' type='chat' id='one'><body>one</body></message>`);
    device.send(`<r xmlns='${OLD}'/>`);
    await device.pick(`<a xmlns='${OLD}' h='1'/>`);
    await bob.pick(`<message type='chat' id='one' from='${device.jid}'/>`);
    await device.drop();
    await until('the session hibernates', () => proxy.log.some((line) => line.includes('session hibernates')));
    bob.send(`<message to='${device.jid}' type='chat' id='two'><body>two</body></message>`);
    await bob.fence();
    const user = device.jid.slice(0, device.jid.indexOf('@'));
    const again = scene.adopt(
      await converse(proxy.target(transport), 'again', (client) => client.authenticate({ user, mechanism })),
    );
    again.send(`<resume xmlns='${NEW}' previd='${previd}' h='0'/>`);
    const failed = await again.pick(`<failed xmlns='${NEW}'/>`);
    assert.is(failed.elements[0]?.name, 'item-not-found');
    again.send(`<resume xmlns='${OLD}' previd='${previd}' h='0'/>`);
    await again.pick(`<resumed xmlns='${OLD}' previd='${previd}' h='1'/>`);
    await again.pick(`<message type='chat' id='two' from='${bob.jid}' to='${device.jid}'/>`);
    again.send(`<message to='${bob.jid}' type='chat' id='three'><body>three</body></message>`);
    await bob.pick(`<message type='chat' id='three' from='${device.jid}'/>`);
  },
);

scenario.run();
