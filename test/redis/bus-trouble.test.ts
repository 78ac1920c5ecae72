/** What the bus does when its connection breaks, an inbox is full, or Redis restarts (C3). */
import { createClient } from 'redis';
import { createMetrics } from '../../proxy/ops/metrics.ts';
import { MOST_WAITING_ENVELOPES } from '../../proxy/store/bus.ts';
import type { RedisBus } from '../../proxy/store/redis-bus.ts';
import { StoreError } from '../../proxy/store/store.ts';
import { startRedis } from '../servers/index.ts';
import { until } from '../servers/process.ts';
import { assert, suite, type TestContext } from '../support/suite.ts';
import { openStore, targetOf } from './support.ts';
import { wayTo } from './way.ts';

const test = suite('redis bus in trouble', { limitMs: 60_000 });
const second = 1000;

/** A Redis, a store straight on it, and one whose way can be cut, with the inbox of node `n`. */
async function stage(context: TestContext, extra: string[] = []) {
  const { after } = context;
  const redis = await startRedis({ extra });
  after(() => redis.stop());
  const way = await wayTo(redis.port, context);
  const sender = await openStore(targetOf(redis.port));
  const receiver = await openStore(targetOf(way.port));
  after(() => Promise.all([sender.close(), receiver.close()]));
  const heard: string[] = [];
  const inbox = await receiver.bus.open('n', {
    envelope: ({ body }) => void heard.push(body.toString()),
    gap: () => void heard.push('gap'),
  });
  const send = (body: string) => sender.bus.send('s', 'n', Buffer.from(body));
  return { redis, way, sender, receiver, inbox, heard, send };
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  return error instanceof StoreError ? error.code : 'none';
}

test('how late envelopes are handled is measured by Redis clock, and what waits is told', async ({ after }) => {
  const redis = await startRedis();
  after(() => redis.stop());
  const metrics = createMetrics();
  const sender = await openStore(targetOf(redis.port));
  const receiver = await openStore(targetOf(redis.port), { metrics });
  after(() => Promise.all([sender.close(), receiver.close()]));
  let heard = 0;
  const envelope = () => {
    heard += 1;
    const end = performance.now() + 300;
    // The first holds up the second.
    while (heard === 1 && performance.now() < end);
  };
  const inbox = await receiver.bus.open('n', { envelope, gap: () => {} });
  const send = (count: number) =>
    Promise.all(numbers(0, count).map((body) => sender.bus.send('s', 'n', Buffer.from(body))));
  await send(2);
  await until('both', 5 * second, () => heard === 2);
  assert.is(await inbox.pending(), 0);
  const text = await metrics.render();
  const numberIn = (name: string) => Number(new RegExp(`^minimix_bus_lag_seconds_${name} (.*)$`, 'm').exec(text)?.[1]);
  assert.is(numberIn('count'), 2);
  const sum = numberIn('sum');
  assert.ok(sum > 0.59 && sum < 3, String(sum));
  (receiver.bus as RedisBus).close();
  await send(5);
  assert.is(await inbox.pending(), 5);
});

test('reading goes on behind the last envelope, however often the connection breaks', async (context) => {
  const { way, heard, send } = await stage(context);
  for (let round = 0; round < 5; round++) {
    const sent = numbers(round * 200, round * 200 + 100).map(send);
    await until('some', 5 * second, () => heard.length > round * 200);
    way.cut();
    sent.push(...numbers(round * 200 + 100, round * 200 + 200).map(send));
    await Promise.all(sent);
    way.mend();
    await until('all', 10 * second, () => heard.length >= (round + 1) * 200);
  }
  assert.equal(heard, numbers(0, 1000));
});

test('what was sent over a connection that broke is there at its place or not at all, and the next is not held up', async (context) => {
  const { way, receiver, heard } = await stage(context);
  const delivered: string[] = [];
  const refused: string[] = [];
  const work: Promise<unknown>[] = [];
  for (let turn = 0; turn < 600; turn++) {
    const body = String(turn);
    const sending = receiver.bus.send('s', 'n', Buffer.from(body));
    work.push(
      sending.then(
        () => delivered.push(body),
        () => refused.push(body),
      ),
    );
    if (turn % 10 === 0) await new Promise(setImmediate);
    // However fast this machine sends: some of each round has been answered before the connection breaks.
    if (turn % 150 === 60) await Promise.all(work);
    if (turn % 150 === 75) way.cut();
    if (turn % 150 === 100) {
      way.mend();
      await receiver.connected();
    }
  }
  await Promise.all(work);
  await until('the last', 10 * second, () => heard.at(-1) === '599');
  assert.ok(delivered.length > 100 && refused.length > 0, `${delivered.length} delivered, ${refused.length} refused`);
  for (const body of delivered) assert.ok(heard.includes(body), body);
  assert.equal(
    [...heard].sort((a, b) => Number(a) - Number(b)),
    heard,
    'in order',
  );
  assert.is(new Set(heard).size, heard.length, 'once');
});

