-- Makes a node the account's home unless another one is.
-- ARGV[2] node, ARGV[3] until when (ms) it is known to live, ARGV[4] length of the lease (ms);
-- ARGV[5] the node that was found to be home, or empty, ARGV[6] until when that one is known to live: 0 if it is dead.
-- Returns { 'granted', epoch, node and epoch of the claim before (or nothing) } | { 'held', node, epoch } |
-- { 'lapsed' }: whether the node itself lives is not known | { 'who', node }: the same of the one that is home.
local now = clock()
if now / 1000 >= tonumber(ARGV[3]) then return { 'lapsed' } end
local node, epoch, ends = unpack(redis.call('HMGET', KEYS[1], 'node', 'epoch', 'until'))
local inForce = node and now / 1000 < tonumber(ends)
if inForce and node ~= ARGV[2] then
  if ARGV[5] ~= node then return { 'who', node } end
  if ARGV[6] ~= '0' then
    if now / 1000 < tonumber(ARGV[6]) then return { 'held', node, epoch } end
    return { 'who', node }
  end
end
local granted = epoch
if not inForce or node ~= ARGV[2] then
  -- From the clock, so that it is higher also when the last one has been forgotten; above the last one, so that it is
  -- higher also when the clock has been set back.
  granted = whole(math.max(now, (tonumber(epoch) or 0) + 1))
end
redis.call('HSET', KEYS[1], 'node', ARGV[2], 'epoch', granted, 'until', whole(now / 1000 + ARGV[4]))
keep()
return { 'granted', granted, node, epoch }
