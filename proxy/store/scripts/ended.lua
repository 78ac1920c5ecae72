-- For how long a node that was not removed has been dead (ms); 0: it lives, or is not known. KEYS[1] nodes. ARGV[1] id.
local life = redis.call('HGET', KEYS[1], ARGV[1])
local ends = life and life:match('^%d+')
return ends and whole(math.max(0, math.floor(clock() / 1000 - ends))) or '0'
