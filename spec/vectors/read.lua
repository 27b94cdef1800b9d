--- Reads the golden frames; the format is in README.md.
local vectors = {}

local function finish(vector, list)
  if not vector then return end
  assert(vector.name and vector.direction and vector.hex, "no whole vector")
  vector.bytes = vector.hex:gsub("%s", ""):gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  list[#list + 1] = vector
end

local function add_line(vector, line, key)
  if line:sub(1, 2) == "  " then
    vector[key] = vector[key] .. line:sub(3)
    return key
  end
  local name, value = line:match("^(%l+): (.*)$")
  assert(name, line)
  assert(not vector[name], "twice: " .. line)
  vector[name] = value
  return name
end

--- Reads one file of this directory.
-- @tparam string name such as "requests"
-- @treturn table a list of tables: the lines of a block by their names, and
-- `bytes`, the frame itself
function vectors.read(name)
  local list, vector, key = {}, nil, nil
  for line in io.lines("spec/vectors/" .. name .. ".txt") do
    if line == "" then
      finish(vector, list)
      vector = nil
    elseif line:sub(1, 1) ~= "#" then
      vector = vector or {}
      key = add_line(vector, line, key)
    end
  end
  finish(vector, list)
  return list
end

return vectors
