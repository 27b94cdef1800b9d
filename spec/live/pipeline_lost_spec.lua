-- A pipeline whose connection dies: every place is filled, and says whether
-- the statement may have been applied.

local hooked_loop = require "spec.support.hooked_loop"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"

local INSERT = "INSERT INTO t VALUES (?)"

describe("a pipeline whose node dies", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(own_node.stop_all)

  -- Dies once the answer to OPEN and that to CREATE have come in, and the
  -- first ones of the pipeline.
  local function results_of(list)
    local node, first = own_node.start(), nil
    local conn = node:connect { loop = hooked_loop { recv = function(n)
      if first and n > first + 2 then
        first = nil
        node:kill()
      end
      node.received = n
    end } }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE)")
    first = node.received
    local results = assert(conn:pipeline(list))
    assert.is_false(conn:is_open())
    live.fails("closed", conn:fetch "SELECT 1")
    conn:close()
    return results
  end

  local function check(results, n, ambiguous)
    assert.equal(n, #results)
    local answered, lost, unsent = 0, 0, 0
    for _, result in ipairs(results) do
      local err = result.error
      if not err then
        answered = answered + 1
        assert.equal(0, lost + unsent)
      else
        assert.equal("closed", err.kind)
        assert.is_true(err.fatal)
        local is_sent = err.message:find("not sent", 1, true) == nil
        if is_sent then lost = lost + 1 else unsent = unsent + 1 end
        assert.equal(is_sent and ambiguous, err.ambiguous)
        assert.equal(not err.ambiguous, err.retryable)
        if is_sent then assert.equal(0, unsent) end
      end
    end
    return answered, lost, unsent
  end

  it("has each place filled: writes that were sent are in doubt", function()
    local list = {}
    for i = 1, 3000 do list[i] = { INSERT, i } end
    local answered, lost, unsent = check(results_of(list), 3000, true)
    assert.is_true(answered > 0 and lost > 0 and unsent > 0,
      ("%d answered, %d lost, %d not sent"):format(answered, lost, unsent))
  end)

  it("has each place filled: reads are not", function()
    local list = {}
    for i = 1, 3000 do list[i] = { "SELECT ?, hex(zeroblob(2000))", i } end
    local answered, lost, unsent = check(results_of(list), 3000, false)
    assert.is_true(answered > 0 and lost > 0 and unsent > 0,
      ("%d answered, %d lost, %d not sent"):format(answered, lost, unsent))
  end)
end)
