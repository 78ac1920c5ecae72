-- Forgets the text. ARGV[1] which one, absent: any. Returns 1; 0: it is another one.
if ARGV[1] and redis.call('HGET', KEYS[1], 'deposit') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'deposit', 'alone')
return 1
