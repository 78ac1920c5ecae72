-- Puts an account on a node's list. KEYS[1] sorted set: account -> time of the step that put it there. ARGV: account, that
-- time, for how long the list is kept (ms). An earlier step that comes late changes nothing.
-- First, so that a step that has been done is listed also when memory is full (see account.lua).
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
