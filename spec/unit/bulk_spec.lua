-- What C does for many requests, replies or entries in a call each.
local core = require "dqlite.core"
local wire = require "dqlite.wire"

local MAX = 2 ^ 20

describe("exec_sets", function()
  local session

  before_each(function() session = core.session(MAX) end)

  local function queue(sets, first, most, numbering)
    return session:exec_sets(3, numbering or 1, sets, first, most)
  end

  it("queues an EXEC for each set, as exec does", function()
    assert.equal(2, queue({ { 0 }, { 7 }, { "x" } }, 2, 2))
    local together = session:take()
    local other = core.session(MAX)
    other:exec(3, 1, { 7 })
    other:exec(3, 1, { "x" })
    assert.equal(other:take(), together)
    assert.equal(2, session:outstanding())
  end)

  it("stops at the end, and at a set that exec has to look at", function()
    assert.equal(1, queue({ { 1 } }, 1, 16))
    assert.equal(0, queue({ { 1 } }, 2, 16))
    for _, wrong in ipairs { { 1, 2 }, { {} }, { print }, { a = 1 }, { "a\0b" }, 5 } do
      assert.equal(1, queue({ { 1 }, wrong, { 1 } }, 1, 16))
    end
  end)

  it("takes no more than a window", function()
    local blob, sets = ("x"):rep(100000), {}
    for i = 1, 8 do sets[i] = { blob } end
    assert.equal(3, queue(sets, 1, 8))
    assert.is_true(session:pending() > 256 * 1024)
  end)

  it("sends nothing on a session that has ended", function()
    session:close()
    assert.equal(0, queue({ { 1 } }, 1, 1))
  end)
end)

describe("results", function()
  local function result(rows)
    return assert(wire.encode("RESULT", { last_insert_id = "9", rows_affected = rows }))
  end

  it("takes those that are here, up to one that is none", function()
    local session = core.session(MAX)
    for _ = 1, 5 do session:exec("DELETE FROM t", 0) end
    assert.same({ 0, 0 }, { session:results() })
    local last = result "4"
    session:feed(result "1" .. result "2" .. last:sub(1, -2))
    assert.same({ 2, 3 }, { session:results() })
    session:feed(last:sub(-1) .. assert(wire.encode("FAILURE", { code = "5", message = "busy" })))
    assert.same({ 1, 4 }, { session:results() })
    assert.same({ 0, 0 }, { session:results() })
    assert.equal("FAILURE", (session:next()))
    assert.equal(1, session:outstanding())
  end)

  it("are none on a session that has ended, or is ended by one", function()
    local session = core.session(MAX)
    session:exec("DELETE FROM t", 0)
    session:feed(result "1" .. result "1")
    assert.same({ 1, 1 }, { session:results() })
    assert.equal("protocol", (select(2, session:next())))
    session:close()
    assert.same({ 0, 0 }, { session:results() })
  end)
end)

describe("entries", function()
  local function read(list)
    local texts, counts = {}, {}
    return core.entries(list, texts, counts), texts, counts
  end

  it("tells texts and counts of parameters", function()
    local n, texts, counts = read {
      { "a" }, { "b", 1, nil, 3 }, { "c", n = 2 }, { "d", { x = 1 } }, { "e", 1, n = 0 },
    }
    assert.equal(5, n)
    assert.same({ "a", "b", "c", "d", "e" }, texts)
    assert.same({ 0, 3, 2, 1, 0 }, counts)
  end)

  it("tells what is no count", function()
    for _, n in ipairs { -1, 0.5, 32767, "1", 1 / 0, 0 / 0 } do
      assert.is_false(select(3, read { { "a", n = n } })[1])
    end
    assert.is_false(select(3, read { { "a", [2.5] = 1 } })[1])
  end)

  it("ends at what is no entry", function()
    for _, wrong in ipairs { 5, "text", {}, { 5 } } do
      local _, texts, counts = read { { "a" }, wrong, { "c" } }
      assert.same({ "a", false }, texts)
      assert.same({ 0 }, counts)
    end
  end)

  it("has no number where there is a hole", function()
    assert.is_nil((read { [1] = { "a" }, [3] = { "c" } }))
    assert.equal(0, (read {}))
  end)
end)
