/** Account streams that survive their connections (XEP-0198), against a server that says what the test wants. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Owed } from '../../proxy/core/inputs.ts';
import { LegContext } from '../../proxy/net/context.ts';
import { Dialer } from '../../proxy/net/dial.ts';
import { captureLog } from '../../proxy/ops/log.ts';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { AccountStream } from '../../proxy/runtime/account-stream.ts';
import type { AccountDeps } from '../../proxy/runtime/deps.ts';
import type { Stanza } from '../../proxy/xml/stanza.ts';
import { type FakePeer, type FakeServer, type FakeStage, startFakeServer } from '../support/fake-server.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { LIMITS } from './scripted.ts';

const test = suite('account streams: resumption');

const SM = 'urn:xmpp:sm:3';
const HOST = 'localhost';

interface Options {
  features?: string;
  enabled?: string;
  pingMs?: number;
}

interface Lost {
  isConflict: boolean;
  owed: Owed;
}

interface Play {
  server: FakeServer;
  stream: AccountStream;
  first: FakePeer;
  heard: string[];
  /** Resolves when the rules are told that the stream is lost. */
  lost: Promise<Lost>;
  deps: AccountDeps;
  say(id: string): void;
  count(result: string): Promise<number>;
}

/** An account stream that is open, stream management enabled where the server offers it. */
async function play({ after }: TestContext, options: Options = {}): Promise<Play> {
  const { features = `<sm xmlns='${SM}'/>`, enabled = "resume='true' max='60'", pingMs = 60_000 } = options;
  const server = await startFakeServer({
    features,
    answer: ({ name, ns }) =>
      ns === SM && name === 'enable' ? `<enabled xmlns='${SM}' id='p&amp;1' ${enabled}/>` : undefined,
  });
  after(() => server.stop());
  const metrics = createMetrics();
  const log = captureLog();
  const limits = { ...LIMITS, pingMs };
  const dialer = new Dialer(new LegContext({ limits, log, metrics }));
  let serial = 0;
  const deps = {
    config: { limits },
    dial: (host: { upstream: never; name: string }, more: { signal?: AbortSignal }) =>
      dialer.dial(host.upstream, host.name, more),
    log,
    metrics,
    isShared: false,
    offerStreamManagement: true,
    leaving: new Set(),
    token: () => `t${++serial}`,
    serial: () => String(++serial),
  } as unknown as AccountDeps;
  const upstream = { scheme: 'xmpp', host: '127.0.0.1', port: server.port, path: '', verify: false } as const;
  const host = { name: HOST, upstream, accountStreams: true };
  const heard: string[] = [];
  let ready = (): void => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let stream!: AccountStream;
  const lost = new Promise<Lost>((resolve, reject) => {
    const credentials = { username: 'alice', secret: 'secret', host } as unknown as ConstructorParameters<
      typeof AccountStream
    >[1];
    stream = new AccountStream(`alice@${HOST}`, credentials, deps, {
      ready,
      failed: () => reject(new Error('failed')),
      stanza: (_, stanza: Stanza) => void heard.push(stanza.id ?? ''),
      lost: (_, isConflict, owed) => resolve({ isConflict, owed }),
    });
  });
  lost.catch(() => {});
  stream.open();
  after(() => stream.abort());
  const first = await server.peer();
  await isReady;
  return {
    server,
    stream,
    first,
    heard,
    lost,
    deps,
    say: (id) => stream.outlet.send(undefined, `<message id='${id}' to='room@muc'/>`),
    count: async (result) => {
      const text = await metrics.registry.getSingleMetricAsString('minimix_account_stream_resumptions_total');
      return Number(new RegExp(`result="${result}"} (\\d+)`).exec(text)?.[1]);
    },
  };
}

/** The connection breaks, and the stream knows it; further ones get as far as told. */
async function cut({ server, deps }: Play, peer: FakePeer, upTo: FakeStage = 'login'): Promise<void> {
  server.options = { ...server.options, upTo };
  const log = deps.log as ReturnType<typeof captureLog>;
  const known = log.lines.length;
  peer.drop();
  while (!log.lines.slice(known).some(({ message }) => message === 'account stream broken')) await pause(1);
}

/** The next connection, up to its `<resume/>`. */
async function comeBack({ server }: Play, answer: string, expected: string): Promise<FakePeer> {
  const peer = await server.peer();
  await peer.expect(`<resume xmlns='${SM}' previd='p&amp;1' h='${expected}'/>`);
  peer.send(answer);
  return peer;
}

const resumed = (h: number): string => `<resumed xmlns='${SM}' previd='p&amp;1' h='${h}'/>`;
const failed = (h?: number): string =>
  `<failed xmlns='${SM}'${h === undefined ? '' : ` h='${h}'`}><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`;

const ids = (list: readonly Stanza[] | undefined): (string | undefined)[] => (list ?? []).map(({ id }) => id);

test('what comes is acknowledged at once when asked, and the server is asked after twenty stanzas', async (t) => {
  const { first, heard, say } = await play(t);
  first.send(`<r xmlns='${SM}'/><message id='1'/><presence id='2'/><r xmlns='${SM}'/>`);
  await first.expect(`<a xmlns='${SM}' h='0'/>`);
  await first.expect(`<a xmlns='${SM}' h='2'/>`);
  assert.equal(heard, ['1', '2']);
  for (let k = 0; k < 45; k += 1) say(`m${k}`);
  await first.pick(`<r xmlns='${SM}'/>`);
  await first.pick(`<message id='m44'/>`);
  assert.is(first.text.split('<r xmlns').length - 1, 1, 'and not again before it has answered');
  first.send(`<a xmlns='${SM}' h='45'/>`);
  first.send(`<iq type='get' id='after'/>`);
});

