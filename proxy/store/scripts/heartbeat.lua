-- Lets a node that is alive live on. As announce.lua; ARGV: for how long the list is kept, id, how long it lives.
-- Returns until when it lives (ms), or 0: it is not alive.
local now = clock() / 1000
local life = redis.call('HGET', KEYS[1], ARGV[2])
if not life or now >= tonumber(life:match('^%d+')) then return 0 end
-- First, so that hearts beat also when memory is full: a script that has begun with a command that takes none may go on.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local ends = whole(now + ARGV[3])
redis.call('HSET', KEYS[1], ARGV[2], ends .. life:match(' .*$'))
return ends
