-- Writes an occupancy. ARGV[5] room, ARGV[6] record. Returns { standing }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
keep()
return { may }
