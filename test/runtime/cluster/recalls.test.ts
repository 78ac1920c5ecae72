/** Which node has a session that is to be resumed (S9): all are asked, and nothing hangs on one that does not answer. */
import { silentLog } from '../../../proxy/ops/log.ts';
import { type Holder, type RecallMessage, Recalls } from '../../../proxy/runtime/cluster/recalls.ts';
import { NS } from '../../../proxy/xml/names.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('recalls between nodes');

const request = { domain: 'localhost', previd: 'p', h: 3, version: NS.sm3 };
const nobody: Holder = {
  prepareResume: () => undefined,
  ownerOf: () => undefined,
  transfer: async () => false,
  resumeRefused: () => {},
};

/** Nodes by name that hear each other, those in `deaf` excepted. */
function nodes(holders: Record<string, Partial<Holder>>, deaf: readonly string[] = []) {
  const all = new Map<string, Recalls>();
  const sent: string[] = [];
  for (const [name, holder] of Object.entries(holders)) {
    let serial = 0;
    const recalls = new Recalls(
      {
        others: async () => Object.keys(holders).filter((other) => other !== name),
        send: (to: string, message: RecallMessage) => {
          sent.push(`${name} ${to} ${message.kind}`);
          if (!deaf.includes(to)) queueMicrotask(() => all.get(to)?.message(name, message));
        },
        newId: () => `${name}${serial++}`,
      },
      silentLog,
    );
    recalls.holder = { ...nobody, ...holder };
    all.set(name, recalls);
  }
  return { all, sent, asks: all.get('asks') as Recalls };
}

test('the node that has the session answers with what the server is to be told', async () => {
  const { asks } = nodes({ asks: {}, one: {}, has: { prepareResume: ({ h }) => `<resume h='${h}'/>` } });
  assert.equal(await asks.find(request), { node: 'has', xml: "<resume h='3'/>" });
});

test('of a session that the proxy keeps by itself the answer says whose it is, and the server is not told', async () => {
  const { asks } = nodes({
    asks: {},
    one: {},
    has: { ownerOf: () => 'al@localhost', prepareResume: () => '<resume/>' },
  });
  assert.equal(await asks.find(request), { node: 'has', owner: 'al@localhost' });
});

test('what no node has is known to be nowhere as soon as all have answered', async () => {
  const { asks, sent } = nodes({ asks: {}, one: {}, two: {} });
  const before = performance.now();
  assert.is(await asks.find(request), undefined);
  assert.ok(performance.now() - before < 1000);
  assert.equal(sent.filter((one) => one.startsWith('asks')).length, 2, 'one envelope for each node');
  assert.is(await nodes({ asks: {} }).asks.find(request), undefined);
});

test('a node that does not answer is waited for a bounded time, and not at all at the end of the process', async () => {
  const { asks } = nodes({ asks: {}, dead: {} }, ['dead']);
  assert.is(await asks.find(request), undefined);
  const asking = asks.find(request);
  await new Promise((resolve) => setImmediate(resolve));
  asks.close();
  assert.is(await asking, undefined);
});

test('an answer counts from a node that was asked, once', async () => {
  const { asks } = nodes({ asks: {}, dead: {} }, ['dead']);
  const asking = asks.find(request);
  await new Promise((resolve) => setImmediate(resolve));
  asks.message('forger', { kind: 'recalled', id: 'asks0', xml: '<resume/>' });
  asks.message('dead', { kind: 'recalled', id: 'asks0', xml: undefined });
  asks.message('dead', { kind: 'recalled', id: 'asks0', xml: '<resume/>' });
  assert.is(await asking, undefined);
});

test('a session is transferred by the node that has it; a fault there is an answer too', async () => {
  const { asks } = nodes({
    asks: {},
    has: { transfer: async () => true },
    fails: {
      transfer: async () => {
        throw new Error('no');
      },
    },
  });
  assert.is(await asks.transfer('has', request), true);
  assert.is(await asks.transfer('fails', request), false);
});

test('who was asked in vain is told that the server has refused it', async () => {
  const refused: string[] = [];
  const { asks } = nodes({ asks: {}, has: { resumeRefused: ({ previd }) => refused.push(previd) } });
  asks.refused('has', request);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(refused, ['p']);
});

test.run();
