-- Until when a node is known to live (ms); 0: it is not alive. KEYS[1] nodes. ARGV[1] id.
local life = redis.call('HGET', KEYS[1], ARGV[1])
local ends = life and life:match('^%d+')
return ends and clock() / 1000 < tonumber(ends) and ends or 0
