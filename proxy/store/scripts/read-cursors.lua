-- A device's cursors (JSON), or nothing. KEYS as in note-cursors.lua. ARGV: device.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return false end
local ends, cursors = known:match('^(%d+) %d+ (.*)$')
return clock() / 1000 < tonumber(ends) and cursors or false
