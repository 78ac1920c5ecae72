/** The fake server serves the test client as a real one does, and lets a test break the rules. */
import { login, StanzaError } from './client.ts';
import { answerJoin, type FakeServerOptions, startFakeServer } from './fake-server.ts';
import { joinRoom } from './room.ts';
import { assert, suite, type TestContext } from './suite.ts';

const test = suite('fake-server');

async function start(after: TestContext['after'], options?: FakeServerOptions) {
  const server = await startFakeServer(options);
  after(() => server.stop());
  return { server, target: { access: 'tcp', port: server.port } as const };
}

test('any user logs in and is bound under the resource asked for', async ({ after }) => {
  const { server, target } = await start(after);
  for (const mechanism of ['PLAIN', 'X-TEST']) {
    const client = await login(target, { user: 'alice', resource: 'desk', mechanism });
    const peer = await server.peer();
    assert.is(client.jid, 'alice@localhost/desk');
    assert.is(peer.jid, client.jid);
    assert.is(peer.mechanism, mechanism);
    assert.is((await client.end()).isClean, true);
    assert.is(await peer.closed, true);
  }
});

test('a join is answered by the test, in the order of the protocol', async ({ after }) => {
  const info = 'http://jabber.org/protocol/disco#info';
  const { target } = await start(after, {
    answer: (element, peer) => {
      if (element.name === 'presence' && element.to) answerJoin(peer, element, { occupants: ['bob'], subject: 'tea' });
      if (!element.child('query', info)) return element.name === 'presence' ? '' : undefined;
      return `<iq type='result' id='${element.id}' from='${element.to}'/>`;
    },
  });
  const client = await login(target, { user: 'alice', presence: 0 });
  const joined = await joinRoom(client, 'r@conference.localhost/al');
  assert.is(joined.sequence, 'PST');
  assert.is(joined.subject?.child('subject')?.text, 'tea');
  await client.end();
});

test('a stream error and text that is not XML reach the client as the end of its stream', async ({ after }) => {
  const { server, target } = await start(after);
  const first = await login(target, { user: 'alice' });
  (await server.peer()).fail('conflict');
  const ending = await first.closed;
  assert.is(ending.error?.elements[0]?.name, 'conflict');
  assert.is(ending.isClean, true);

  const second = await login(target, { user: 'alice' });
  (await server.peer()).sendRaw('<message><b></message>');
  assert.match((await second.closed).reason, 'not a valid stream');
});

test('what the client sends before anything is answered can be seen byte for byte', async ({ after }) => {
  const { server, target } = await start(after, { upTo: 'nothing' });
  const failed = login(target, { user: 'alice' }).catch((error) => error);
  const peer = await server.peer();
  while (peer.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(peer.text, /^<\?xml version='1.0'\?><stream:stream /);
  peer.drop();
  assert.instance(await failed, Error);
});

test('an error stanza is thrown with its condition', async ({ after }) => {
  const { target } = await start(after, {
    answer: ({ name, id, attrs }) =>
      name === 'iq' && attrs.to === 'x@localhost'
        ? `<iq type='error' id='${id}'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
        : undefined,
  });
  const client = await login(target, { user: 'alice' });
  const error = await client.iq(`<iq type='get' to='x@localhost'><q xmlns='x'/></iq>`).catch((thrown) => thrown);
  assert.instance(error, StanzaError);
  assert.is(error.condition, 'gone');
  assert.is(error.errorType, 'cancel');
  await client.end();
});

test.run();
