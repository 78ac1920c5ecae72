/** Whose word about a client's address counts, and what X-Forwarded-For says then. */
import fc from 'fast-check';
import { Balancers, forwardedClient } from '../../proxy/net/balancers.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('net/balancers');

const balancers = new Balancers(['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '::1']);

test('addresses and networks of both families', () => {
  for (const one of ['10.1.2.3', '192.0.2.1', 'fd12::1', '::1', '0:0:0:0:0:0:0:1', 'fd00::1%eth0']) {
    assert.ok(balancers.has(one), one);
  }
  for (const one of ['11.0.0.1', '192.0.2.2', 'fe80::1', '::', '', 'localhost']) assert.not(balancers.has(one), one);
  assert.not(new Balancers([]).has('127.0.0.1'));
});

/** [header, peer, client] */
const cases: [string | undefined, string, string][] = [
  [undefined, '10.0.0.1', '10.0.0.1'],
  ['', '10.0.0.1', '10.0.0.1'],
  ['203.0.113.7', '10.0.0.1', '203.0.113.7'],
  ['203.0.113.7', '203.0.113.9', '203.0.113.9'],
  ['198.51.100.1, 203.0.113.7', '10.0.0.1', '203.0.113.7'],
  ['198.51.100.1, 203.0.113.7, 10.0.0.2,192.0.2.1', '10.0.0.1', '203.0.113.7'],
  ['10.0.0.3, 10.0.0.2', '10.0.0.1', '10.0.0.3'],
  ['203.0.113.7, unknown', '10.0.0.1', '10.0.0.1'],
  ['203.0.113.7, unknown, 10.0.0.2', '10.0.0.1', '10.0.0.2'],
  ['203.0.113.7:4711', '10.0.0.1', '203.0.113.7'],
  ['[2001:db8::7]:4711', '::1', '2001:db8::7'],
  ['[2001:db8::7]', '::1', '2001:db8::7'],
  ['2001:0DB8::0007', '::1', '2001:db8::7'],
  ['::ffff:203.0.113.7', '::1', '203.0.113.7'],
  ['fe80::1%lo', '::1', '::1'],
  ['203.0.113.7,', '10.0.0.1', '10.0.0.1'],
  ['203.0.113.007', '10.0.0.1', '10.0.0.1'],
];

for (const [header, peer, client] of cases) {
  test(`${header} from ${peer}: ${client}`, () => assert.is(forwardedClient(header, peer, balancers), client));
}

test('what is written further left than the first stranger changes nothing', () => {
  fc.assert(
    fc.property(fc.string(), (claims) => {
      assert.is(forwardedClient(`${claims},203.0.113.7, 10.0.0.2`, '10.0.0.1', balancers), '203.0.113.7');
    }),
  );
});

test.run();
