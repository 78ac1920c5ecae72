-- In front of the scripts that work on a session without a connection; both keys lie in one slot:
-- KEYS[1] record  hash: account, session, state, until (ms)
-- KEYS[2] due     list: what has become due to it

local function isThere()
  local ends = redis.call('HGET', KEYS[1], 'until')
  return ends and clock() / 1000 < tonumber(ends)
end

-- { account, session, state, what is due }, or nothing.
local function sleeper()
  if not isThere() then return false end
  local found = redis.call('HMGET', KEYS[1], 'account', 'session', 'state')
  found[4] = redis.call('LRANGE', KEYS[2], 0, -1)
  return found
end
