-- Takes an account off a node's list, unless it was put there again since. KEYS[1] sorted set: account -> time of the step
-- that put it there. ARGV: account, time of the step that takes it off.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
