-- In front of the scripts that only an account's home may run; behind account.lua.
-- ARGV[2] node, ARGV[3] epoch of the claim; ARGV[4] until when (ms) that node is known to live: its own record lies in
-- another slot.

-- 'ok'; 'stale': this claim is not in force; 'lapsed': it is, if the node still lives, which is not known here.
local function standing()
  local claim = redis.call('HMGET', KEYS[1], 'node', 'epoch', 'until')
  local now = clock() / 1000
  if claim[1] ~= ARGV[2] or claim[2] ~= ARGV[3] or now >= tonumber(claim[3]) then return 'stale' end
  return now < tonumber(ARGV[4]) and 'ok' or 'lapsed'
end

-- For writes that may go without a fence: then ARGV[2] is empty.
local function mayWrite()
  return ARGV[2] == '' and 'ok' or standing()
end
