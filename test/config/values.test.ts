/** How values are written. */
import fc from 'fast-check';
import { parsePath } from '../../proxy/config/arguments.ts';
import { formatPath } from '../../proxy/config/errors.ts';
import { Refusal } from '../../proxy/config/readers.ts';
import { listenerUrl, upstreamUrl } from '../../proxy/config/urls.ts';
import { formatAddress, parseAddress, parseDuration, parseSize } from '../../proxy/config/values.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('config values');

test('a duration is a number and a unit', () => {
  const good: [string | number, number][] = [
    ['500ms', 500],
    ['30s', 30_000],
    ['10 s', 10_000],
    ['1.5 min', 90_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['7D', 604_800_000],
    ['0', 0],
    [0, 0],
    ['forever', Number.POSITIVE_INFINITY],
  ];
  for (const [text, ms] of good) assert.is(parseDuration(text), ms, String(text));
  for (const text of ['7', 7, '', 's', '-1s', '1 e3 s', '1y', '10 s x', 'never', '1e99d', '99999999999999d', '1,5s']) {
    assert.is(parseDuration(text), undefined, String(text));
  }
});

test('a size is a number and a unit', () => {
  const good: [string | number, number][] = [
    ['512 B', 512],
    ['64KiB', 65_536],
    ['256 kib', 262_144],
    ['1MB', 1_000_000],
    ['1.5 MiB', 1_572_864],
    ['1 GiB', 2 ** 30],
    [0, 0],
  ];
  for (const [text, bytes] of good) assert.is(parseSize(text), bytes, String(text));
  for (const text of ['5', 5, '1 M', '1K', '-1 B', 'MiB', '1 TiB', ''])
    assert.is(parseSize(text), undefined, String(text));
});

test('an address has a port, and brackets around IPv6', () => {
  assert.equal(parseAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  assert.equal(parseAddress('[::1]:5222'), { host: '::1', port: 5222 });
  assert.equal(parseAddress('[fe80::1%eth0]:5222'), { host: 'fe80::1%eth0', port: 5222 });
  for (const bad of ['::1:5222', 'host', ':5222', 'host:65536', 'host:x', '[::1]', 'a b:1', 'u@h:1', '[host]:1']) {
    assert.is(parseAddress(bad), undefined, bad);
  }
  for (const text of ['127.0.0.1:0', '[::1]:5222']) assert.is(formatAddress(parseAddress(text) ?? fail(text)), text);
});

test('a listener can be written as a URL', () => {
  const good: [string, Record<string, unknown>][] = [
    ['tcp://127.0.0.1:5222', { kind: 'tcp', address: '127.0.0.1:5222' }],
    ['tcp://127.0.0.1:5222/', { kind: 'tcp', address: '127.0.0.1:5222' }],
    ['tcp://[::]:0?tls=direct&trusted=true', { kind: 'tcp', address: '[::]:0', tls: 'direct', trusted: 'true' }],
    ['TLS://0.0.0.0:5223', { kind: 'tcp', tls: 'direct', address: '0.0.0.0:5223' }],
    ['ws://127.0.0.1:5280', { kind: 'websocket', tls: 'none', address: '127.0.0.1:5280' }],
    ['wss://[::1]:443/ws', { kind: 'websocket', tls: 'direct', address: '[::1]:443', path: '/ws' }],
    ['ws://a:80/?trusted=false', { kind: 'websocket', tls: 'none', address: 'a:80', path: '/', trusted: 'false' }],
  ];
  for (const [url, listener] of good) assert.equal(listenerUrl(url), listener, url);
  const bad = ['127.0.0.1:5222', 'tcp://a', 'http://a:1', 'tcp://a:1/x', 'tcp://a:1?tsl=none', 'wss://a:1?tls=none'];
  for (const url of [...bad, 'tcp://a:1?tls=none&tls=direct', 'tcp://u:p@a:1', 'constructor://a:1', 5, null]) {
    assert.instance(listenerUrl(url), Refusal, String(url));
  }
});

test('an upstream has the port and the path of its scheme, unless it names them', () => {
  const good: [string, string, number, string, string][] = [
    ['xmpp://10.0.0.5', 'xmpp', 5222, '10.0.0.5', ''],
    ['xmpp://10.0.0.5:15222/', 'xmpp', 15222, '10.0.0.5', ''],
    ['xmpp+starttls://a.b', 'xmpp+starttls', 5222, 'a.b', ''],
    ['xmpps://[::1]', 'xmpps', 5223, '::1', ''],
    ['ws://a', 'ws', 80, 'a', '/xmpp-websocket'],
    ['wss://a', 'wss', 443, 'a', '/xmpp-websocket'],
    ['wss://a:8443/ws/', 'wss', 8443, 'a', '/ws/'],
    ['ws://a/', 'ws', 80, 'a', '/'],
    ['ws://a/ws?x=1', 'ws', 80, 'a', '/ws?x=1'],
    ['ws://a?x=1', 'ws', 80, 'a', '/xmpp-websocket?x=1'],
  ];
  for (const [url, scheme, port, host, path] of good) assert.equal(upstreamUrl(url), { scheme, host, port, path }, url);
  for (const url of [
    '10.0.0.5',
    'tcp://a',
    'xmpp://a/x',
    'xmpp://a:0',
    'xmpp://a:99999',
    'xmpp://u:p@a',
    'ws://a#x',
    '',
    1,
  ]) {
    assert.instance(upstreamUrl(url), Refusal, String(url));
  }
});

test('a path that is printed in an error can be given to --set', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
  const part = fc.oneof(name, fc.nat(99), fc.stringMatching(/^[a-z]{1,5}\.[a-z]{1,5}$/));
  fc.assert(
    fc.property(name, fc.array(part, { maxLength: 4 }), (first, rest) => {
      assert.equal(parsePath(formatPath([first, ...rest])), [first, ...rest]);
    }),
  );
  for (const bad of ['', '.a', 'a.', 'a[', 'a[]', 'a b', '[0]', 'a]b']) assert.is(parsePath(bad), undefined, bad);
});

test.run();

function fail(what: string): never {
  throw new Error(what);
}
