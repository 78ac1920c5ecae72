-- Ends an occupancy. ARGV[5] room. Returns { standing, list of the sessions that were joined }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
local ids = joinedIn(ARGV[5])
redis.call('HDEL', KEYS[3], ARGV[5])
redis.call('HDEL', KEYS[4], ARGV[5])
tendDeposit()
keep()
return { may, ids }
