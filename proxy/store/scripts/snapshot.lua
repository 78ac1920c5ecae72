-- All of an account at one instant: { sessions, rooms, joined }, each as a flat list of fields and values.
return { redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[4]) }
