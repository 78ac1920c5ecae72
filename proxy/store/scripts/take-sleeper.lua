-- The session, for this one caller: nothing of it is left.
local found = sleeper()
redis.call('DEL', KEYS[1])
return found
