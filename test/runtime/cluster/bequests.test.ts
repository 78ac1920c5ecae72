/** To whom the accounts of a node that stops are given (runtime/cluster/bequests.ts). */
import { silentLog } from '../../../proxy/ops/log.ts';
import { bequeathAll, type Testator } from '../../../proxy/runtime/cluster/bequests.ts';
import type { SharedAccount } from '../../../proxy/runtime/cluster/shared-account.ts';
import { assert, suite } from '../../support/suite.ts';

const test = suite('bequests');

interface Ground {
  /** Nodes that have the key, in the order in which they are asked. */
  readonly nodes: readonly string[];
  readonly declining?: readonly string[];
  /** Nodes with which the account does not stay: it is back with this one. */
  readonly failing?: readonly string[];
}

/** Gives one account away; returns whom it was offered and given to, in order. */
async function bequeath({ nodes, declining = [], failing = [] }: Ground, limitMs = 1000): Promise<string[]> {
  const steps: string[] = [];
  const account = {
    key: 'alice@test',
    bare: 'alice@test',
    accountStream: { sealed: 'v1.aa.data' },
    ports: { sessions: new Map() },
    isOver: false,
    isDrained: true,
    isLeftBehind: true,
    bequeath(heir: string): Promise<void> {
      steps.push(`${heir} takes`);
      account.isLeftBehind = false;
      account.isDrained = false;
      setTimeout(() => {
        account.isLeftBehind = failing.includes(heir);
        account.isDrained = true;
      }, 5);
      return Promise.resolve();
    },
  };
  const node = {
    isReached: true,
    peerWith: (_: string, but: ReadonlySet<string> = new Set()) => nodes.find((one) => !but.has(one)),
  };
  const heirs: Testator['heirs'] = {
    ask(heir) {
      steps.push(`${heir} asked`);
      return Promise.resolve(!declining.includes(heir));
    },
  };
  const vault: Testator['vault'] = { read: () => Promise.reject(new Error('it is known what is sealed')) };
  const testator = { node, heirs, vault, log: silentLog } as unknown as Testator;
  await bequeathAll([account as unknown as SharedAccount], testator, performance.now() + limitMs);
  return steps;
}

test('an account goes to the first node that is willing, and to no other', async () => {
  assert.equal(await bequeath({ nodes: ['a', 'b'] }), ['a asked', 'a takes']);
  assert.equal(await bequeath({ nodes: ['a', 'b', 'c'], declining: ['a'] }), ['a asked', 'b asked', 'b takes']);
  assert.equal(await bequeath({ nodes: [] }), []);
});

test('one with which it does not stay is followed by the next, each being asked once', async () => {
  const all = ['a asked', 'a takes', 'b asked', 'c asked', 'c takes'];
  assert.equal(await bequeath({ nodes: ['a', 'b', 'c'], declining: ['b'], failing: ['a'] }), all);
  const began = performance.now();
  const none = { nodes: ['a', 'b'], failing: ['a', 'b'] };
  assert.equal(await bequeath(none), ['a asked', 'a takes', 'b asked', 'b takes']);
  assert.ok(performance.now() - began < 900, 'nobody is left to be waited for');
});

test('when the time for it is over nobody else is asked', async () => {
  const nodes = Array.from({ length: 200 }, (_, index) => `n${index}`);
  // Each is waited for for some milliseconds.
  const steps = await bequeath({ nodes, failing: nodes }, 50);
  assert.ok(steps.length > 0 && steps.length < nodes.length, `${steps.length} steps`);
  assert.equal(await bequeath({ nodes }, 0), []);
});

test.run();
