-- Fetches one row after the other and forgets none; an open connection holds the
-- rows that were not fetched.
local address = ...
local dqlite = require "dqlite"

local conn = assert(dqlite.connect(address))
assert(conn:execute "INSERT INTO stock VALUES ('hoard', 1)")
local numbers = [[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  SELECT i, i || ' pieces' AS label FROM n]]
local hoard = {}
for row in conn:rows(numbers) do hoard[#hoard + 1] = row end
print(("%d rows"):format(#hoard))
