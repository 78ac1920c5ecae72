-- Takes a step of a room's log. ARGV[5] for how long it is kept (ms), ARGV[6] how many entries there should be, or -1: they go;
-- ARGV[7] how many stay, ARGV[8] how many are new; these, then index and entry of each that changes.
-- Returns { standing, 1 }, or { standing, 0 } when there are not so many.
local may = mayWrite()
if may ~= 'ok' then return { may } end
local had = tonumber(ARGV[6])
if had < 0 or isOver() then redis.call('DEL', KEYS[5]) end
if had >= 0 and redis.call('LLEN', KEYS[5]) ~= had then return { may, 0 } end
local rest = 9 + ARGV[8]
for i = 9, rest - 1 do redis.call('RPUSH', KEYS[5], ARGV[i]) end
local count = redis.call('LLEN', KEYS[5])
for i = rest, #ARGV, 2 do
  if -tonumber(ARGV[i]) <= count then redis.call('LSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
end
if ARGV[7] == '0' then redis.call('DEL', KEYS[5]) else redis.call('LTRIM', KEYS[5], '-' .. ARGV[7], -1) end
redis.call('PEXPIRE', KEYS[5], ARGV[5])
redis.call('SET', KEYS[6], whole(clock() / 1000 + ARGV[5]), 'PX', ARGV[5])
return { may, 1 }
