-- Keeps a session. ARGV: account, session, state, for how long (ms).
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'account', ARGV[1], 'session', ARGV[2], 'state', ARGV[3], 'until', whole(clock() / 1000 + ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
