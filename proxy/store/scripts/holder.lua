-- The claim whose lease runs: { node, epoch }, or nothing. Whether its node lives must be asked where the nodes are.
local claim = redis.call('HMGET', KEYS[1], 'node', 'epoch', 'until')
if not claim[1] or clock() / 1000 >= tonumber(claim[3]) then return false end
return { claim[1], claim[2] }
