-- Makes another node the home in the place of this one. ARGV[5] that node, ARGV[6] until when (ms) it is known to live,
-- ARGV[7] length of its lease (ms). Returns { standing, epoch } | { 'target' }: whether that node lives is not known.
local may = standing()
if may ~= 'ok' then return { may } end
local now = clock()
if now / 1000 >= tonumber(ARGV[6]) then return { 'target' } end
local epoch = whole(math.max(now, ARGV[3] + 1))
keep()
redis.call('HSET', KEYS[1], 'node', ARGV[5], 'epoch', epoch, 'until', whole(now / 1000 + ARGV[7]))
return { may, epoch }
