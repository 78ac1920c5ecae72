-- Joins a session to a room. ARGV[5] room, ARGV[6] session id.
-- Returns { standing, result, count }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
local room, id = ARGV[5], ARGV[6]
local ids = joinedIn(room)
if redis.call('HEXISTS', KEYS[2], id) == 0 then return { may, 'no-session', #ids } end
if redis.call('HEXISTS', KEYS[3], room) == 0 then return { may, 'no-occupancy', #ids } end
for _, other in ipairs(ids) do
  if other == id then return { may, 'already', #ids } end
end
ids[#ids + 1] = id
redis.call('HSET', KEYS[4], room, cjson.encode(ids))
keep()
return { may, 'joined', #ids }
