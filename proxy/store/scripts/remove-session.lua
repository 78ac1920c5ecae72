-- Removes a session. ARGV[2] id.
-- Returns { time of this step (us), nodes that have no session of the account any more, record, its rooms }, or nothing.
local record = redis.call('HGET', KEYS[2], ARGV[2])
if not record then return false end
local rooms = removeSession(ARGV[2])
tendDeposit()
keep()
local node = cjson.decode(record).node
return { whole(clock()), hasSessionOn(node) and {} or { node }, record, rooms }
