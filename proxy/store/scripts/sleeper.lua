-- In front of the scripts that read a session without a connection:
-- KEYS[1] record  hash: account, session, state, until (ms)

-- { account, session, state }, or nothing.
local function sleeper()
  local ends = redis.call('HGET', KEYS[1], 'until')
  if not ends or clock() / 1000 >= tonumber(ends) then return false end
  return redis.call('HMGET', KEYS[1], 'account', 'session', 'state')
end
