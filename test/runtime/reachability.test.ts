/** Whether servers can be reached, also where no client tries: they go and come back. */
import type { HostConfig } from '../../proxy/config/types.ts';
import { DialError } from '../../proxy/net/dial.ts';
import type { Leg } from '../../proxy/net/leg.ts';
import { silentLog } from '../../proxy/ops/log.ts';
import { Reachability } from '../../proxy/runtime/reachability.ts';
import { until } from '../scenarios/support/witness.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('reachability of servers');

const host = { name: 'example.org', upstream: { scheme: 'xmpp', host: '127.0.0.1', port: 1 } } as HostConfig;

function stage(quietMs: number) {
  let isThere = true;
  let looks = 0;
  const destroyed = { destroy() {} } as Leg;
  const dial = async (): Promise<Leg> => {
    looks += 1;
    if (!isThere) throw new DialError('refused', 'nobody there');
    return destroyed;
  };
  const reachability: Reachability = new Reachability({
    hosts: [host],
    dial: (one) => reachability.note(one, dial()),
    log: silentLog,
    awayMs: 5,
    quietMs,
  });
  return {
    reachability,
    looks: () => looks,
    set: (is: boolean) => {
      isThere = is;
    },
  };
}

test('a server that is back is noticed though no client connects', async ({ after }) => {
  const { reachability, set } = stage(3_600_000);
  after(() => reachability.stop());
  set(false);
  await reachability.start();
  assert.equal(reachability.troubles, ['The server of example.org could not be reached: refused.']);
  set(true);
  await until('it is reached', () => reachability.troubles.length === 0);
});

test('a server that has gone is noticed though no client connects, and one in use is not looked for', async ({
  after,
}) => {
  const quiet = stage(10);
  after(() => quiet.reachability.stop());
  await quiet.reachability.start();
  quiet.set(false);
  await until('it is missed', () => quiet.reachability.troubles.length === 1);
  const busy = stage(3_600_000);
  after(() => busy.reachability.stop());
  await busy.reachability.start();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.is(busy.looks(), 1);
});

test('a connection that its client did not wait for says nothing about the server', async ({ after }) => {
  const { reachability } = stage(3_600_000);
  after(() => reachability.stop());
  await reachability.start();
  const given = reachability.note(host, Promise.reject(new DialError('aborted', 'given up')));
  await given.catch(() => {});
  assert.equal(reachability.troubles, []);
});

test.run();
