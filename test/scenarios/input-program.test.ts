/** The program as it is run: SIGTERM closes all streams in order (C4 as far as one node goes), bad surroundings are survived. */
import { type Client, login } from '../support/client.ts';
import { answerJoin, type FakePeer, startFakeServer } from '../support/fake-server.ts';
import { assert, suite } from '../support/suite.ts';
import { startProgram } from './support/program.ts';
import { until } from './support/witness.ts';

const test = suite('input-program', { limitMs: 60_000 });

test('SIGTERM tells every client system-shutdown, closes its stream and that at the server, and ends with 0', async (context) => {
  const peers: FakePeer[] = [];
  const server = await startFakeServer({
    answer: (element, peer) => {
      if (!peers.includes(peer)) peers.push(peer);
      if (element.name === 'presence' && element.type === undefined && element.to) answerJoin(peer, element);
      const isQuery = element.type === 'get' && element.to?.includes('@conference.');
      if (isQuery) return `<iq type='result' id='${element.id}' from='${element.to}' to='${peer.jid}'/>`;
      return element.name === 'presence' ? '' : undefined;
    },
  });
  context.after(() => server.stop());
  const program = await startProgram(context, server.upstream);
  const clients: Client[] = [];
  for (const [index, access] of (['tcp', 'ws', 'tcp', 'ws'] as const).entries()) {
    // Two of them make account streams, which must be closed too.
    const mechanism = index < 2 ? 'PLAIN' : 'X-TEST';
    const client = await login({ access, port: program.ports[access] }, { user: `user${index}`, mechanism });
    context.after(() => client.end(500));
    clients.push(client);
    client.send(
      `<presence to='room@conference.localhost/n${index}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
    );
    await client.pick(`<presence from='room@conference.localhost/n${index}'/>`);
  }
  await until('all streams are open', () => peers.length === 6);
  program.child.kill('SIGTERM');
  for (const client of clients) {
    const { error, isClean } = await client.closed;
    assert.ok(error?.child('system-shutdown'), client.jid);
    assert.ok(isClean, client.jid);
  }
  for (const peer of peers) assert.is(await peer.closed, true, peer.jid);
  assert.equal(await program.ended, 0);
});

test('a server that is not there at the start is no reason to end, and is used when it comes', async (context) => {
  const first = await startFakeServer();
  const { port } = first;
  await first.stop();
  const program = await startProgram(context, `xmpp://127.0.0.1:${port}`);
  const refused = await login({ access: 'tcp', port: program.ports.tcp }, { user: 'alice' }).catch((error) => error);
  assert.match(refused.message, 'remote-connection-failed');
  const server = await startFakeServer({}, port);
  context.after(() => server.stop());
  const client = await login({ access: 'tcp', port: program.ports.tcp }, { user: 'alice' });
  await client.end();
  program.child.kill('SIGTERM');
  assert.is(await program.ended, 0);
});

test.run();
