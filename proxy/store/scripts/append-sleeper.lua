-- Adds to what is due to a session: ARGV, in their order. Returns 1; 0: there is no such session.
if not isThere() then return 0 end
for _, due in ipairs(ARGV) do redis.call('RPUSH', KEYS[2], due) end
local left = redis.call('PTTL', KEYS[1])
if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
return 1
