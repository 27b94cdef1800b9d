--- Lua of specs that runs inside of nginx' workers:
--
--    local server = nginx.start(nginx_inside.options(nginx_cluster.options(members)))
--    local inside = nginx_inside.of(server)
--    assert.equal(2, inside "return pool:fetchval 'SELECT 1 + 1'")
--
-- Such a chunk runs in a request of its own, and answers what it returns: tables without
-- cycles, null and cdata as texts, errors of the client with their fields. What it raises
-- is raised by the call. It sees `dqlite`, `where` (the nodes), `pool` (one for each
-- worker, of the defaults), `kept` (a table that stays in the worker), `elapsed(fn)`
-- (seconds, and what `fn` returns), `raises(fn, ...)` (the text of what it raises; else
-- it raises) and `cjson`.
local nginx_inside = {}

local PATH = "/-/inside"

-- In LuaJIT.
local MODULE = [==[
local dqlite = require "dqlite"
local fields = require "dqlite.error".is_error

local inside = {}

local env = setmetatable({
  dqlite = dqlite, where = require "spec_where", kept = {}, cjson = require "cjson",
}, { __index = _G })

function env.elapsed(fn)
  ngx.update_time()
  local began = ngx.now()
  local result, err = fn()
  ngx.update_time()
  return ngx.now() - began, result, err
end

function env.raises(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error("nothing was raised", 2) end
  return tostring(err)
end

env.pool = assert(dqlite.create_pool(env.where))

local literal

local function pairs_of(value)
  local parts = {}
  for key, each in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(literal(key), literal(each))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function error_of(err)
  return pairs_of {
    kind = err.kind, message = err.message, fatal = err.fatal, retryable = err.retryable,
    ambiguous = err.ambiguous, name = err.name, index = err.index, text = tostring(err),
  }
end

function literal(value)
  local kind = type(value)
  if fields(value) then return error_of(value) end
  if kind == "table" then return pairs_of(value) end
  if kind == "string" then return ("%q"):format(value) end
  if kind == "number" then return ("%.17g"):format(value) end
  if kind == "nil" or kind == "boolean" then return tostring(value) end
  return ("%q"):format(tostring(value))
end

local function answer(ok, ...)
  local parts = { literal(ok), tostring(select("#", ...)) }
  for i = 1, select("#", ...) do parts[i + 2] = literal((select(i, ...))) end
  ngx.print("return ", table.concat(parts, ","))
end

local function describe(err)
  return debug.traceback(tostring(err), 2)
end

--- Runs the body of the request.
function inside.run()
  ngx.req.read_body()
  local chunk, wrong = loadstring(ngx.req.get_body_data(), "=inside")
  if not chunk then return answer(false, wrong) end
  setfenv(chunk, setmetatable({}, { __index = env }))
  answer(xpcall(chunk, describe))
end

return inside
]==]

--- Options of an nginx with what that needs; it does not log what sockets come to.
-- @tparam table opts of nginx.start, from nginx_cluster.options
-- @treturn table
function nginx_inside.options(opts)
  opts.locations, opts.lua = opts.locations or {}, opts.lua or {}
  opts.locations["= " .. PATH] = "require 'spec_inside'.run()"
  opts.lua.spec_inside = MODULE
  opts.lua_socket_log_errors = false
  opts.http = (opts.http or "") .. "\nclient_body_buffer_size 16m; client_max_body_size 64m;"
  return opts
end

local function results(answer, reason)
  assert(answer, reason)
  assert(answer.status == 200, ("status %d: %s"):format(answer.status, answer.body))
  -- Lua 5.1 writes a line break as a backslash and the break, and \r and \0 as escapes
  local chunk = assert(load(answer.body, "=answer"))
  return chunk()
end

local function unwrap(ok, n, ...)
  if not ok then error((...), 0) end
  return table.unpack({ ... }, 1, n)
end

--- What runs chunks in a server, in either worker.
-- @tparam table server
-- @param[opt] conn of `server:connection(pid)`: in the worker that it is of
-- @treturn function
function nginx_inside.of(server, conn)
  return function(source)
    return unwrap(results((conn or server):post(PATH, source)))
  end
end

--- Sends a chunk, and does not wait.
-- @treturn table pending: `results(seconds)`, and what `server:send` answers as `request`
function nginx_inside.send(server, source)
  local request = assert(server:send { path = PATH, method = "POST", body = source })
  return {
    request = request,
    results = function(seconds) return unwrap(results(request:read(seconds))) end,
  }
end

return nginx_inside
