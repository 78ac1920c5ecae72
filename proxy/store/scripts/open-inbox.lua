-- Makes a node's inbox, empty. KEYS[1] stream, KEYS[2] number of envelopes ever put into it: the inbox exists as long as
-- this key does. ARGV[1] for how long it is kept unread (ms).
-- Returns what time it is here (ms).
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], 0, 'PX', ARGV[1])
return math.floor(clock() / 1000)
