-- Adds a session, or writes it again; ends another one with the same JID.
-- ARGV[2] id, ARGV[3] JID, ARGV[4] node, ARGV[5] record.
-- Returns { time of this step (us), nodes that have no session of the account any more, replaced record, its rooms }.
local left = {}
local replaced, rooms = false, {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local record = cjson.decode(all[i + 1])
  if all[i] == ARGV[2] then
    left[record.node] = true
  elseif record.jid == ARGV[3] then
    left[record.node] = true
    replaced, rooms = all[i + 1], removeSession(all[i])
  end
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])
tendDeposit()
keep()
local empty = {}
for node in pairs(left) do
  if not hasSessionOn(node) then empty[#empty + 1] = node end
end
return { whole(clock()), empty, replaced, rooms }
