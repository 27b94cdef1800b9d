local native = require "dqlite.native"
local scratch = require "spec.support.scratch"
local subprocess = require "spec.support.subprocess"

local THIS_LUA = rawget(_G, "jit") and "LuaJIT" or _VERSION

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- What `require(entry)` says where a C module is this table.
local function refusal(entry, name, module)
  return subprocess.run(([[
    package.preload[%q] = function() return %s end
    print(select(2, pcall(require, %q)))]]):format(name, module, entry))
end

-- The same where C modules are looked for in that directory.
local function refusal_in(dir, entry)
  return subprocess.run(("print(select(2, pcall(require, %q)))"):format(entry),
    { cpath = dir .. "/?.so" })
end

local ENTRIES = { "dqlite", "dqlite.wire", "dqlite.session", "dqlite.node", "resty.dqlite" }

describe("C modules", function()
  local dir

  before_each(function()
    dir = scratch.new()
    os.execute("mkdir " .. dir.path .. "/dqlite")
  end)

  after_each(function()
    dir:close()
  end)

  it("of another version are an error that names both versions", function()
    for _, entry in ipairs(ENTRIES) do
      local text = refusal(entry, "dqlite.core", '{ _VERSION = "0.0.9" }')
      assert.match("^dqlite: the Lua files are of version " .. native.VERSION
        .. ", but the C module dqlite%.core is of version 0%.0%.9", text, nil, entry)
    end
  end)

  it("that do not say their version are an error", function()
    assert.match("dqlite%.core is so old that it does not say its version",
      refusal("dqlite", "dqlite.core", "{}"))
    assert.match("dqlite%.core is so old", refusal("dqlite", "dqlite.core", "true"))
  end)

  it("of the node are looked at as well", function()
    assert.match("dqlite%.node_core is of version 9%.9%.9",
      refusal("dqlite.node", "dqlite.node_core", '{ _VERSION = "9.9.9" }'))
  end)

  it("that are missing are an error that says how to install them", function()
    for _, entry in ipairs(ENTRIES) do
      local text = refusal_in(dir.path, entry)
      assert.match("^dqlite: the C module dqlite%.core is not installed for " .. THIS_LUA
        .. " %(luarocks install lua%-dqlite, ", text, nil, entry)
      assert.match(dir.path .. "/dqlite/core.so", text, 1, true)
    end
  end)

  it("of the node that are missing name the rock and what that needs", function()
    local text = subprocess.run [[
      require "dqlite"
      package.cpath = ""
      print(select(2, pcall(require, "dqlite.node")))]]
    assert.match("dqlite%.node_core is not installed", text)
    assert.match("luarocks install lua-dqlite-node", text, 1, true)
    assert.match("libdqlite-dev", text, 1, true)
  end)

  it("that cannot be loaded say so, with the reason", function()
    write(dir.path .. "/dqlite/core.so", "no library")
    for _, entry in ipairs(ENTRIES) do
      local text = refusal_in(dir.path, entry)
      assert.match("^dqlite: the C module dqlite%.core cannot be loaded into " .. THIS_LUA, text,
        nil, entry)
      assert.match("core.so: ", text, 1, true)
    end
  end)

  it("for which there is no memory do not blame the installation", function()
    local text = subprocess.run [[
      package.preload["dqlite.core"] = function() error("not enough memory", 0) end
      print(select(2, pcall(require, "dqlite")))]]
    assert.match("^not enough memory", text)
  end)

  it("without their libdqlite name the package", function()
    local text = subprocess.run [[
      require "dqlite"
      package.preload["dqlite.node_core"] = function()
        error "libdqlite.so.0: cannot open shared object file: No such file or directory"
      end
      print(select(2, pcall(require, "dqlite.node")))]]
    assert.match("^dqlite: libdqlite, which dqlite%.node_core needs, is not here", text)
    assert.match("Debian: libdqlite0", text, 1, true)
  end)
end)

describe("the version", function()
  it("is that of the C modules, of the library and of its facades", function()
    assert.equal(native.VERSION, read "src/lua/version.h":match '#define DQL_VERSION "(.-)"')
    for _, name in ipairs { "dqlite", "dqlite.core", "dqlite.node_core", "resty.dqlite" } do
      assert.equal(native.VERSION, require(name)._VERSION, name)
    end
  end)

  it("is that of the rockspecs, where they are not of the sources as they are", function()
    for _, name in ipairs { "lua-dqlite", "lua-dqlite-node" } do
      local list = assert(io.popen("ls " .. name .. "-[0-9s]*.rockspec"))
      local path = list:read "*l"
      list:close()
      local version = assert(read(path):match '\nversion = "(.-)%-%d+"', path)
      assert.is_true(version == "scm" or version == native.VERSION, path)
    end
  end)

  it("is the last one of the changes that are released", function()
    local title = read "CHANGELOG.md":match "\n## ([^\n]+)"
    assert.is_true(title == "Unreleased" or title:find(native.VERSION, 1, true) == 1, title)
  end)
end)
