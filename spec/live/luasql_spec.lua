-- LuaSQL's manual, behaviour by behaviour: with dqlite.luasql, and with LuaSQL's own driver
-- for SQLite, which must agree but for what each case says. Then what is dqlite's alone.
local case = require "spec.support.luasql.case"
local live = require "spec.support.live"
local scratch = require "spec.support.scratch"

local PARTS = { "environment", "connection", "transaction", "cursor" }

-- All cases, with connections of a driver.
local function each_case(driver, new_source, look)
  for _, part in ipairs(PARTS) do
    describe(part, function()
      local opened
      before_each(function() opened = {} end)
      after_each(function()
        for _, close in ipairs(opened) do close() end
      end)
      for _, one in ipairs(require("spec.support.luasql." .. part)) do
        it(one[1], function() look(one, case.open(driver, new_source(), opened)) end)
      end
    end)
  end
end

live.each("dqlite.luasql as LuaSQL's manual has it", function(server)
  each_case(require "dqlite.luasql", function()
    return server.address .. "/" .. server.database
  end, function(one, opened)
    assert.same(one.gives, case.run(one, opened))
  end)
end)

describe("LuaSQL's driver for SQLite as the same cases have it", function()
  local directory
  setup(function() directory = scratch.new() end)
  teardown(function() directory:close() end)

  each_case(require "luasql.sqlite3", function()
    return directory:fresh "database"
  end, function(one, opened)
    assert.same(one.luasql or one.gives, case.run(one, opened))
    -- a difference that there is no more would have to go
    if one.luasql then
      assert.not_same(one.gives, one.luasql)
      assert.is_string(one.because)
    end
  end)
end)
