-- In front of the scripts after which a deposit may have to go; behind account.lua. Two fields of KEYS[1] are its own:
-- deposit (the text), alone (since when there is no session, ms).

-- A text is kept only while there is a session or an occupancy.
local function tendDeposit()
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('HDEL', KEYS[1], 'alone')
  elseif redis.call('EXISTS', KEYS[3]) == 0 then
    redis.call('HDEL', KEYS[1], 'deposit', 'alone')
  elseif redis.call('HEXISTS', KEYS[1], 'deposit') == 1 and redis.call('HEXISTS', KEYS[1], 'alone') == 0 then
    redis.call('HSET', KEYS[1], 'alone', whole(clock() / 1000))
  end
end
