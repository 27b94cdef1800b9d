--- What is written to standard error by way of io.stderr.
local stderr = {}

--- Calls a function and catches what it writes.
-- @return the text, then what the function returned; raises what it raised
function stderr.of(fn, ...)
  local real, parts = io.stderr, {}
  local fake = {}
  function fake.write(_, ...)
    for i = 1, select("#", ...) do parts[#parts + 1] = tostring((select(i, ...))) end
    return fake
  end
  io.stderr = fake -- luacheck: ignore 122
  local function finish(ok, ...)
    io.stderr = real -- luacheck: ignore 122
    if not ok then error((...), 0) end
    return table.concat(parts), ...
  end
  return finish(pcall(fn, ...))
end

--- How often a text occurs in another.
function stderr.count(text, wanted)
  local n, at = 0, 1
  while true do
    local first, last = text:find(wanted, at, true)
    if not first then return n end
    n, at = n + 1, last + 1
  end
end

return stderr
