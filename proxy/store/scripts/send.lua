-- Puts envelopes into an inbox, all or none. KEYS as in open-inbox.lua. ARGV[1] most that wait there, ARGV[2] for how long
-- it is kept unread (ms), ARGV[3] sender; then for each envelope: its place in the order of the sender, its body.
-- Returns 1; 0: there is no inbox.
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local count = (#ARGV - 3) / 2
local place = redis.call('INCRBY', KEYS[2], count) - count
for i = 1, count do
  -- The place in the inbox, so that its reader sees where some were lost.
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'n', place + i, 'f', ARGV[3], 's', ARGV[2 + 2 * i], 'b', ARGV[3 + 2 * i])
end
-- Not of the other key: what keeps an inbox is that somebody reads it.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
