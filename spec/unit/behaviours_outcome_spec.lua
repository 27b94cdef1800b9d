-- What a code says about a connection, and about a statement that nobody answered:
-- behaviours 28 and 29.
local scripted = require "spec.support.scripted"

local WRITE, READ = "DELETE FROM t", "SELECT a FROM t"

-- Codes of a leader that is none any more; the first two: it certainly refused.
local REFUSED, UNKNOWN = { 10250, 8202 }, { 10506, 8458 }

-- A call's error, and what is left of its connection.
local function fails(sql, code, message)
  local frames = { scripted.failure(code, message) }
  local conn, server = scripted.open({ EXEC_SQL = frames, QUERY_SQL = frames },
    { statement_cache = 0 })
  local answer, err = conn:execute(sql)
  assert.is_nil(answer)
  assert.equal(code, err.code)
  return err, conn, server
end

-- The connection is gone, and with it whatever it would have sent.
local function is_dropped(sql, code, message, in_doubt)
  local err, conn, server = fails(sql, code, message)
  assert.equal("not_leader", err.kind)
  assert.same({ true, not in_doubt, in_doubt }, { err.fatal, err.retryable, err.ambiguous })
  assert.is_false(conn:is_open())
  assert.equal(1, server.closed)
  local before = server.bytes()
  assert.equal("closed", select(2, conn:execute(sql)).kind)
  assert.equal(before, server.bytes())
end

local function is_kept(sql, code, message)
  local err, conn, server = fails(sql, code, message)
  assert.equal("sql", err.kind)
  assert.same({ false, false, false }, { err.fatal, err.retryable, err.ambiguous })
  assert.is_true(conn:is_open())
  server.answers.EXEC_SQL = { scripted.result(1, 1) }
  assert(conn:execute(WRITE))
  assert.equal(0, server.closed)
end

describe("a leader's code", function()
  for _, code in ipairs(REFUSED) do
    it(("behaviour 29: drops the connection: %d, refused"):format(code), function()
      is_dropped(WRITE, code, "not leader", false)
      is_dropped(READ, code, "not leader", false)
    end)
  end

  for _, code in ipairs(UNKNOWN) do
    it(("behaviour 29: drops the connection: %d, in doubt"):format(code), function()
      is_dropped(WRITE, code, "leadership lost", true)
      is_dropped(READ, code, "leadership lost", false)
    end)
  end

  it("behaviour 29: is looked at whole: others with its last byte are I/O errors", function()
    for _, code in ipairs { 10, 266, 2570 } do
      local err, conn = fails(WRITE, code, "disk I/O error")
      assert.same({ "sql", true, true }, { err.kind, err.fatal, err.ambiguous })
      assert.is_false(conn:is_open())
    end
  end)
end)

describe("code 12", function()
  for _, text in ipairs { "no database opened", "No database opened", "NO DATABASE OPENED",
    "no database opened for this client", "gateway: No Database Opened" } do
    it("behaviour 29: drops the connection when it says: " .. text, function()
      is_dropped(WRITE, 12, text, false)
      is_dropped(READ, 12, text, false)
    end)
  end

  for _, text in ipairs { "no statement with the given id", "unknown operation", "",
    "no database", "database opened" } do
    it("behaviour 29: keeps it when it says: '" .. text .. "'", function()
      is_kept(WRITE, 12, text)
      is_kept(READ, 12, text)
    end)
  end

  it("behaviour 29: is the only one whose text is looked at", function()
    for _, code in ipairs { 1, 0, 1002, 4711 } do is_kept(WRITE, code, "no database opened") end
  end)
end)

describe("a write whose answer is lost", function()
  local INSERT = "INSERT INTO t VALUES (1)"
  local ANSWERS = {
    ["the end of the connection"] = { "close" },
    ["silence"] = {},
    ["leadership lost"] = { scripted.failure(10506, "leadership lost") },
  }

  for name, frames in pairs(ANSWERS) do
    it("behaviour 28: by itself may have been applied, and goes once: " .. name, function()
      for _, times in ipairs { 1, 2, 3 } do -- as text, with PREPARE, by its id
        local sent = 0
        local conn, server = scripted.open()
        local function answer()
          sent = sent + 1
          return sent < times and { scripted.result(1, 1) } or frames
        end
        server.answers.EXEC_SQL, server.answers.EXEC = answer, answer
        server.answers.PREPARE = { scripted.frame("STMT", { stmt = 0, params = 0 }) }
        for _ = 2, times do assert(conn:execute(INSERT)) end
        local result, err = conn:execute(INSERT)
        assert.is_nil(result)
        assert.same({ true, false, true }, { err.fatal, err.retryable, err.ambiguous })
        assert.is_false(conn:is_open())
        assert.is_nil((conn:execute(INSERT)))
        assert.same({ times, 1 }, { sent, server.connects })
      end
    end)
  end

  it("behaviour 28: a COMMIT that a constraint refuses is no such one", function()
    local conn, server = scripted.open { EXEC_SQL = { scripted.result(1, 1) } }
    assert(conn:begin())
    assert(conn:execute(INSERT))
    server.answers.EXEC_SQL = { scripted.failure(787, "FOREIGN KEY constraint failed") }
    local done, err = conn:commit()
    assert.is_nil(done)
    assert.same({ "constraint", 787, false, false, false },
      { err.kind, err.code, err.fatal, err.retryable, err.ambiguous })
    assert.is_true(conn:is_open())
    assert.is_true(conn:in_transaction())
    server.answers.EXEC_SQL = { scripted.result(0, 0) }
    assert.is_true(conn:rollback())
    assert.is_false(conn:in_transaction())
  end)
end)
