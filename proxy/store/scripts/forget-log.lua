-- Forgets a room's log. KEYS[5] as in write-log.lua. Returns { standing }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
redis.call('DEL', KEYS[5])
return { may }
