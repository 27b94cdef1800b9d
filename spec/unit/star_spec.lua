-- hazards.md, "Silent wrong answers": after another connection has changed a
-- table, the first answer with a bare `*` would have the old column names over
-- the new values, from a text as from a prepared statement. In these specs the
-- schema changes whenever it can.
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local ALL = "SELECT * FROM t"
local RETURNING = "DELETE FROM t RETURNING *"
local VERSIONS = { "1.11.1", "1.14", "1.18.6" }

-- The paths on which names matter: others drop the rows.
local function each_path(fn)
  paths.each(function(path)
    if path.rows or path.name == "pipeline" then fn(path) end
  end)
end

-- What goes ahead of the text: the begin of a transaction, a look at the schema.
local function lead()
  local conn, server = simulated.open()
  assert(conn:fetch(ALL))
  local log = server:log()
  return log[1]:match "^EXEC_SQL (.*)$", log[2]:match "^QUERY_SQL (.*)$"
end

local function open(version, opts)
  local conn, server = simulated.open(version, opts)
  server.restless = true
  return conn, server
end

describe("a star", function()
  after_each(simulated.verify)

  it("has the right names on every path, in and outside of a transaction", function()
    for _, version in ipairs(VERSIONS) do
      each_path(function(path)
        for _, begin in ipairs { false, "BEGIN" } do
          local conn, server = open(version)
          if begin then assert(conn:execute(begin)) end
          for _ = 1, 4 do
            local answer, err = path.run(conn, ALL)
            assert(answer, path.name .. ": " .. tostring(err))
          end
          assert.equal(begin ~= false, server.in_transaction, path.name)
          assert.equal(begin ~= false, conn:in_transaction(), path.name)
        end
      end)
    end
  end)

  it("of a RETURNING, too", function()
    for _, version in ipairs(VERSIONS) do
      paths.each(function(path)
        local conn, server = open(version)
        if path.name == "pipeline" or path.many or path.name == "prepare" then return end
        for n = 1, 4 do
          local answer, err = path.run(conn, RETURNING)
          assert(answer, path.name .. ": " .. tostring(err))
          assert.equal(n, #server.applied)
          assert.is_false(server.in_transaction)
        end
      end)
    end
  end)

  it("costs no round trip more", function()
    local conn, server = open()
    assert.same({ { a = 1 } }, conn:fetch(ALL))
    local log = server:log(true)
    assert.equal(1, #log)
    assert.equal(4, #log[1])
    assert.equal("QUERY_SQL " .. ALL, log[1][3])
  end)

  it("is one that stands for columns", function()
    for text, star in pairs { ["SELECT count(*) FROM t"] = false, ["SELECT 2 * 3"] = false,
      ["SELECT '*'"] = false, ["SELECT a, t.* FROM t"] = true, ["SELECT DISTINCT * FROM t"] = true,
      ["SELECT a FROM (SELECT * FROM t)"] = true } do
      local conn, server = open()
      assert(conn:fetch(text))
      assert.equal(star and 4 or 1, #server:log(), text)
    end
  end)

  it("may fail: then nothing is open, and the failure is its own", function()
    for _, version in ipairs(VERSIONS) do
      local conn, server = open(version)
      server:on(ALL, { scripted.failure(1, "no such table: t") })
      each_path(function(path)
        local answer, err = path.run(conn, ALL)
        assert.is_nil(answer, path.name)
        assert.equal("no such table: t", err.message, path.name)
        assert.is_false(server.in_transaction)
        assert.is_false(conn:in_transaction())
      end)
      assert.equal(1, conn:fetchval "SELECT 1")
    end
  end)

  it("with bad parameters sends nothing", function()
    local conn, server = open()
    for _, text in ipairs { "SELECT * FROM t WHERE a = ?", RETURNING .. ", ?" } do
      for _, name in ipairs { "fetch", "execute", "query" } do
        local answer, err = conn[name](conn, text, 1, 2)
        assert.is_nil(answer)
        assert.equal("value", err.kind)
      end
      assert.is_false(pcall(conn.rows, conn, text, "a\0b"))
      assert.is_false(pcall(conn.fetch, conn, text, print))
    end
    assert.equal(0, server.bytes())
  end)

  it("is lost like any other read: it can be tried again", function()
    local begin, look = lead()
    for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
      { scripted.failure(10250, "not leader") } } do
      for _, where in ipairs { begin, look, ALL } do
        paths.each(function(path)
          local conn, server = simulated.open()
          server:on(where, answer)
          local rows, err = path.run(conn, ALL)
          assert.is_nil(rows, where)
          assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, where)
          assert.is_false(conn:is_open())
        end, "rows")
      end
    end
  end)

  it("whose savepoint or look fails is not believed", function()
    local begin, look = lead()
    for _, where in ipairs { begin, look } do
      paths.each(function(path)
        local conn, server = simulated.open()
        server:on(where, { scripted.failure(1, "no luck") })
        local rows, err = path.run(conn, ALL)
        assert.is_nil(rows, where)
        assert.equal("no luck", err.message)
        assert.equal(1, conn:fetchval "SELECT 1")
        assert.is_false(server.in_transaction)
        assert.is_false(conn:in_transaction())
      end, "rows")
    end
  end)

  it("is waited for when it is BUSY, as a whole", function()
    paths.each(function(path)
      local conn, server = open()
      local busy = { scripted.failure(5, "database is locked") }
      server:sequence(ALL, busy, busy)
      assert(path.run(conn, ALL), path.name)
      assert.is_true(server.slept > 0)
      assert.is_false(server.in_transaction)
    end, "rows")
  end)
end)

describe("rows of a star", function()
  after_each(simulated.verify)

  local FRAMES = {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.rows { columns = { "a" }, { 2 } },
  }

  it("end with their transaction, whenever they are left", function()
    for left = 0, 3 do
      local conn, server = open()
      server:on(ALL, FRAMES)
      local next_row = conn:rows(ALL)
      for _ = 1, left do next_row() end
      assert.equal(1, conn:fetchval "SELECT 1")
      assert.is_false(server.in_transaction)
      assert.is_false(conn:in_transaction())
      assert(conn:begin()):commit()
    end
  end)

  it("are read by close, too", function()
    for left = 0, 3 do
      local conn, server = open()
      local stream = conn.link.stream
      server:on(ALL, FRAMES)
      local next_row = conn:rows(ALL)
      for _ = 1, left do next_row() end
      conn:close()
      assert.equal(0, #stream.incoming)
      assert.equal(1, server.closed)
    end
  end)

  it("may be read slowly, to the end", function()
    local conn, server = open(nil, { timeout = 2 })
    server:on(ALL, FRAMES)
    local next_row = conn:rows(ALL)
    for _ = 1, 2 do
      assert.is_not_nil(next_row())
      server.time = server.time + 60
    end
    assert.is_nil(next_row())
    assert.is_true(conn:is_open())
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("that fail in the middle leave nothing open", function()
    local conn, server = open()
    server:on(ALL, { FRAMES[1], scripted.failure(1, "integer overflow") })
    local next_row = conn:rows(ALL)
    next_row()
    local ok, err = pcall(next_row)
    assert.is_false(ok)
    assert.equal("integer overflow", err.message)
    assert.equal(1, conn:fetchval "SELECT 1")
    assert.is_false(server.in_transaction)
  end)
end)

describe("a star in a pipeline", function()
  after_each(simulated.verify)

  it("stands beside others, each with its own answer", function()
    for _, begin in ipairs { false, "BEGIN" } do
      local conn, server = open()
      if begin then assert(conn:execute(begin)) end
      server:on("DELETE FROM stops", { scripted.failure(1811, "stop") })
      for _ = 1, 3 do
        local results = assert(conn:pipeline { { "SELECT b FROM u" }, { ALL }, { "DELETE FROM t" },
          { ALL }, { "DELETE FROM stops" }, { "SELECT b FROM u" }, { ALL } })
        for _, i in ipairs { 1, 2, 4, 6, 7 } do assert.same({ { a = 1 } }, results[i], i) end
        assert.equal(1811, results[5].error.code)
        assert.same({ rows_affected = 1 }, results[3])
      end
      assert.equal(begin ~= false, server.in_transaction)
      if begin then assert(conn:execute "COMMIT") end
      assert.equal(3, #server.applied)
    end
  end)

  it("of a RETURNING is right where nothing else has read the schema", function()
    local conn, server = open()
    assert(conn:execute "BEGIN")
    local results = assert(conn:pipeline { { RETURNING }, { "UPDATE OR ROLLBACK t SET a = 1" } })
    assert.same({ { { a = 1 } }, { rows_affected = 1 } }, results)
    assert(conn:execute "COMMIT")
    assert.equal(2, #server.applied)
  end)

  it("of a RETURNING is right, or refused before anything leaves", function()
    for _, version in ipairs(VERSIONS) do
      for _, begin in ipairs { false, "BEGIN" } do
        local conn, server = open(version)
        if begin then assert(conn:execute(begin)) end
        local results, err = conn:pipeline { { "SELECT b FROM u" }, { RETURNING }, { RETURNING } }
        if results then
          assert.same({ { { a = 1 } }, { { a = 1 } }, { { a = 1 } } }, results)
        else
          assert.equal("unsupported", err.kind)
        end
        if begin then assert(conn:execute "COMMIT") end
        assert.equal(results and 2 or 0, #server.applied)
      end
    end
  end)
end)
