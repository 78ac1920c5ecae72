-- In front of every script.

-- Microseconds of this Redis' clock; exact in a double until the year 2255.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A number in full: Lua would write 1.7e+15.
local function whole(number)
  return string.format('%.0f', number)
end
