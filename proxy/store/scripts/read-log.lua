-- The entries of a room's log, the newest last.
return isOver() and {} or redis.call('LRANGE', KEYS[5], 0, -1)
