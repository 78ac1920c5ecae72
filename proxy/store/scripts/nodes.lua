-- All nodes that were not removed: a flat list of id, since and more words, whether it is alive (1, 0). KEYS[1] nodes.
local now = clock() / 1000
local list = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local ends, since = all[i + 1]:match('^(%d+) (.*)$')
  list[#list + 1] = all[i]
  list[#list + 1] = since
  list[#list + 1] = now < tonumber(ends) and 1 or 0
end
return list
