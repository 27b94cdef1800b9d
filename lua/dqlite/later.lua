--- Modules that few programs use: loaded when they are first asked for something, from
-- where the library itself was found, as they were if they had been required in its place.
-- What is live counts two or three times in the peak memory of a program.
--
-- That is LuaJIT's way to grow. Lua's own collectors let little garbage come together, and
-- where few strings are live the table of all strings is halved and doubled again all the
-- time (5.4: a tenth of the time of a large result): there everything is loaded at once.
--
-- So it is under nginx: workers share what was there before they were forked, may not be
-- allowed to read the files, and no request should wait for a disk.
-- @module dqlite.later

local later = {}

--- Is everything loaded at once here?
later.AT_ONCE = rawget(_G, "ngx") ~= nil or rawget(_G, "jit") == nil

local path = package.path -- a program may change it

local ANSWERED = { table = true, ["function"] = true } -- by our modules

-- Lua 5.1 and LuaJIT take a module for loaded whose loading has failed, without memory for
-- example: a mark of their own stands for it.
local function forget_failed()
  for name, module in pairs(package.loaded) do
    if tostring(name):find "^dqlite%." and not ANSWERED[type(module)] then
      package.loaded[name] = nil
    end
  end
end

--- A module itself.
-- @tparam string name
-- @treturn table|function
function later.load(name)
  local now = package.path
  package.path = path
  local loaded, module = pcall(require, name)
  package.path = now
  if loaded then return module end
  forget_failed()
  error(tostring(module):find("not enough memory", 1, true) and "not enough memory" or module, 0)
end

--- In place of `require`, for a module that answers a table of functions, or a function.
-- @tparam string name
-- @return what stands for it: call it, or the functions in it
function later.require(name)
  if later.AT_ONCE then return require(name) end
  return setmetatable({}, {
    __index = function(proxy, key)
      local value = later.load(name)[key]
      proxy[key] = value
      return value
    end,
    __call = function(_, ...) return later.load(name)(...) end,
  })
end

return later
