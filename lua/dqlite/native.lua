-- The C modules, as these Lua files need them: of the same version, and built for
-- the Lua that runs. Whatever else is found raises, in words that say what to do.

local native = {
  -- Of the Lua files. That of the C modules is in src/lua/version.h.
  VERSION = "0.1.0",
}

local THIS_LUA = rawget(_G, "jit") and "LuaJIT" or _VERSION

local HOW_TO_INSTALL = {
  ["dqlite.core"] = "luarocks install lua-dqlite, or make install",
  ["dqlite.node_core"] = "luarocks install lua-dqlite-node, or make install, either of them "
    .. "where libdqlite and its header are (Debian: libdqlite-dev)",
}

local function fail(...)
  error("dqlite: " .. string.format(...), 0)
end

-- What require has said, which ends with where it has looked.
local function explain(name, reason)
  if reason:find("not enough memory", 1, true) then error(reason, 0) end
  if reason:find("^module '" .. name .. "' not found") then
    fail("the C module %s is not installed for %s (%s): %s", name, THIS_LUA,
      HOW_TO_INSTALL[name], reason)
  elseif reason:find "libdqlite[^\n]*: cannot open shared object" then
    fail("libdqlite, which %s needs, is not here: install 1.11.1 or newer "
      .. "(Debian: libdqlite0): %s", name, reason)
  elseif reason:find "undefined symbol: dqlite_" then
    fail("libdqlite is older than %s needs: 1.11.1 or newer: %s", name, reason)
  end
  fail("the C module %s cannot be loaded into %s; was it built for another Lua? %s",
    name, THIS_LUA, reason)
end

-- Lua 5.1 alone has no searchpath.
local function place(name)
  local search = rawget(package, "searchpath")
  local path = search and not package.preload[name] and search(name, package.cpath)
  return path and " (" .. path .. ")" or ""
end

--- The C module of this name.
-- @tparam string name "dqlite.core" or "dqlite.node_core"
function native.load(name)
  local loaded, module = pcall(require, name)
  if not loaded then explain(name, tostring(module)) end
  local version = type(module) == "table" and module._VERSION
  if version == native.VERSION then return module end
  fail("the Lua files are of version %s, but the C module %s%s is %s: install both of one version",
    native.VERSION, name, place(name),
    version and "of version " .. tostring(version) or "so old that it does not say its version")
end

return native
