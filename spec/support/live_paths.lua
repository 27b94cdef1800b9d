--- Every way that a statement can go through a connection to a real server,
-- each method of a prepared statement included: a list of { name, run }, where
-- `run(conn, sql)` answers what the call answers, or nil and the error.
local function rows(source, ...)
  local ok, iterator = pcall(source.rows, source, ...)
  if not ok then return nil, iterator end
  local list = {}
  for row in iterator do list[#list + 1] = row end
  return list
end

local paths = {}

local function add(name, run)
  paths[#paths + 1] = { name = name, run = run }
end

local HELPERS = { "execute", "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" }

for _, name in ipairs(HELPERS) do
  add(name, function(conn, sql) return conn[name](conn, sql) end)
end

add("rows", rows)

local function prepared(run)
  return function(conn, sql)
    local statement, err = conn:prepare(sql)
    if not statement then return nil, err end
    local answer, failed = run(statement)
    statement:close()
    return answer, failed
  end
end

for _, name in ipairs(HELPERS) do
  add("a prepared statement's " .. name, prepared(function(statement)
    return statement[name](statement)
  end))
end

add("a prepared statement's rows", prepared(rows))

add("a prepared statement's executemany", prepared(function(statement)
  return statement:executemany { {} }
end))

add("executemany", function(conn, sql) return conn:executemany(sql, { {} }) end)

add("pipeline", function(conn, sql)
  local results, err = conn:pipeline { { sql } }
  if not results then return nil, err end
  if results[1].error then return nil, results[1].error end
  return results[1]
end)

add("script", function(conn, sql) return conn:script(sql) end)

return paths
