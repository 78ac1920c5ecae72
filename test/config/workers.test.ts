import { type Config, type ConfigError, parseConfig } from '../../proxy/config.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('config/workers');
const base = { listeners: ['tcp://127.0.0.1:5222'], hosts: { localhost: { upstream: 'xmpp://127.0.0.1' } } };

test('several workers need a store that they share', () => {
  assert.is((parseConfig(base) as Config).workers, 1);
  assert.is((parseConfig({ ...base, workers: 4, store: 'redis://127.0.0.1' }) as Config).workers, 4);
  const errors = parseConfig({ ...base, workers: 4 }) as ConfigError[];
  assert.equal(
    errors.map(({ message }) => message),
    [
      'workers: 4 is not allowed; allowed: 1 with store: memory, which no other process can see; more with a store such as ' +
        'redis://127.0.0.1:6379',
    ],
  );
});

test.run();
