/** The program as it is run: SIGTERM closes all streams in order (C4 as far as one node goes), bad surroundings are survived. */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { type Client, login } from '../support/client.ts';
import { answerJoin, type FakePeer, startFakeServer } from '../support/fake-server.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
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
  const program = await start(context, server.upstream);
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
  const program = await start(context, `xmpp://127.0.0.1:${port}`);
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

interface Program {
  child: ChildProcess;
  ports: { tcp: number; ws: number };
  ended: Promise<number | null>;
}

async function start({ after }: TestContext, upstream: string): Promise<Program> {
  const listeners = ['--listen', 'tcp://127.0.0.1:0?tls=none', '--listen', 'ws://127.0.0.1:0'];
  const args = ['--import', 'tsx', 'proxy/main.ts', ...listeners, '--host', 'localhost', '--upstream', upstream];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MINIMIX_')));
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('it has started', () => output.includes('"msg":"started"'), 20_000);
  const lines = output.split('\n').filter((line) => line.includes('"msg":"listening"'));
  const [tcp = 0, ws = 0] = lines.map((line) => (JSON.parse(line) as { port: number }).port);
  return { child, ports: { tcp, ws }, ended };
}
