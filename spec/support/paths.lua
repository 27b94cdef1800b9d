--- Every way that a text can take through a connection, each with one answer:
-- what it returned, or nil and the error.
local paths = {}

local function rows(conn, text, ...)
  local list = {}
  local ok, err = pcall(function(...)
    for row in conn:rows(text, ...) do list[#list + 1] = row end
  end, ...)
  if ok then return list end
  return nil, err
end

local function prepare(conn, text, ...)
  local statement, err = conn:prepare(text)
  if not statement then return nil, err end
  if statement.known.yields_rows then return statement:fetch(...) end
  return statement:execute(...)
end

local function executemany(conn, text, ...)
  return conn:executemany(text, { { n = select("#", ...), ... } })
end

local function pipeline(conn, text, ...)
  local results, err = conn:pipeline { { text, n = select("#", ...), ... } }
  if not results then return nil, err end
  if results[1].error then return nil, results[1].error end
  return results[1]
end

local function script(conn, text)
  return conn:script(text)
end

local function method(name)
  return function(conn, ...)
    return conn[name](conn, ...)
  end
end

local FETCH = { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" }

--- `name` and `run(conn, text, ...)` of each; `rows`: only for statements that
-- yield rows; `params`: it takes parameters; `many`: only for those that write.
paths.all = {
  { name = "execute", run = method "execute", params = true },
  { name = "rows", run = rows, params = true, rows = true },
  { name = "prepare", run = prepare, params = true },
  { name = "executemany", run = executemany, params = true, many = true },
  { name = "pipeline", run = pipeline, params = true },
  { name = "script", run = script },
}
for _, name in ipairs(FETCH) do
  paths.all[#paths.all + 1] = { name = name, run = method(name), params = true, rows = true }
end

--- Calls fn(path) for the paths that have a field, or all.
function paths.each(fn, field)
  for _, path in ipairs(paths.all) do
    if not field or path[field] then fn(path) end
  end
end

return paths
