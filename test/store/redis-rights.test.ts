/** What operators are told to allow is what the store needs. */
import { readFileSync } from 'node:fs';
import { redisRights } from '../../proxy/store/redis-rights.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('redis rights');

test('the sample names the rights of a user of Redis, all of them and no others', () => {
  const sample = readFileSync('deploy/minimix-proxy.example.yaml', 'utf8');
  const [, text = ''] = /with the prefix below\):\n((?:# {3}.*\n)+)/.exec(sample) ?? [];
  const named = text.replaceAll('#', ' ').split(/\s+/).filter(Boolean);
  const needed = redisRights('minimix:').filter((rule) => !rule.startsWith('reset'));
  assert.equal(named.sort(), needed.sort());
});

test.run();
