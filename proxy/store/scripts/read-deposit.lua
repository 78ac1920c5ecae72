-- { text, for how long there has been no session (ms; -1: there is one) }, or nothing.
local text, alone = unpack(redis.call('HMGET', KEYS[1], 'deposit', 'alone'))
if not text then return false end
return { text, alone and math.max(0, math.floor(clock() / 1000 - alone)) or -1 }
