/** How streams end on real servers (S8): with the same condition on both sides of the proxy, and never by a hang. */
import type { TestProxy } from '../support/proxy.ts';
import { befriend } from './support/contacts.ts';
import { assert, stages } from './support/stage.ts';
import { until } from './support/witness.ts';

const stage = stages('stream-ends');

stage(
  'S8',
  "the server's stream error reaches the client with its condition, and the stream is closed",
  async (scene) => {
    const proxy = await scene.proxy();
    for (const access of ['tcp', 'ws'] as const) {
      const alice = await scene.login(proxy.at(access), 'alice', { resource: 'desk' });
      await scene.direct('alice', { resource: 'desk' });
      const ending = await alice.closed;
      assert.ok(ending.error?.child('conflict', 'urn:ietf:params:xml:ns:xmpp-streams'), access);
      assert.ok(ending.isClean, access);
    }
    await settled(proxy);
  },
);

stage('S8', "a client's close, and its loss, end its session at the server", async (scene) => {
  const proxy = await scene.proxy();
  const bob = await scene.direct('bob');
  const first = await scene.direct('alice');
  await befriend(first, bob);
  await first.end();
  await bob.pick(`<presence type='unavailable' from='${first.jid}'/>`);
  for (const access of ['tcp', 'ws'] as const) {
    for (const way of ['end', 'fin', 'drop'] as const) {
      const alice = await scene.login(proxy.at(access), 'alice', { resource: `${access}-${way}` });
      await bob.pick(`<presence from='${alice.jid}'/>`);
      await alice[way]();
      await bob.pick(`<presence type='unavailable' from='${alice.jid}'/>`);
    }
  }
  await settled(proxy);
});

stage(
  'S8',
  'what a client has asked for right before it closes its stream comes before the end',
  async (scene) => {
    const proxy = await scene.proxy();
    for (const access of ['tcp', 'ws'] as const) {
      const alice = await scene.login(proxy.at(access), 'alice');
      alice.send(`<iq type='get' id='last' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`);
      const ended = alice.end();
      await alice.pick(`<iq type='result' id='last'/>`);
      assert.ok((await ended).isClean, access);
    }
    await settled(proxy);
  },
  // jabberd2 ends a stream before it has answered, and so may ejabberd one over TCP.
  { on: ['prosody'] },
);

stage('S8', 'a domain that is not served is refused by its name', async (scene) => {
  const proxy = await scene.proxy();
  for (const access of ['tcp', 'ws'] as const) {
    const error = await scene.connect({ ...proxy.at(access), domain: 'elsewhere.example' }).catch((thrown) => thrown);
    assert.match(error.message, 'host-unknown', access);
  }
});

stage('S8', 'an unknown stream element of a client has the end that the server gives it', async (scene) => {
  const proxy = await scene.proxy();
  const alice = await scene.login(proxy.at('tcp'), 'alice');
  alice.send(`<unheard-of xmlns='urn:example:of'/>`);
  if (scene.server.name === 'prosody') assert.ok((await alice.closed).error?.child('unsupported-stanza-type'));
  else await alice.ping();
});

stage.run();

/** Nothing of the clients that have gone is left. */
function settled({ app }: TestProxy): Promise<void> {
  return until('the proxy holds no stream', () => app.census().legs === 0 && app.census().sessions === 0);
}
