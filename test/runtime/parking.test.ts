import { createMetrics } from '../../proxy/ops/metrics.ts';
import { type Going, ParkingLot, ParkingPlace } from '../../proxy/runtime/parking.ts';
import { RelayedTexts } from '../../proxy/runtime/relayed-texts.ts';
import { parseStanza } from '../../proxy/xml/stanza.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('parking');
const ways: readonly Going[] = ['dropped', 'logout', 'ended', 'shutdown'];

for (const [dropped, logout] of [
  [true, false],
  [false, true],
  [true, true],
  [false, false],
] as const) {
  test(`dropped: ${dropped}, logout: ${logout}: what is parked follows, and nothing else`, () => {
    const place = new ParkingPlace(new ParkingLot({ dropped, logout, streams: 1 }, createMetrics()), 'SCRAM-SHA-1');
    assert.equal(
      ways.map((way) => place.admits(way)),
      [dropped, logout, false, false],
    );
    assert.is(place.mayPark, dropped || logout);
  });
}

test('an anonymous account is never parked: nobody can come back to it', () => {
  const lot = new ParkingLot({ dropped: true, logout: true, streams: 1 }, createMetrics());
  const place = new ParkingPlace(lot, 'ANONYMOUS');
  assert.equal(
    ways.map((way) => place.admits(way)),
    [false, false, false, false],
  );
});

test('a place is counted once, and given back once', () => {
  const lot = new ParkingLot({ dropped: true, logout: false, streams: 1 }, createMetrics());
  const [one, other] = [new ParkingPlace(lot, 'PLAIN'), new ParkingPlace(lot, 'PLAIN')];
  one.park();
  one.park();
  assert.is(lot.count, 1);
  assert.is(other.admits('dropped'), false);
  one.free();
  one.free();
  other.free();
  assert.is(lot.count, 0);
  assert.ok(one.isTaken && one.isFree && !other.isTaken);
  assert.ok(other.admits('dropped'));
});

test('a stream that is not parked for want of room is counted once, however often it asks', async () => {
  const metrics = createMetrics();
  const lot = new ParkingLot({ dropped: true, logout: false, streams: 1 }, metrics);
  new ParkingPlace(lot, 'PLAIN').park();
  const place = new ParkingPlace(lot, 'PLAIN');
  assert.equal([place.admits('dropped'), place.admits('dropped'), place.admits('logout')], [false, false, false]);
  assert.match(await metrics.render(), /^minimix_parkings_total\{result="full"\} 1$/m);
});

test('texts are kept until they are acknowledged, messages with the time of their coming, bounded in number and bytes', () => {
  const texts = new RelayedTexts({ mayStay: () => true, bare: 'alice@test', now: () => 0 });
  const keep = (ticket: number, body: string, handled: number): void => {
    const stanza = parseStanza(`<message id='m${ticket}'><body>${body}</body></message>`);
    texts.keep(ticket, stanza, Buffer.from(stanza.bytes), handled);
  };
  for (const ticket of [0, 1, 2]) keep(ticket, 'x', 0);
  assert.match(String(texts.textOf(1)), /<delay [^>]*stamp='1970-01-01T00:00:00.000Z'/);
  keep(3, 'x', 2);
  assert.equal(
    [0, 1, 2, 3].map((ticket) => texts.textOf(ticket) !== undefined),
    [false, false, true, true],
  );
  for (let ticket = 4; ticket < 3000; ticket += 1) keep(ticket, 'x', 2);
  const held = (): number => Array.from({ length: 4000 }, (_, ticket) => texts.textOf(ticket)).filter(Boolean).length;
  assert.is(held(), 1000);
  for (let ticket = 3000; ticket < 3100; ticket += 1) keep(ticket, 'x'.repeat(100_000), 2);
  assert.ok(held() <= 7);
});

test.run();
