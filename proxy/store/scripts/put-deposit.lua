-- Keeps a text. ARGV[2] text. Returns 1; 0: there is neither a session nor an occupancy.
if redis.call('EXISTS', KEYS[2]) + redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'deposit', ARGV[2])
tendDeposit()
keep()
return 1
