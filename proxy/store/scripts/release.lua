-- Gives the account up. Returns { standing }.
local may = standing()
if may ~= 'ok' then return { may } end
redis.call('HDEL', KEYS[1], 'node', 'until')
keep()
return { may }
