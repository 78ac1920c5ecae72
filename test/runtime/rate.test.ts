/** What a session may send, and how its device delays itself only (X1, M9a). */
import type { Leg } from '../../proxy/net/leg.ts';
import { Outlet } from '../../proxy/runtime/outlet.ts';
import { RateBucket } from '../../proxy/runtime/rate.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('rates and turns');

test('over the rate a sender rests as long as it takes to be within it again', () => {
  const bucket = new RateBucket({ perSecond: 10, burst: 2 }, 0);
  assert.equal([bucket.take(1, 0), bucket.take(1, 0), bucket.take(1, 0)], [0, 0, 100]);
  assert.is(bucket.take(1, 300), 0);
});

test('a clock that is set back makes nobody rest', () => {
  const bucket = new RateBucket({ perSecond: 10, burst: 2 }, 3_600_000);
  assert.is(bucket.take(1, 0), 0);
  assert.is(bucket.take(1, 0), 0);
  assert.is(bucket.take(1, 0), 100);
});

test('while the stream is congested sources wait in lanes of their own and take turns when it drains', () => {
  const sent: string[] = [];
  const leg = { congested: true, send: (xml: string) => void sent.push(xml) };
  const outlet = new Outlet(leg as unknown as Leg);
  const source = () => ({ rests: 0, rest: () => {}, resume: () => {} });
  const [one, other] = [source(), source()];
  for (const word of ['a1', 'a2', 'a3']) outlet.send(one, word);
  outlet.send(other, 'b1');
  assert.equal(sent, []);
  leg.congested = false;
  outlet.drain();
  assert.equal(sent, ['a1', 'b1', 'a2', 'a3']);
});

test.run();
