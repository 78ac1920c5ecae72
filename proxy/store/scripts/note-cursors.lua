-- Puts a device's cursors in the place of what is known of it. KEYS[1] hash: device -> 'until noted cursors' (ms, us, JSON).
-- ARGV: device, for how long they are kept (ms), cursors (empty: none), most devices that are known.
local now = clock()
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], whole(now / 1000 + ARGV[2]) .. ' ' .. whole(now) .. ' ' .. ARGV[3])
end
local left = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local ends, noted = all[i + 1]:match('^(%d+) (%d+) ')
  if now / 1000 >= tonumber(ends) then
    redis.call('HDEL', KEYS[1], all[i])
  else
    left[#left + 1] = { device = all[i], noted = tonumber(noted) }
  end
end
if #left > tonumber(ARGV[4]) then
  table.sort(left, function(a, b) return a.noted < b.noted end)
  for i = 1, #left - ARGV[4] do redis.call('HDEL', KEYS[1], left[i].device) end
end
-- Another device may be kept for longer.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
