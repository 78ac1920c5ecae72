-- Begins the lease anew. ARGV[5] its length (ms). Returns { standing }.
local may = standing()
if may ~= 'ok' then return { may } end
-- First, so that leases are renewed also when memory is full (see unjoin).
keep()
redis.call('HSET', KEYS[1], 'until', whole(clock() / 1000 + ARGV[5]))
return { may }
