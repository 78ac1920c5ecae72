/** What can go wrong with Redis, as words for a metric's label and for the operator. */
import { StoreError } from './store.ts';

/** Why a command failed, with what operators are told; the names are values of `minimix_redis_errors_total`'s `reason`. */
const sentences = {
  offline: 'Redis cannot be reached',
  timeout: 'Redis does not answer in time',
  'queue-full': 'too many commands wait for Redis',
  memory: 'Redis is out of memory',
  denied: 'Redis refuses this user or what it does',
  loading: 'Redis is loading its data',
  'read-only': 'this Redis is a replica',
  cluster: 'the Redis Cluster does not serve all slots',
  persistence: 'Redis cannot write to its disk and takes no changes',
  busy: 'Redis is busy with a script',
  other: 'Redis refuses a command',
} as const;

export type FailureReason = keyof typeof sentences;

/** The first word of an error reply says what it is (Redis' own convention). */
const replies: Readonly<Record<string, FailureReason>> = {
  OOM: 'memory',
  NOPERM: 'denied',
  NOAUTH: 'denied',
  WRONGPASS: 'denied',
  LOADING: 'loading',
  READONLY: 'read-only',
  MASTERDOWN: 'read-only',
  CLUSTERDOWN: 'cluster',
  TRYAGAIN: 'cluster',
  MOVED: 'cluster',
  ASK: 'cluster',
  MISCONF: 'persistence',
  NOREPLICAS: 'persistence',
  BUSY: 'busy',
};

/** No answer came within the time limit. */
export class CommandTimeout extends Error {
  override readonly name = 'CommandTimeout';
}

/**
 * COMPAT: Redis gives no code of its own to these: a password where none is set (6), and what a user may not do inside a
 * script (up to 7.0, since then).
 */
const withoutCode = /^ERR (AUTH|The user executing the script|ACL failure in script)/;

/** Classifies what the client has thrown: by the class of the error, or by the code of Redis' reply. */
export function failureOf(error: unknown): FailureReason {
  if (error instanceof CommandTimeout) return 'timeout';
  if (!(error instanceof Error)) return 'other';
  const code = /^[A-Z]{2,}(?= |$)/.exec(error.message)?.[0];
  // An error inside a script of Redis 6 has its code behind this phrase.
  const inner = /(?:@user_script: ?\d*: )-?([A-Z]+) /.exec(error.message)?.[1];
  const reply = replies[code === undefined || code === 'ERR' ? (inner ?? '') : code];
  if (reply) return reply;
  if (code !== undefined) return withoutCode.test(error.message) ? 'denied' : 'other';
  return error.message === 'The queue is full' ? 'queue-full' : 'offline';
}

/** What callers of the store get. The cause never holds a secret: Redis' replies and the system's errors name none. */
export function storeErrorOf(error: unknown, reason: FailureReason): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('unavailable', sentences[reason], { cause: error });
}

/** The reason as a sentence, for `/readyz`. */
export function sentenceOf(reason: FailureReason): string {
  return `${sentences[reason]}.`;
}
