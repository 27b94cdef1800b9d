-- Embedded nodes for specs, under one temporary directory that goes away with
-- them, and programs in processes of their own.

local dqlite = require "dqlite"
local node = require "dqlite.node"

local INTERPRETER = jit and "luajit" or "lua" .. _VERSION:match "%d%.%d"

local nodes = {}

local root, count, made

function nodes.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

function nodes.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- A whole file, "" while it is not there; one of /proc, whose process may end
-- meanwhile, as well.
function nodes.read_file(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text or ""
end

-- For setup and teardown.
function nodes.open()
  root, count, made = nodes.output_of "mktemp -d":gsub("\n", ""), 0, {}
end

function nodes.close()
  nodes.output_of("rm -r " .. nodes.quote(root))
end

-- For after_each.
function nodes.stop_all()
  for _, each in ipairs(made) do each:stop() end
  made = {}
end

-- Drops them as a program does that keeps none.
function nodes.forget()
  made = {}
end

-- The name of a directory that does not exist yet.
function nodes.fresh_dir()
  count = count + 1
  return root .. "/" .. count
end

-- A node, with defaults for what is not given.
function nodes.make(options)
  options.address = options.address or "127.0.0.1:0"
  options.dir = options.dir or nodes.fresh_dir()
  local new, err = node.new(options)
  if new then made[#made + 1] = new end
  return new, err
end

function nodes.start(options)
  local new = assert(nodes.make(options))
  assert(new:start())
  return new
end

function nodes.with_connection(address, use)
  local conn = assert(dqlite.connect(address, { timeout = 10 }))
  local result = use(conn)
  conn:close()
  return result
end

-- 42, from a node that works.
function nodes.answer(address)
  return nodes.with_connection(address, function(conn)
    return assert(conn:fetchval "SELECT 41 + 1")
  end)
end

function nodes.write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

-- The command line that runs a Lua program with this library.
function nodes.lua_command(...)
  local words = { "exec env", "LUA_PATH=" .. nodes.quote(package.path),
    "LUA_CPATH=" .. nodes.quote(package.cpath), INTERPRETER }
  for _, word in ipairs { ... } do words[#words + 1] = nodes.quote(word) end
  return table.concat(words, " ")
end

-- Runs Lua code in a process of its own; answers what it prints, and its exit
-- status as the last line.
function nodes.run_lua(code, ...)
  local program = nodes.fresh_dir()
  nodes.write(program, code)
  return nodes.output_of("(" .. nodes.lua_command(program, ...) .. ") 2>&1; echo $?")
end

return nodes