test('a connection that breaks is replaced unseen: what the server lacks is sent again, in order, before what has waited', async (t) => {
  const played = await play(t);
  const { first, say, heard, count } = played;
  first.send("<message id='1'/>");
  for (const id of ['a', 'b', 'c']) say(id);
  await first.pick("<message id='c'/>");
  await cut(played, first);
  say('d');
  const second = await comeBack(played, `${resumed(1)}<message id='2'/><r xmlns='${SM}'/>`, '1');
  for (const id of ['b', 'c', 'd']) await second.expect(`<message id='${id}'/>`);
  await second.expect(`<a xmlns='${SM}' h='2'/>`);
  assert.equal(heard, ['1', '2']);
  assert.is(await count('resumed'), 1);
  // And once more, over the counters that go on.
  second.send(`<a xmlns='${SM}' h='3'/>`);
  await cut(played, second);
  const third = await comeBack(played, resumed(3), '2');
  await third.expect("<message id='d'/>");
});

test('a server that has given the session up ends the stream; what it tells decides what is known of the last messages', async (t) => {
  for (const h of [undefined, 1]) {
    const played = await play(t);
    const { first, say, lost, count } = played;
    for (const id of ['a', 'b']) say(id);
    await first.pick("<message id='b'/>");
    await cut(played, first);
    say('c');
    await comeBack(played, failed(h), '0');
    const { isConflict, owed } = await lost;
    assert.is(isConflict, false);
    assert.equal(ids(owed.unsent), h === undefined ? ['c'] : ['b', 'c']);
    assert.equal(ids(owed.unacknowledged), h === undefined ? ['a', 'b'] : []);
    assert.is(await count('refused'), 1);
  }
});

test('a stream that the server has ended is not resumed', async (t) => {
  const ways: [string, (peer: FakePeer) => void, boolean][] = [
    ['conflict', (peer) => peer.fail('conflict'), true],
    ['policy-violation', (peer) => peer.fail('policy-violation'), false],
    ['closed in order', (peer) => peer.end(), false],
  ];
  for (const [name, end, isConflict] of ways) {
    const { first, say, lost, server } = await play(t);
    say('a');
    await first.pick("<message id='a'/>");
    end(first);
    const told = await lost;
    assert.is(told.isConflict, isConflict, name);
    assert.equal(ids(told.owed.unacknowledged), ['a'], name);
    assert.is(server.peers.length, 1, name);
  }
});

test('a server without stream management, or that resumes nothing, is as before', async (t) => {
  for (const options of [{ features: '' }, { enabled: '' }]) {
    const { first, say, lost, server } = await play(t, options);
    say('a');
    await first.pick("<message id='a'/>");
    first.drop();
    const { owed } = await lost;
    assert.equal(owed.unacknowledged && ids(owed.unacknowledged), options.features === '' ? undefined : ['a']);
    assert.is(server.peers.length, 1);
  }
});

test('a peer that has vanished without a word is noticed, and the stream goes on over a new connection', async (t) => {
  const played = await play(t, { pingMs: 200 });
  const { first, say, server } = played;
  server.options = { ...server.options, upTo: 'login' };
  await first.pick(`<r xmlns='${SM}'/>`);
  first.send(`<a xmlns='${SM}' h='0'/>`);
  // Alive so far. Now it answers nothing any more.
  await first.pick(`<r xmlns='${SM}'/>`);
  say('a');
  const second = await comeBack(played, resumed(0), '0');
  await second.expect("<message id='a'/>");
  await first.closed;
});

test('when no connection is to be had in the time that the server keeps the session, the stream is lost', async (t) => {
  const played = await play(t, { enabled: "resume='true' max='1'" });
  const { server, first, say, lost, count } = played;
  say('a');
  await first.pick("<message id='a'/>");
  await cut(played, first, 'nothing');
  void (async () => {
    for (;;) (await server.peer()).drop();
  })().catch(() => {});
  const { owed } = await lost;
  assert.equal(ids(owed.unacknowledged), ['a']);
  assert.is(await count('expired'), 1);
  assert.ok(server.peers.length > 2 && server.peers.length < 8, `${server.peers.length} connections`);
});

test('more than may wait for a connection ends the stream, and nothing of it is lost without a word', async (t) => {
  const played = await play(t);
  const { first, stream, lost } = played;
  await cut(played, first, 'nothing');
  const body = 'x'.repeat(60_000);
  for (let k = 0; k < 40; k += 1)
    stream.outlet.send(undefined, `<message id='${k}' to='room@muc'><body>${body}</body></message>`);
  const { owed } = await lost;
  assert.is(owed.unsent.length, 40);
});

test('a stream that is not needed any more while it has no connection says what it had to say, and ends in order', async (t) => {
  const played = await play(t);
  const { first, stream, say, deps } = played;
  await cut(played, first);
  say('leave');
  stream.close();
  assert.is(deps.leaving.size, 1);
  const second = await comeBack(played, resumed(0), '0');
  await second.expect("<message id='leave'/>");
  assert.is(await second.closed, true);
  assert.is(deps.leaving.size, 0);
});

test('a server that grants a resumption with a count that cannot be is given up', async (t) => {
  const played = await play(t);
  await cut(played, played.first);
  const second = await comeBack(played, resumed(7), '0');
  await played.lost;
  assert.is(await second.closed, true);
  assert.is(await played.count('failed'), 1);
});

test.run();
