/** Settings for balancers in front, and for what the server is told of clients. */
import { type Config, type ConfigError, parseConfig } from '../../proxy/config.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('config/edge');

const tcp = { kind: 'tcp', address: '0.0.0.0:5222' };
const upstream = 'xmpp://10.0.0.5';

function accepted(raw: object): Config {
  const config = parseConfig({ listeners: [tcp], hosts: { 'example.org': { upstream } }, ...raw });
  if (Array.isArray(config)) throw new Error(config.map(({ message }) => message).join('\n'));
  return config;
}

function refusals(raw: object): string[] {
  const errors = parseConfig({ listeners: [tcp], hosts: { 'example.org': { upstream } }, ...raw });
  return (errors as ConfigError[]).map(({ message }) => message);
}

test('balancers of all listeners, unless one has its own', () => {
  const listeners = [tcp, { ...tcp, address: '0.0.0.0:5223', 'proxy-protocol': true, balancers: ['fd00::/8'] }];
  const config = accepted({ listeners, balancers: '10.0.0.0/8, 192.0.2.1' });
  assert.equal(
    config.listeners.map(({ proxyProtocol, balancers }) => [proxyProtocol, balancers]),
    [
      [false, ['10.0.0.0/8', '192.0.2.1']],
      [true, ['fd00::/8']],
    ],
  );
});

test('a listener may be a URL', () => {
  const { listeners } = accepted({ listeners: ['tls://[::]:5223?proxy-protocol=true'], balancers: ['::1'] });
  assert.is(listeners[0]?.proxyProtocol, true);
});

test('PROXY headers from nobody are a mistake', () => {
  assert.equal(refusals({ listeners: [{ ...tcp, 'proxy-protocol': true }] }), [
    'listeners[0].proxy-protocol: true is not allowed; allowed: false, or true with balancers that say whose header is ' +
      'believed, such as balancers: [10.0.0.7]',
  ]);
});

for (const wrong of ['10.0.0.0/33', '10.0.0', 'fe80::1%eth0', 'fd00::/129', 'a.example', '10.0.0.0/8/8', '10.0.0.0/']) {
  test(`no network: ${wrong}`, () => {
    assert.match(
      refusals({ balancers: [wrong] })[0] ?? '',
      /^balancers: a list is not allowed; allowed: addresses and/,
    );
  });
}

test('what the server is told goes with how it is reached', () => {
  const host = (more: object) => ({ hosts: { 'example.org': { upstream, ...more } } });
  assert.is(accepted(host({})).hosts['example.org']?.upstream.clientAddress, undefined);
  const told = { upstream: 'wss://10.0.0.5', 'client-address': 'x-forwarded-for' };
  assert.is(accepted(host(told)).hosts['example.org']?.upstream.clientAddress, 'x-forwarded-for');
  assert.equal(refusals(host({ 'client-address': 'x-forwarded-for' })), [
    'hosts[example.org].client-address: "x-forwarded-for" is not allowed; allowed: off, proxy-v1, proxy-v2 ' +
      '(xmpp:// has no HTTP header)',
  ]);
});

test.run();
