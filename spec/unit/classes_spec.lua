local core = require "dqlite.core"
local values = require "dqlite.values"
local wire = require "dqlite.wire"

-- Objects in C, and what is none of theirs: other userdata of Lua's and of ours.
local function objects()
  return {
    session = core.session(1024),
    socket = core.socket(),
    decoder = wire.decoder "request",
    blob = values.blob(("x"):rep(100)),
  }
end

local function others()
  local list = objects()
  list.file, list.null, list.text, list.table = io.stdout, values.null, "x", {}
  local newproxy = rawget(_G, "newproxy")
  list.proxy = newproxy and newproxy(true)
  return list
end

local METHODS = {
  session = core.session(1024).pending,
  socket = core.socket().fd,
  blob = getmetatable(values.blob "x").__tostring,
}

describe("a method of an object in C", function()
  for class, method in pairs(METHODS) do
    it("takes one of its class: " .. class, function()
      assert.is_not_nil(method(objects()[class]))
    end)

    it("raises for anything else: " .. class, function()
      for name, other in pairs(others()) do
        if name ~= class then
          local ok, err = pcall(method, other)
          assert.is_false(ok, name)
          assert.matches("expected, got", err)
        end
      end
      assert.is_false((pcall(method)))
    end)
  end
end)
