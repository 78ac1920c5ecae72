/** What a user of Redis' access control lists needs, and no more. */

/** Commands that the store sends, and those that its scripts call. */
const commands = [
  // Of connections.
  ['auth', 'hello', 'ping', 'select', 'cluster|slots', 'asking', 'readonly'],
  // Of steps.
  ['evalsha', 'eval', 'time', 'pexpire', 'exists', 'del', 'get', 'set', 'incrby', 'info'],
  ['hget', 'hset', 'hdel', 'hmget', 'hvals', 'hgetall', 'hexists'],
  ['zadd', 'zscore', 'zrem', 'zrange'],
  ['rpush', 'lrange', 'llen', 'lset', 'ltrim', 'pttl'],
  ['xadd', 'xread', 'xrevrange', 'xtrim'],
].flat();

/** Rules for `ACL SETUSER name on >password …`: the keys below a prefix, and these commands. */
export function redisRights(prefix: string): string[] {
  return ['resetkeys', 'resetchannels', '-@all', `~${prefix}*`, ...commands.map((name) => `+${name}`)];
}
