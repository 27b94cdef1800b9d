-- Numbers of several rounds as one.
local statistics = {}

--- The middle of a list that has at least one number; of an even count the mean
-- of both.
function statistics.median(list)
  local sorted = {}
  for i, number in ipairs(list) do sorted[i] = number end
  table.sort(sorted)
  local n = #sorted
  local low, high = math.floor((n + 1) / 2), math.floor(n / 2) + 1
  return (sorted[low] + sorted[high]) / 2
end

--- One field of all records that have it.
function statistics.column(records, field)
  local list = {}
  for _, record in ipairs(records) do
    if record[field] then list[#list + 1] = record[field] end
  end
  return list
end

--- The median of a field; nil where no record has it.
function statistics.median_of(records, field)
  local list = statistics.column(records, field)
  if #list == 0 then return nil end
  return statistics.median(list)
end

--- The smallest and the largest number of a list.
function statistics.spread(list)
  local least, most = list[1], list[1]
  for _, number in ipairs(list) do
    least, most = math.min(least, number), math.max(most, number)
  end
  return least, most
end

return statistics
