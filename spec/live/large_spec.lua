-- Results of many frames and large rows, and the limits on them.

local live = require "spec.support.live"

-- The numbers 1 to `last` as rows, without a table.
local function numbers(select, last)
  return ([[WITH RECURSIVE c (value) AS
    (SELECT 1 UNION ALL SELECT value + 1 FROM c WHERE value < %d)
    %s FROM c]]):format(last, select)
end

local OVERFLOW = "SELECT abs(CASE WHEN value = 2000 THEN -9223372036854775808 ELSE value END)"

-- The number of rows in each frame of the answer, and the FAILURE at its end.
local function frames(raw, sql)
  assert(raw:send("QUERY_SQL", { sql = sql }))
  local counts = {}
  while true do
    local message = assert(raw:receive())
    if message.name == "FAILURE" then return counts, message end
    counts[#counts + 1] = message.rows.n
    assert.equal(message.rows.more, not message.last)
    if message.last then return counts end
  end
end

live.each("a result of many frames", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    assert(conn:execute("INSERT INTO t "
      .. numbers("SELECT value, 'name ' || value", 5000)))
  end)

  local ALL = "SELECT id, name FROM t ORDER BY id"

  it("behaviour 21: is complete and in order", function()
    local counts, sum = frames(server:opened_session(), ALL), 0
    for _, count in ipairs(counts) do sum = sum + count end
    assert.equal(5000, sum)
    assert.is_true(#counts > 20)

    local rows = assert(conn:fetch(ALL))
    assert.equal(5000, #rows)
    for i, row in ipairs(rows) do
      assert.same({ id = i, name = "name " .. i }, row)
    end
  end)

  it("is complete in every shape", function()
    local arrays, column = assert(conn:fetchall(ALL)), assert(conn:fetchcol(ALL))
    local rows = assert(conn:query(ALL, {}, { row_types = true }))
    for _, list in ipairs { arrays, column, rows, rows.row_types } do
      assert.equal(5000, #list)
    end
    for _, i in ipairs { 1, 100, 4999, 5000 } do
      assert.same({ i, "name " .. i }, arrays[i])
      assert.same({ i, "name " .. i }, rows[i])
      assert.same({ "INTEGER", "TEXT" }, rows.row_types[i])
      assert.equal(i, column[i])
    end
  end)

  it("is read to its end for a first row", function()
    assert.same({ id = 1, name = "name 1" }, conn:fetchone(ALL))
    assert.equal(1, conn:fetchval(ALL))
    assert(conn:execute(ALL))
    live.usable(conn)
  end)

  it("behaviour 17: may have max_rows rows, and no more", function()
    local opts = { max_rows = 5000 }
    for _, method in ipairs { "fetch", "fetchall", "fetchcol", "query" } do
      assert.equal(5000, #assert(conn[method](conn, ALL, {}, opts)))
    end
    opts.max_rows = 4999
    for _, method in ipairs { "fetch", "fetchall", "fetchcol", "query" } do
      local err = live.fails("policy", conn[method](conn, ALL, {}, opts))
      assert.matches("max_rows", err.message)
      assert.is_false(err.fatal)
      live.usable(conn)
    end
    assert.equal(1, conn:fetchval(ALL, {}, { max_rows = 1 }))
    assert.equal(1, conn:fetchone(ALL, {}, { max_rows = 1 }).id)
  end)

  it("behaviour 17: may have max_result_bytes bytes, and no more", function()
    local opts = { max_result_bytes = 100000 }
    local err = live.fails("policy", conn:fetch(ALL, {}, opts))
    assert.matches("max_result_bytes", err.message)
    assert.is_false(err.fatal)
    live.usable(conn)
    assert.equal(1000, #assert(conn:fetch(ALL .. " LIMIT 1000", {}, opts)))
  end)

  it("behaviour 19: that fails on the way keeps the code, and the connection", function()
    local sql = numbers(OVERFLOW, 3000)
    local counts, failure = frames(server:opened_session(), sql)
    assert.is_true(#counts > 0)
    assert.equal(1, failure.code)
    for _, method in ipairs { "fetch", "fetchall", "fetchcol", "query", "fetchone", "fetchval" } do
      local err = live.fails("sql", conn[method](conn, sql))
      assert.equal(1, err.code)
      assert.equal("integer overflow", err.message)
      assert.is_false(err.fatal)
      live.usable(conn)
    end
  end)
end)

live.each("rows at the edges of frames", function(server)
  local conn, raw

  before_each(function()
    conn = server:connect()
    raw = server:opened_session()
  end)

  it("fill one: the last frame has none", function()
    local sql = numbers("SELECT value", 255)
    assert.same({ 255, 0 }, frames(raw, sql))
    local column = assert(conn:fetchcol(sql))
    assert.equal(255, #column)
    assert.equal(255, column[255])
    assert.equal(255, #assert(conn:fetchcol(sql, {}, { max_rows = 255 })))
  end)

  it("miss it by one, on both sides", function()
    assert.same({ 254 }, frames(raw, numbers("SELECT value", 254)))
    assert.same({ 255, 1 }, frames(raw, numbers("SELECT value", 256)))
    assert.equal(254, #assert(conn:fetchcol(numbers("SELECT value", 254))))
    assert.equal(256, #assert(conn:fetchcol(numbers("SELECT value", 256))))
  end)

  it("are larger than one", function()
    local sql = "SELECT hex(zeroblob(5000)) AS zeros, 7 AS seven"
    assert.same({ 1, 0 }, frames(raw, sql))
    assert.same({ { zeros = ("0"):rep(10000), seven = 7 } }, conn:fetch(sql))
    local rows = assert(conn:query(sql, {}, { row_types = true }))
    assert.equal(1, #rows)
    assert.same({ "TEXT", "INTEGER" }, rows.types)
    assert.same({ { "TEXT", "INTEGER" } }, rows.row_types)
  end)

  it("are all larger than one", function()
    local sql = numbers("SELECT value, hex(zeroblob(3000))", 3)
    assert.same({ 1, 1, 1, 0 }, frames(raw, sql))
    assert.same({ 1, 2, 3 }, conn:fetchcol(sql))
  end)

  -- Short names: 250 long ones take a server down (protocol.md 2.1).
  for _, width in ipairs { 1, 2, 15, 16, 17, 32, 33, 200 } do
    it(("have %d columns"):format(width), function()
      local list, expected, types = {}, {}, {}
      local literals = { "7", "NULL", "'text'", "1.5", "x'00ff'" }
      local kinds = { "INTEGER", "NULL", "TEXT", "FLOAT", "BLOB" }
      local values = { 7, require "dqlite".null, "text", 1.5, "\0\255" }
      for i = 1, width do
        local sort = i % 5 + 1
        list[i] = ("%s AS c%d"):format(literals[sort], i)
        expected[i], types[i] = values[sort], kinds[sort]
      end
      local sql = numbers("SELECT " .. table.concat(list, ", "), 3)
      local rows = assert(conn:query(sql))
      assert.equal(3, #rows)
      for _, row in ipairs(rows) do assert.same(expected, row) end
      assert.same(types, rows.types)
      assert.equal("c" .. width, rows.columns[width])
    end)
  end
end)

live.each("a frame larger than max_message_size", function(server)
  -- Small enough for the server to have sent all of it when we hang up:
  -- newer ones leak what is cut off in the midst of a result (hazards.md).
  it("ends the connection", function()
    local conn = server:connect { max_message_size = 2048 }
    assert.equal(1600, #conn:fetchval "SELECT hex(zeroblob(800))")
    local err = live.fails("protocol", conn:fetchval "SELECT hex(zeroblob(1500))")
    assert.matches("max_message_size", err.message)
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
    local later = live.fails("closed", conn:fetchval "SELECT 1")
    assert.is_true(later.fatal)
    assert.is_true(conn:close())
  end)

  it("is not sent either, and then nothing is lost", function()
    local conn = server:connect { max_message_size = 2048 }
    local err = live.fails("value", conn:fetchval("SELECT length(?)", ("x"):rep(3000)))
    assert.is_false(err.fatal)
    live.usable(conn)
  end)
end)
