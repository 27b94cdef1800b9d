-- Modules that are loaded when they are first asked for something.
local later = require "dqlite.later"
local subprocess = require "spec.support.subprocess"

local function run(text)
  return (subprocess.run(text):gsub("%s+$", ""))
end

describe("modules that few programs use", function()
  local NAME = "dqlite.spec_of_later"
  local at_once = later.AT_ONCE

  before_each(function() later.AT_ONCE = false end)

  after_each(function()
    later.AT_ONCE = at_once
    package.preload[NAME], package.loaded[NAME] = nil, nil
  end)

  it("are not loaded along with the library in LuaJIT, but at their first use", function()
    local wanted = jit and "none" or "pool admin policy script transaction"
    assert.equal(wanted .. "\nfunction\ttrue", run [[
      local dqlite = require "dqlite"
      local loaded = {}
      for _, name in ipairs { "pool", "admin", "policy", "script", "transaction" } do
        if package.loaded["dqlite." .. name] then loaded[#loaded + 1] = name end
      end
      print(loaded[1] and table.concat(loaded, " ") or "none")
      print(type(dqlite.policy.allow), dqlite.policy == require "dqlite.policy")]])
  end)

  it("come from where the library was found, whatever package.path is by then", function()
    assert.equal("function afterwards", run [[
      local dqlite = require "dqlite"
      package.path = "afterwards"
      print(type(dqlite.policy.allow) .. " " .. package.path)]])
  end)

  it("are all there at once in nginx", function()
    assert.equal("true true true", run [[
      ngx = { get_phase = function() return "init" end }
      require "dqlite.connection"
      local function is_loaded(name) return tostring(package.loaded["dqlite." .. name] ~= nil) end
      print(is_loaded "pipeline" .. " " .. is_loaded "transaction" .. " " .. is_loaded "many")]])
  end)

  it("answer functions, or are one", function()
    package.preload[NAME] = function() return { add = function(a, b) return a + b end } end
    local proxy = later.require(NAME)
    assert.is_nil(package.loaded[NAME])
    assert.same({ 3, 7 }, { proxy.add(1, 2), proxy.add(3, 4) })
    package.loaded[NAME] = nil
    package.preload[NAME] = function() return function(...) return select("#", ...) end end
    assert.equal(3, later.require(NAME)(nil, 1, nil))
  end)

  it("can be loaded after a time without memory", function()
    local is_scarce = true
    package.preload[NAME] = function()
      if is_scarce then error("not enough memory", 0) end
      return { answer = function() return 42 end }
    end
    local proxy = later.require(NAME)
    local ok, err = pcall(function() return proxy.answer() end)
    assert.same({ false, "not enough memory" }, { ok, err })
    is_scarce = false
    assert.equal(42, proxy.answer())
  end)
end)
