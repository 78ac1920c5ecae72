-- In front of the scripts that work on an account. All of its keys lie in one slot:
-- KEYS[1] home      hash: node, epoch, until (ms). Released or void: epoch alone, so that the next one is higher; and what
--                   deposit.lua has there
-- KEYS[2] sessions  hash: id -> JSON of the record
-- KEYS[3] rooms     hash: room -> JSON of the occupancy
-- KEYS[4] joined    hash: room -> JSON list of session ids, never an empty one
-- ARGV[1] for how long all of it is kept without being written or renewed (ms)

-- The three stay and go together: a joined session without its record would break what the store promises.
local function keep()
  for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
end

local function joinedIn(room)
  local list = redis.call('HGET', KEYS[4], room)
  return list and cjson.decode(list) or {}
end

-- Takes a session out of a room; returns whether it was there, and how many remain.
local function unjoin(room, ids, id)
  local rest = {}
  for _, other in ipairs(ids) do
    if other ~= id then rest[#rest + 1] = other end
  end
  if #rest == #ids then return false, #ids end
  -- Deleted first also where a shorter list follows: when memory is full a script may write more only after it has begun
  -- with a command that takes none.
  redis.call('HDEL', KEYS[4], room)
  if #rest > 0 then redis.call('HSET', KEYS[4], room, cjson.encode(rest)) end
  return true, #rest
end

-- Takes a session out of the account and all of its rooms; returns the rooms.
local function removeSession(id)
  redis.call('HDEL', KEYS[2], id)
  local rooms = {}
  local all = redis.call('HGETALL', KEYS[4])
  for i = 1, #all, 2 do
    if unjoin(all[i], cjson.decode(all[i + 1]), id) then rooms[#rooms + 1] = all[i] end
  end
  return rooms
end

local function hasSessionOn(node)
  for _, record in ipairs(redis.call('HVALS', KEYS[2])) do
    if cjson.decode(record).node == node then return true end
  end
  return false
end
