-- Whose is it: this process's, or one's that has forked it? (spec/live/fork_spec.lua
-- has the forks.)
local core = require "dqlite.core"
local process = require "dqlite.process"
local raises = require "spec.support.raises"

describe("what belongs to a process", function()
  it("is its own there", function()
    assert.is_false(process.is_inherited(process.current()))
    process.check(process.current(), "the thing")
  end)

  it("is another's in any other", function()
    local parent = process.current() - 1
    assert.is_true(process.is_inherited(parent))
    raises("the thing belongs to .* forked this one, .*: make another$",
      function() process.check(parent, "the thing", "make another") end)
  end)
end)

describe("luv's loop", function()
  local NAME = "dqlite.loop.inherited"
  local real_forks, real_luv, real_module = core.forks, nil, nil
  local forks

  local function load_anew()
    package.loaded[NAME] = nil
    return require(NAME)
  end

  before_each(function()
    real_luv, real_module, forks = package.loaded.luv, package.loaded[NAME], 0
    core.forks = function() return forks end
  end)

  after_each(function()
    package.loaded.luv, package.loaded[NAME], core.forks = real_luv, real_module, real_forks
  end)

  it("is inherited when luv was there before the library, and before the fork", function()
    package.loaded.luv = {}
    local inherited = load_anew()
    assert.is_false(inherited.is_loop())
    forks = 1
    assert.is_true(inherited.is_loop())
  end)

  it("is inherited when it was looked at before the fork", function()
    package.loaded.luv = nil
    local inherited = load_anew()
    package.loaded.luv = {}
    assert.is_false(inherited.is_loop())
    forks = 1
    for _ = 1, 2 do assert.is_true(inherited.is_loop()) end
  end)

  it("is the child's own when that loads luv", function()
    package.loaded.luv = nil
    local inherited = load_anew()
    assert.is_false(inherited.is_loop())
    forks = 1
    package.loaded.luv = {}
    for _ = 1, 2 do assert.is_false(inherited.is_loop()) end
    forks = 2
    assert.is_true(inherited.is_loop())
  end)
end)
