-- The server's Nagle against our delayed ACK: without care for it, each result
-- of several frames takes 40 ms more (protocol.md 5).

local live = require "spec.support.live"

local ROUNDS = 21

live.each("100 rows in three frames", function(server)
  local SELECT = "SELECT id, name, size FROM t"

  local function median_of(times)
    table.sort(times)
    return times[(#times + 1) / 2]
  end

  before_each(function()
    local conn = server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size REAL)")
    assert(conn:execute [[
      WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100)
      INSERT INTO t SELECT n, printf('%060d', n), n / 2.0 FROM c]])
  end)

  it("arrive without the stall", function()
    local raw = server:opened_session()
    assert(raw:send("QUERY_SQL", { sql = SELECT }))
    local frames = 0
    repeat
      local message = assert(raw:receive())
      assert.equal("ROWS", message.name)
      frames = frames + 1
    until message.last
    assert.equal(3, frames)

    local conn, times = server:connect(), {}
    for i = 1, ROUNDS do
      local seconds, rows, err = live.timed(function() return conn:fetch(SELECT) end)
      assert.equal(100, #assert(rows, err))
      times[i] = seconds
    end
    local median = median_of(times)
    print(("\n100 rows in three frames from %s: median %.2f ms, most %.2f ms")
      :format(server.address, median * 1000, times[ROUNDS] * 1000))
    assert.is_true(median < 0.020, median .. " seconds")
  end)
end)

live.each("a pipeline of any length", function(server)
  -- The shortest time in which it was answered.
  local function time(conn, text, length)
    local list, shortest = {}, math.huge
    for i = 1, length do list[i] = { text } end
    for _ = 1, ROUNDS do
      local seconds, results, err = live.timed(function() return conn:pipeline(list) end)
      assert.equal(length, #assert(results, err))
      assert.is_nil(results[length].error)
      shortest = math.min(shortest, seconds)
    end
    return shortest
  end

  it("is answered without the stall", function()
    local conn = server:connect()
    for _, length in ipairs { 2, 7, 8, 9, 17, 64 } do
      local seconds = time(conn, "SELECT 1", length)
      assert.is_true(seconds < 0.020, ("%d: %g seconds"):format(length, seconds))
    end
  end)

  it("is answered without the stall where each answer has several frames", function()
    local conn = server:connect()
    local text = "SELECT zeroblob(5000), 1 UNION ALL SELECT zeroblob(5000), 2"
    for _, length in ipairs { 2, 8, 24 } do
      local seconds = time(conn, text, length)
      assert.is_true(seconds < 0.020, ("%d: %g seconds"):format(length, seconds))
    end
  end)
end)
