local errors = require "dqlite.error"

local function failure(code, text, write)
  return errors.from_failure(code, text or "text",
    { address = "127.0.0.1:9001", write = write or false })
end

local function flags(err)
  return { fatal = err.fatal, retryable = err.retryable, ambiguous = err.ambiguous }
end

describe("an error of a server's code", function()
  it("has a kind and a name", function()
    local err = failure(2067, "UNIQUE constraint failed: t.a")
    assert.equal("constraint", err.kind)
    assert.equal("SQLITE_CONSTRAINT_UNIQUE", err.name)
    assert.equal(2067, err.code)
    assert.same({ fatal = false, retryable = false, ambiguous = false }, flags(err))
  end)

  it("is retryable when the statement was certainly refused", function()
    for _, code in ipairs { 5, 517 } do
      assert.equal("busy", failure(code).kind)
      assert.same({ fatal = false, retryable = true, ambiguous = false },
        flags(failure(code, "database is locked", true)))
    end
    assert.same({ fatal = true, retryable = true, ambiguous = false },
      flags(failure(10250, "not leader", true)))
  end)

  it("is ambiguous for a write in doubt, retryable for a read", function()
    for _, code in ipairs { 10506, 10, 9, 3338 } do
      assert.same({ fatal = true, retryable = false, ambiguous = true },
        flags(failure(code, "disk I/O error", true)), code)
      assert.same({ fatal = true, retryable = true, ambiguous = false },
        flags(failure(code, "disk I/O error", false)), code)
    end
  end)

  it("behaviour 29: tells a session that is gone from a statement that is unknown", function()
    assert.equal("not_leader", failure(12, "No database opened").kind)
    assert.is_true(failure(12, "no database opened").fatal)
    assert.equal("sql", failure(12, "no statement with the given id").kind)
    assert.is_false(failure(12, "no statement with the given id").fatal)
  end)

  it("does not take dqlite's codes for SQLite's", function()
    assert.equal("DQLITE_PARSE", failure(1005).name)
    assert.equal("protocol", failure(1001).kind)
    assert.equal("sql", failure(1002).kind)
  end)

  it("takes a code that it does not know", function()
    local err = failure(4711)
    assert.equal("sql", err.kind)
    assert.equal("code 4711", err.name)
  end)
end)

describe("an error's text", function()
  it("is one line that names code and address", function()
    assert.equal("constraint: dup (SQLITE_CONSTRAINT_UNIQUE, 2067) at 127.0.0.1:9001",
      tostring(failure(2067, "dup")))
  end)

  it("can be concatenated on both sides", function()
    local err = errors.new { kind = "closed", message = "gone" }
    assert.equal("text: closed: gone", "text: " .. err)
    assert.equal("closed: gone!", err .. "!")
  end)

  it("shows what would be hidden, and keeps the bytes", function()
    local text = "a\27[31m\r\nb\0\226\128\174c\194\155d\239\187\191\216\156"
    local err = failure(1, text)
    assert.equal("a\\x1b[31m\\x0d\\x0ab\\x00\\xe2\\x80\\xaec\\xc2\\x9bd\\xef\\xbb\\xbf\\xd8\\x9c",
      err.message)
    assert.equal(text, err.raw)
  end)

  it("leaves the texts of all languages alone", function()
    assert.equal("né 日本 \240\159\152\128", errors.visible("né 日本 \240\159\152\128"))
  end)

  it("shows bytes that are no UTF-8, which are controls to some terminals", function()
    assert.equal("a\\x9b31mé\\xe2\\x82 €\\xff", errors.visible("a\15531mé\226\130 €\255"))
  end)

  it("is capped, and so are the bytes and the statement", function()
    local err = errors.from_failure(1, ("\27"):rep(65536),
      { write = false, sql = ("x"):rep(10000) })
    assert.is_true(#err.message <= 4 * 1024 + 3)
    assert.equal("...", err.message:sub(-3))
    assert.equal(4096, #err.raw)
    assert.equal(500, #err.sql)
  end)
end)

describe("misuse", function()
  it("is raised at the line that called the library", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() errors.misuse("wrong") end)
    assert.is_false(ok)
    assert.matches("error_spec.lua:" .. line .. ": wrong$", message)
  end)
end)

describe("the table of codes", function()
  local kinds = { sql = true, busy = true, constraint = true, not_leader = true,
    protocol = true }

  it("gives each code a name and a kind", function()
    for code, row in pairs(errors.codes) do
      assert.is_true(kinds[row.kind], code)
      assert.matches("^%u+LITE_%u+", row.name)
      assert.is_true(row.outcome == nil or row.outcome == "refused"
        or row.outcome == "unknown")
    end
  end)
end)
