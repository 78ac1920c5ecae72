-- Said by the reader from time to time: keeps the inbox, and takes out what was read. KEYS as in open-inbox.lua. ARGV[1] for
-- how long it is kept (ms), ARGV[2] the first entry that was not read.
-- Returns nothing: there is no such inbox any more; else { what time it is here (ms) }, and with 'look' as ARGV[3] what a reader
-- wants to know on a new connection besides: which Redis process this is, id of the newest entry (0-0: none waits).
if redis.call('PEXPIRE', KEYS[2], ARGV[1]) == 0 then return false end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
local now = math.floor(clock() / 1000)
if ARGV[3] ~= 'look' then return { now } end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return { now, redis.call('INFO', 'server'):match('run_id:(%w+)'), newest and newest[1] or '0-0' }
