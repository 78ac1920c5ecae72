-- Forgets a room's log. Returns { standing }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
redis.call('DEL', KEYS[5], KEYS[6])
return { may }
