-- Ends the claim of a node that is no more. ARGV[1] node.
if redis.call('HGET', KEYS[1], 'node') == ARGV[1] then redis.call('HDEL', KEYS[1], 'node', 'until') end
return 1
