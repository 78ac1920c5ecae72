-- The account has no home any more. ARGV[2] for how long it has had no session (ms). Returns the time of this step (us), or nothing: it
-- has no text, or no occupancy.
if redis.call('HEXISTS', KEYS[1], 'deposit') == 0 or redis.call('EXISTS', KEYS[3]) == 0 then return false end
keep()
if redis.call('EXISTS', KEYS[2]) == 0 then
  local since = clock() / 1000 - ARGV[2]
  local known = tonumber(redis.call('HGET', KEYS[1], 'alone') or since)
  redis.call('HSET', KEYS[1], 'alone', whole(math.min(since, known)))
end
return whole(clock())
