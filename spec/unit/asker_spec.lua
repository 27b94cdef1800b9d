-- An asker that is closed in the middle.
local askers = require "dqlite.asker"
local options = require "dqlite.options"

describe("an asker", function()
  it("that is closed while a loop dials that cannot break that off asks nothing", function()
    local asker, sent, closed
    local stream = {
      alive = function() return true end,
      close = function() closed = true end,
      send = function() sent = true end,
      recv = function() sent = true end,
    }
    local loop = {
      name = "spec",
      now = function() return 0 end,
      sleep = function() end,
      connect = function()
        asker:close()
        return stream
      end,
    }
    asker = askers.new(options.connect { loop = loop }, "a:1", "127.0.0.1:1")
    local leader, err = asker:ask(1)
    assert.is_nil(leader)
    assert.equal("closed", err.kind)
    assert.same({ true }, { closed, sent })
  end)
end)
