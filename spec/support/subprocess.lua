--- Programs in a process of their own, run by the interpreter of the specs.
local subprocess = {}

local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

--- Runs a program.
-- @tparam string text
-- @tparam[opt] table env `path` and `cpath` for modules; this process' else
-- @treturn string what it prints, to standard error as well
function subprocess.run(text, env)
  env = env or {}
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local pipe = assert(io.popen(("env LUA_PATH='%s' LUA_CPATH='%s' %s %s 2>&1"):format(
    env.path or package.path, env.cpath or package.cpath, interpreter(), path)))
  local output = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return output
end

return subprocess
