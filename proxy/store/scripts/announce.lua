-- Makes a node alive. KEYS[1] nodes (hash: id -> 'until since', ms, and more words about it). ARGV: for how long the list is kept (ms),
-- id, since with these words, how long it lives (ms).
-- Returns until when it lives (ms), or 0: it has expired.
local now = clock() / 1000
local life = redis.call('HGET', KEYS[1], ARGV[2])
if life and now >= tonumber(life:match('^%d+')) then return 0 end
local ends = whole(now + ARGV[4])
redis.call('HSET', KEYS[1], ARGV[2], ends .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return ends
