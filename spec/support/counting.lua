-- Results of any length without a table, and loops over them.
local counting = {}

--- The numbers 1 to n (a parameter) as c (n), for a SELECT to follow.
counting.NUMBERS = [[WITH RECURSIVE c (n) AS
  (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) ]]

--- Rows of a number and its name.
counting.ROWS = counting.NUMBERS .. "SELECT n, 'row ' || n AS name FROM c"

--- How many rows a loop sees that `step` may end.
function counting.loop(iterator, step)
  local seen = 0
  for row in iterator do
    seen = seen + 1
    if step and step(row, seen) == false then break end
  end
  return seen
end

return counting
