-- Accounts that have been on the list for long. KEYS[1] sorted set: account -> since when (us). ARGV[1] how long (ms), ARGV[2] most.
return redis.call('ZRANGE', KEYS[1], '-inf', whole(clock() - ARGV[1] * 1000), 'BYSCORE', 'LIMIT', 0, ARGV[2])
