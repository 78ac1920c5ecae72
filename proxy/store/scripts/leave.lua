-- Takes a session out of a room. ARGV[5] room, ARGV[6] session id.
-- Returns { standing, whether it was joined (1, 0), how many remain }.
local may = mayWrite()
if may ~= 'ok' then return { may } end
local left, remaining = unjoin(ARGV[5], joinedIn(ARGV[5]), ARGV[6])
keep()
return { may, left and 1 or 0, remaining }
