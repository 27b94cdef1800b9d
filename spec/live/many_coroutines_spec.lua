-- Many coroutines on a few connections: each answer reaches who asked,
-- and nothing grows or stays. Begins the loop itself. QUERIES=n for another number
-- of queries than in `make test`.
local dqlite = require "dqlite"
local in_loop = require "spec.support.in_loop"
local live = require "spec.support.live"
local process = require "spec.support.process"

local COROUTINES, CONNECTIONS = 1000, 16
local QUERIES = tonumber(os.getenv "QUERIES") or 20000

-- Connections that coroutines take and give back, first come, first served.
local function new_shelf(server)
  local free, given = {}, in_loop.module().cond()
  for i = 1, CONNECTIONS do free[i] = server:connect() end
  return {
    take = function()
      while #free == 0 do given:wait() end
      return table.remove(free)
    end,
    give = function(conn)
      free[#free + 1] = conn
      given:signal()
    end,
    close = function()
      for _, conn in ipairs(free) do conn:close() end
      return #free
    end,
  }
end

-- Asks for what only this coroutine and turn can have asked for.
local function ask(shelf, me, turns)
  local right = 0
  for turn = 1, turns do
    local conn = shelf.take()
    local answer = assert(conn:fetchone("SELECT ? AS me, ? AS turn", me, turn))
    if answer.me == me and answer.turn == turn then right = right + 1 end
    shelf.give(conn)
  end
  return right
end

-- Lets all of them ask. How many answers were right, and how many connections came
-- back.
local function ask_all(server, turns)
  local shelf, tasks, right = new_shelf(server), {}, 0
  for i = 1, COROUTINES do tasks[i] = dqlite.spawn(ask, shelf, i, turns) end
  for i = 1, COROUTINES do right = right + tasks[i]:wait() end
  return right, shelf.close()
end

live.each("a thousand coroutines over 16 connections", function(server)
  it("get right answers, and nothing grows or stays", function()
    local turns = QUERIES / COROUTINES
    in_loop.run(ask_all, server, turns)
    local resident, by_lua = process.memory()
    local descriptors = process.descriptors()
    local right, back = in_loop.run(ask_all, server, turns)
    assert.equal(QUERIES, right)
    assert.equal(CONNECTIONS, back)
    assert.same({}, in_loop.left())
    assert.equal(descriptors, process.descriptors())
    local resident_after, by_lua_after = process.memory()
    resident, by_lua = resident_after - resident, by_lua_after - by_lua
    print(("%d queries: %.2f MiB more in Lua, %.1f MiB more in the process"):format(
      QUERIES, by_lua, resident))
    assert.is_true(by_lua < 0.25, ("%.2f MiB more in Lua"):format(by_lua))
    assert.is_true(resident < 8, ("%.1f MiB more in the process"):format(resident))
  end)
end)
