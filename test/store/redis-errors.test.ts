/** Redis' replies and the client's errors, as reasons. */
import { CommandTimeout, failureOf, sentenceOf, storeErrorOf } from '../../proxy/store/redis-errors.ts';
import { StoreError } from '../../proxy/store/store.ts';
import { assert, suite } from '../support/suite.ts';

const test = suite('redis errors');

test('each failure has its reason', () => {
  const reasons: [message: string, reason: string][] = [
    ["OOM command not allowed when used memory > 'maxmemory'. script: 5f, on @user_script:40.", 'memory'],
    ['ERR Error running script (call to f_5f): @user_script:40: @user_script: 40: -OOM command not allowed', 'memory'],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'denied'],
    ["ERR The user executing the script can't run this command or subcommand script: 5f, on @user_script:1.", 'denied'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'denied'],
    ['NOAUTH Authentication required.', 'denied'],
    ['ERR AUTH <password> called without any password configured for the default user.', 'denied'],
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["READONLY You can't write against a read only replica. script: 5f, on @user_script:3.", 'read-only'],
    ['CLUSTERDOWN The cluster is down', 'cluster'],
    ['MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.', 'persistence'],
    ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', 'busy'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'other'],
    ['ERR value is not an integer or out of range', 'other'],
    ['The queue is full', 'queue-full'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'offline'],
    ['Socket closed unexpectedly', 'offline'],
    ['The client is offline', 'offline'],
  ];
  for (const [message, reason] of reasons) assert.is(failureOf(new Error(message)), reason, message);
  assert.is(failureOf(new CommandTimeout('no answer in 2000 ms')), 'timeout');
  assert.is(failureOf('thrown'), 'other');
});

test('callers get one code for all of them, with what happened as the cause', () => {
  const cause = new Error('LOADING Redis is loading the dataset in memory');
  const error = storeErrorOf(cause, 'loading');
  assert.equal([error.code, error.message, error.cause], ['unavailable', 'Redis is loading its data', cause]);
  assert.is(sentenceOf('loading'), 'Redis is loading its data.');
  const own = new StoreError('no-inbox', 'none');
  assert.is(storeErrorOf(own, 'other'), own);
});

test.run();