test('a script flush in mid-run neither loses nor reorders anything', async (context) => {
  const { redis, heard, send } = await stage(context);
  const flusher = createClient({ url: redis.url });
  await flusher.connect();
  context.after(() => flusher.destroy());
  const work: Promise<unknown>[] = [];
  for (let turn = 0; turn < 2000; turn++) {
    work.push(send(String(turn)));
    if (turn % 7 === 0) work.push(flusher.scriptFlush());
    if (turn % 3 === 0) await new Promise(setImmediate);
  }
  await Promise.all(work);
  await until('all', 10 * second, () => heard.at(-1) === '1999');
  assert.equal(heard, numbers(0, 2000));
});

test('an inbox that nobody reads keeps the newest, and its reader is told where the others are lost', async (context) => {
  const { redis, way, heard, send } = await stage(context);
  await send('first');
  await until('it', 5 * second, () => heard.length === 1);
  way.cut();
  const flood = MOST_WAITING_ENVELOPES + 3000;
  await Promise.all(numbers(0, flood).map(send));
  const kept = Number(await redis.cli('xlen', 'test:node:{n}:inbox'));
  assert.ok(kept >= MOST_WAITING_ENVELOPES && kept < MOST_WAITING_ENVELOPES + 1000, String(kept));
  way.mend();
  await until('the last', 20 * second, () => heard.at(-1) === String(flood - 1));
  const [first, gap, ...rest] = heard;
  assert.equal([first, gap], ['first', 'gap']);
  assert.equal(rest, numbers(flood - rest.length, flood));
  assert.ok(rest.length >= MOST_WAITING_ENVELOPES);
  await until('Redis to be rid of what was read', 10 * second, async () => {
    return (await redis.cli('xlen', 'test:node:{n}:inbox')) === '0';
  });
});

test('over a restart with an append-only file nothing is lost, and the reader is told that something might be', async (context) => {
  const { redis, way, sender, heard, send } = await stage(context, ['appendonly yes', 'appendfsync always']);
  await Promise.all(numbers(0, 10).map(send));
  await until('ten', 5 * second, () => heard.length === 10);
  way.cut();
  await Promise.all(numbers(10, 20).map(send));
  await redis.halt(true);
  assert.is(await codeOf(send('refused')), 'unavailable');
  await redis.restart();
  await sender.connected();
  await Promise.all(numbers(20, 30).map(send));
  way.mend();
  await until('all', 10 * second, () => heard.includes('29') && heard.includes('gap'));
  assert.equal(
    heard.filter((body) => body !== 'gap'),
    numbers(0, 30),
  );
  assert.is(heard.length, 31, 'one gap');
  assert.ok(heard.indexOf('gap') >= 20, 'not before what was there');
  await send('30');
  await until('the next', 5 * second, () => heard.at(-1) === '30');
});

test('after a restart without persistence the inbox is made anew, and the gap is told', async (context) => {
  const { redis, way, sender, heard, send } = await stage(context);
  await send('0');
  await until('it', 5 * second, () => heard.length === 1);
  await redis.restart();
  await sender.connected();
  let code = '';
  await until('the inbox', 10 * second, async () => {
    code = await codeOf(send('1'));
    return code === 'none';
  });
  await until('it', 5 * second, () => heard.at(-1) === '1');
  assert.equal(heard, ['0', 'gap', '1']);
  way.cut();
  way.mend();
  await send('2');
  await until('the next', 5 * second, () => heard.at(-1) === '2');
  assert.equal(heard, ['0', 'gap', '1', '2'], 'told once');
});

test('the inbox of a node that was removed is gone, and so is one that nobody keeps', async (context) => {
  const { redis, sender, send } = await stage(context);
  const unread = await openStore(targetOf(redis.port));
  await unread.bus.open('m', { envelope: () => {}, gap: () => {} });
  await unread.close();
  await sender.bus.send('s', 'm', Buffer.from('x'));
  for (const key of ['test:node:{m}:inbox', 'test:node:{m}:inbox:count']) {
    assert.ok(Number(await redis.cli('pttl', key)) > 0, key);
  }
  await sender.nodes.remove('m');
  assert.is(await codeOf(sender.bus.send('s', 'm', Buffer.from('x'))), 'no-inbox');
  await send('still there');
});

test('a sender that Redis does not answer is told soon, and its memory is bounded', async (context) => {
  const { redis, sender } = await stage(context);
  redis.pause();
  const codes = new Map<string, number>();
  const started = performance.now();
  const big = Buffer.alloc(1024 * 1024);
  const sent = Array.from({ length: 100 }, () => codeOf(sender.bus.send('s', 'n', big)));
  const early = await Promise.race([
    ...sent.slice(70),
    new Promise((resolve) => setTimeout(() => resolve('late'), second)),
  ]);
  assert.is(early, 'unavailable', 'what is too much is refused at once');
  for (const code of await Promise.all(sent)) codes.set(code, (codes.get(code) ?? 0) + 1);
  redis.resume();
  assert.equal([...codes.keys()], ['unavailable']);
  assert.ok(performance.now() - started < 30 * second);
});

test.run();
