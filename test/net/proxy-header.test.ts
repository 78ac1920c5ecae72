/** The PROXY protocol as bytes, both ways. */
import fc from 'fast-check';
import { MOST_HEADER_BYTES, parseProxyHeader, proxyHeader, type Route } from '../../proxy/net/proxy-header.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('net/proxy-header');

const SIGNATURE = '0d0a0d0a000d0a515549540a';

function hex(...parts: string[]): Buffer {
  return Buffer.from(parts.join(''), 'hex');
}

function route(source: string, sourcePort: number, destination: string, destinationPort: number): Route {
  return {
    source: { address: source, port: sourcePort },
    destination: { address: destination, port: destinationPort },
  };
}

const v4 = route('203.0.113.7', 50_000, '192.0.2.1', 5222);
const v6 = route('2001:db8::7', 1, '::1', 65_535);

/** [what it is, bytes, whom it names] */
const good: [string, Buffer, Route | undefined][] = [
  ['v1, IPv4', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 50000 5222\r\n'), v4],
  ['v1, IPv6', Buffer.from('PROXY TCP6 2001:db8::7 ::1 1 65535\r\n'), v6],
  ['v1, IPv6 written in full', Buffer.from('PROXY TCP6 2001:0DB8:0:0:0:0:0:7 0:0:0:0:0:0:0:1 1 65535\r\n'), v6],
  ['v1, IPv4 in IPv6', Buffer.from('PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 50000 5222\r\n'), v4],
  [
    'v1, the longest',
    Buffer.from(`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`),
    undefined,
  ],
  ['v1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['v2, IPv4', hex(SIGNATURE, '21', '11', '000c', 'cb007107', 'c0000201', 'c350', '1466'), v4],
  [
    'v2, IPv6',
    hex(SIGNATURE, '21', '21', '0024', '20010db8000000000000000000000007', '0'.repeat(31), '1', '0001', 'ffff'),
    v6,
  ],
  [
    'v2, IPv4 in IPv6, with extensions',
    hex(
      SIGNATURE,
      '21',
      '21',
      '002b',
      `${'0'.repeat(20)}ffffcb007107`,
      `${'0'.repeat(20)}ffffc0000201`,
      'c3501466',
      '040004',
      '01020304',
    ),
    v4,
  ],
  ['v2, LOCAL', hex(SIGNATURE, '20', '00', '0000'), undefined],
  ['v2, LOCAL with addresses that do not count', hex(SIGNATURE, '20', '11', '0003', '010203'), undefined],
  ['v2, LOCAL of an unknown family', hex(SIGNATURE, '20', 'ff', '0000'), undefined],
  ['v2, UNSPEC with extensions', hex(SIGNATURE, '21', '00', '0007', '04000401020304'), undefined],
  ['v2, a UNIX socket', hex(SIGNATURE, '21', '31', '00d8', '2f'.repeat(216)), undefined],
  [
    'v2, the most extensions',
    hex(
      SIGNATURE,
      '20',
      '00',
      (MOST_HEADER_BYTES - 16).toString(16).padStart(4, '0'),
      '00'.repeat(MOST_HEADER_BYTES - 16),
    ),
    undefined,
  ],
];

const bad: [string, Buffer][] = [
  ['a stream header', Buffer.from('<')],
  ['TLS', hex('16')],
  ['HTTP', Buffer.from('GET')],
  ['lower case', Buffer.from('proxy ')],
  ['v1, no family', Buffer.from('PROXY \r\n')],
  ['v1, another family', Buffer.from('PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n')],
  ['v1, addresses of the other family', Buffer.from('PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n')],
  ['v1, mixed families', Buffer.from('PROXY TCP4 203.0.113.7 ::1 1 2\r\n')],
  ['v1, an address with leading zeros', Buffer.from('PROXY TCP4 203.000.113.7 192.0.2.1 1 2\r\n')],
  ['v1, a name', Buffer.from('PROXY TCP4 localhost 192.0.2.1 1 2\r\n')],
  ['v1, a zone', Buffer.from('PROXY TCP6 fe80::1%lo fe80::1%lo 1 2\r\n')],
  ['v1, a port too high', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n')],
  ['v1, a port with a leading zero', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n')],
  ['v1, a port that is none', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 -1 2\r\n')],
  ['v1, no second port', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 1\r\n')],
  ['v1, something behind', Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 1 2 3\r\n')],
  ['v1, two spaces', Buffer.from('PROXY TCP4  203.0.113.7 192.0.2.1 1 2\r\n')],
  ['v1, UNKNOWNS', Buffer.from('PROXY UNKNOWNS\r\n')],
  ['v1, a bare line feed', Buffer.from('PROXY UNKNOWN\n')],
  ['v1, a control character', Buffer.from('PROXY UNKNOWN \0')],
  ['v1, no end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['v1, an end too late', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['v2, version 1', hex(SIGNATURE, '11')],
  ['v2, another command', hex(SIGNATURE, '22')],
  ['v2, datagrams', hex(SIGNATURE, '21', '12')],
  ['v2, an unknown family', hex(SIGNATURE, '21', '41')],
  ['v2, IPv4 too short', hex(SIGNATURE, '21', '11', '000b')],
  ['v2, IPv6 too short', hex(SIGNATURE, '21', '21', '0023')],
  ['v2, a UNIX socket too short', hex(SIGNATURE, '21', '31', '00d7')],
  ['v2, too long', hex(SIGNATURE, '21', '11', (MOST_HEADER_BYTES - 15).toString(16).padStart(4, '0'))],
];

for (const [what, bytes, expected] of good) {
  test(`${what}: read, whatever follows, and incomplete at every byte before its end`, () => {
    for (const rest of ['', '<?xml', '\r\n', '\0']) {
      const read = parseProxyHeader(Buffer.concat([bytes, Buffer.from(rest)]));
      assert.equal(read, { route: expected, length: bytes.length });
    }
    for (let end = 0; end < bytes.length; end += 1) {
      assert.is(parseProxyHeader(bytes.subarray(0, end)), 'incomplete', String(end));
    }
  });
}

for (const [what, bytes] of bad) {
  test(`${what}: malformed, and so with anything behind it`, () => {
    assert.is(parseProxyHeader(bytes), 'malformed');
    assert.is(parseProxyHeader(Buffer.concat([bytes, Buffer.alloc(200, 0x20)])), 'malformed');
  });
}

const port = fc.integer({ min: 0, max: 65_535 });
const routes = fc.oneof(
  fc.tuple(fc.ipV4(), port, fc.ipV4(), port),
  fc.tuple(fc.ipV6(), port, fc.ipV6(), port),
  fc.tuple(fc.ipV4(), port, fc.ipV6(), port),
);

test('what is written is read again, in both versions alike, and incomplete at every byte', () => {
  fc.assert(
    fc.property(routes, fc.constantFrom(1 as const, 2 as const), fc.string(), (parts, version, rest) => {
      const bytes = proxyHeader(version, route(...parts));
      const read = parseProxyHeader(Buffer.concat([bytes, Buffer.from(rest)]));
      if (typeof read === 'string' || read.route === undefined) throw new Error(`${read} for ${bytes}`);
      assert.is(read.length, bytes.length);
      assert.equal([read.route.source.port, read.route.destination.port], [parts[1], parts[3]]);
      for (const one of [1, 2] as const) {
        const again = parseProxyHeader(proxyHeader(one, read.route));
        assert.equal(typeof again === 'string' ? again : again.route, read.route);
      }
      for (let end = 0; end < bytes.length; end += 1) assert.is(parseProxyHeader(bytes.subarray(0, end)), 'incomplete');
    }),
  );
});

test('of any bytes a header is read within its bounds, and a verdict stands', () => {
  const start = fc.constantFrom(
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 1.2.3.4 '),
    hex(SIGNATURE),
    hex(SIGNATURE, '21'),
  );
  const tail = fc.uint8Array({ maxLength: 120 });
  fc.assert(
    fc.property(fc.option(start, { nil: Buffer.alloc(0) }), tail, (head, more) => {
      const bytes = Buffer.concat([head, more]);
      let verdict: unknown = 'incomplete';
      for (let end = 0; end <= bytes.length; end += 1) {
        const read = parseProxyHeader(bytes.subarray(0, end));
        if (verdict === 'incomplete') verdict = read;
        else assert.equal(read, verdict);
        if (typeof read !== 'string') assert.ok(read.length <= end && read.length <= MOST_HEADER_BYTES);
      }
    }),
    { numRuns: 500 },
  );
});

test('a connection of our own, and addresses that are not known, name nobody', () => {
  for (const nobody of [undefined, route('', 0, '192.0.2.1', 1), route('203.0.113.7', 1, '', 0)]) {
    assert.is(proxyHeader(1, nobody).toString(), 'PROXY UNKNOWN\r\n');
    assert.equal(proxyHeader(2, nobody), hex(SIGNATURE, '20', '00', '0000'));
  }
  const zoned = route('fe80::1%eth0', 1, 'fe80::2%eth0', 2);
  assert.is(proxyHeader(1, zoned).toString(), 'PROXY TCP6 fe80::1 fe80::2 1 2\r\n');
});

test.run();
