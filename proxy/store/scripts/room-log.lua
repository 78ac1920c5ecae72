-- In front of the scripts that work on a room's log. KEYS[5] list of entries, the newest last; KEYS[6] until when it is kept (ms).

local function isOver()
  local ends = redis.call('GET', KEYS[6])
  return not ends or clock() / 1000 >= tonumber(ends)
end
