-- Who was busy with his turn for so long that he looked gone kept no place: he waited in
-- vain until his deadline.
local queues = require "dqlite.queue"
local virtual_loop = require "spec.support.virtual_loop"

describe("a queue for the connections that nginx keeps", function()
  it("has a place for who was busy with his turn for long", function()
    local world = virtual_loop.new(1)
    local queue = queues.new(world.loop, 10)
    local busy, next_one = queue:join(), nil
    local order, began = {}, world.loop.now()
    world:spawn(function()
      assert(queue:wait(busy, 0.01))
      world.loop.sleep(3) -- dials a node that does not answer
      while not queue:wait(busy, math.huge) do end
      order[#order + 1] = "busy"
      queue:leave(busy)
    end)
    world:spawn(function()
      next_one = queue:join()
      while not (queue:wait(next_one, math.huge) and world.loop.now() > began + 5) do end
      order[#order + 1] = "next one"
      queue:leave(next_one)
    end)
    world:run()
    assert.same({ "busy", "next one" }, order)
    assert.is_true(queue:is_empty())
  end)
end)
