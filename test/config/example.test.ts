/** The sample is the reference: every key is in it, and what it says is what holds without it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { variableOf } from '../../proxy/config/environment.ts';
import { anyName, listKeys } from '../../proxy/config/keys.ts';
import { type Config, parseConfig } from '../../proxy/config.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('sample configuration');

const example: Record<string, unknown> = parse(readFileSync('deploy/minimix-proxy.example.yaml', 'utf8'));

function accepted(raw: unknown): Config {
  const config = parseConfig(raw);
  if (Array.isArray(config)) throw new Error(config.map(({ message }) => message).join('\n'));
  return config;
}

/** All values at a path; `*` goes into every entry of a list or mapping. */
function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  const [name, ...rest] = path;
  if (name === undefined) return [value];
  if (typeof value !== 'object' || value === null) return [];
  const inner = name === anyName ? Object.values(value) : Object.hasOwn(value, name) ? [Reflect.get(value, name)] : [];
  return inner.flatMap((one) => valuesAt(one, rest));
}

test('it is accepted', () => {
  const config = accepted(example);
  assert.is(config.listeners.length, 3);
  assert.equal(config.http, { host: '127.0.0.1', port: 9090 });
});

test('every key of the schema stands in it', () => {
  const missing = listKeys().filter(({ path }) => valuesAt(example, path).length === 0);
  assert.equal(
    missing.map(({ path }) => path.join('.')),
    [],
  );
});

test('its values are the defaults, except for what every installation must say and for http', () => {
  const { listeners, hosts, ...rest } = example;
  const { http: _, ...settings } = rest;
  const given = accepted({ listeners, hosts, ...settings });
  assert.equal(given, accepted({ listeners, hosts }));
  const bareHosts = Object.fromEntries(
    Object.entries(hosts as Record<string, Record<string, unknown>>).map(([name, { upstream, certificate }]) => [
      name,
      { upstream, certificate },
    ]),
  );
  const bareListeners = (listeners as Record<string, unknown>[]).map(({ kind, address, tls }) => ({
    kind,
    address,
    tls,
  }));
  const bare = accepted({ listeners: bareListeners, hosts: bareHosts });
  assert.equal(given.listeners, bare.listeners);
  assert.equal({ ...given.hosts }, { ...bare.hosts });
});

test('its defaults are written as the schema writes them', () => {
  for (const { path, preset } of listKeys()) {
    if (preset === undefined || path.join('.') === 'http') continue;
    for (const value of valuesAt(example, path)) assert.equal(value, preset, path.join('.'));
  }
});

test('each variable stands for one key', () => {
  const variables = listKeys()
    .filter(({ path }) => !path.includes(anyName))
    .map(({ path }) => variableOf(path));
  const special = ['MINIMIX_CONFIG', 'MINIMIX_LISTEN', 'MINIMIX_HOST', 'MINIMIX_UPSTREAM'];
  assert.is(new Set([...variables, ...special]).size, variables.length + special.length);
});

test.run();
