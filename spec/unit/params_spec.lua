local core = require "dqlite.core"
local values = require "dqlite.values"
local wire = require "dqlite.wire"

local null = values.null
local jit = rawget(_G, "jit")

local function session()
  return core.session(2 ^ 20)
end

-- The requests that wait to be sent.
local function taken(from)
  local decoder, list = wire.decoder("request"), {}
  decoder:feed(from:take())
  for message in function() return decoder:next() end do list[#list + 1] = message end
  return list
end

-- A request answers how many bytes wait now.
local function assert_queued(from, sent, kind)
  assert.is_nil(kind)
  assert.is_true(from:pending() > 0)
  assert.equal(from:pending(), sent)
end

-- The parameters as they were sent, or what was said of them, which
-- check_params must say as well.
local function params(sql, ...)
  local numbering = core.scan(sql).numbering
  local from = session()
  local sent, kind, reason = from:exec(sql, numbering, ...)
  assert.same({ sent and true, kind, reason }, { core.check_params(numbering, ...) })
  if sent then
    assert_queued(from, sent)
  else
    assert.equal(0, from:pending())
    assert.equal(0, from:outstanding())
    return kind, reason
  end
  local list = taken(from)[2].params
  list.types = nil
  return list
end

local function refused(kind, reason, sql, ...)
  assert.same({ kind, reason }, { params(sql, ...) })
end

describe("parameters one by one", function()
  it("are as many as the statement has", function()
    assert.same({ 1, "x", null, true, n = 4 }, params("SELECT ?, ?, ?, ?", 1, "x", nil, true))
    assert.same({ null, null, n = 2 }, params("SELECT ?, ?", nil, nil))
    assert.same({ 1, 2, n = 2 }, params("SELECT :a, :b", 1, 2))
    assert.same({ n = 0 }, params("SELECT 1"))
    refused("value", "the statement has 3 parameters, 2 values were given",
      "SELECT ?, ?, ?", 1, 2)
    refused("value", "the statement has 1 parameter, 0 values were given", "SELECT ?")
    refused("value", "the statement has 0 parameters, 1 value was given", "SELECT 1", nil)
    refused("value", "the statement has 2 parameters, 1 value was given", "SELECT :a, :b", 1)
  end)

  it("are SQL values", function()
    refused("misuse", "parameter 2: a function is no SQL value", "SELECT ?, ?", 1, print)
    refused("misuse", "parameter 1: a table is no SQL value", "SELECT ?, ?", {}, 1)
    local kind, reason = params("SELECT ?", "a\0b")
    assert.equal("value", kind)
    assert.matches("dqlite.blob", reason)
  end)
end)

describe("parameters by position", function()
  it("are a list", function()
    assert.same({ 1, "x", n = 2 }, params("SELECT ?, ?", { 1, "x" }))
    assert.same({ 1, null, n = 2 }, params("SELECT ?, ?", { 1, null }))
    assert.same({ 1, null, null, n = 3 }, params("SELECT ?, ?, ?", { 1, n = 3 }))
    assert.same({ null, 2, n = 2 }, params("SELECT ?, ?", { nil, 2, n = 2 }))
    assert.same({ n = 0 }, params("SELECT 1", {}))
    assert.same({ n = 0 }, params("SELECT 1", { n = 0 }))
  end)

  it("are as many as the statement has", function()
    refused("value", "the statement has 2 parameters, 1 value was given", "SELECT ?, ?", { 1 })
    refused("value", "the statement has 1 parameter, 2 values were given", "SELECT ?", { 1, 2 })
    refused("value", "the statement has 1 parameter, 2147483647 values were given",
      "SELECT ?", { n = 2147483647 })
    refused("value", "the statement has 5 parameters, 1 value was given", "SELECT ?5", { 1 })
  end)

  it("have no holes and no other keys", function()
    refused("misuse", "a table of parameters with a hole needs a field n",
      "SELECT ?, ?", { nil, 2 })
    refused("misuse", "a parameter stands behind the position n", "SELECT ?", { 1, 2, n = 1 })
    for _, n in ipairs { -1, 0.5, "2", 2 ^ 31, 0 / 0, true } do
      refused("misuse", "the field n of parameters is a count", "SELECT ?", { 1, n = n })
    end
    for _, key in ipairs { 0, -1, 1.5, true, 2 ^ 40 } do
      refused("misuse", "a table of parameters has the positions 1 to n, or names, for keys",
        "SELECT ?", { 1, [key] = 1 })
    end
    refused("value", "no parameter named 'timeout': the statement has none with a name; "
      .. "options come behind the table of parameters", "SELECT 1", { timeout = 1 })
  end)

  it("serve a statement with names as well", function()
    assert.same({ 1, 2, 3, n = 3 }, params("SELECT :a, ?, @b", { 1, 2, 3 }))
    refused("value", "the statement has 2 parameters, 1 value was given",
      "SELECT :a, :b", { 1 })
    refused("value", "the statement has 2 parameters, 3 values were given",
      "SELECT :a, :b", { 1, 2, 3 })
    refused("value", "a table of parameters with a hole: dqlite.null stands for NULL",
      "SELECT :a, :b", { nil, 2 })
    refused("value", "no parameter named 'n'; options come behind the table of parameters",
      "SELECT :a, :b", { 1, 2, n = 2 })
  end)

  it("are counted by the table alone where no count is given", function()
    local from = session()
    assert_queued(from, from:exec("x", nil, { 1, 2, n = 3 }))
    assert_queued(from, from:exec("x", nil, 1, nil))
    assert_queued(from, from:exec("x"))
    local counts = {}
    for i, message in ipairs(taken(from)) do
      if i > 1 then counts[#counts + 1] = message.params.n end
    end
    assert.same({ 3, 2, 0 }, counts)
    assert.same({ nil, "misuse", "a table of parameters with a hole needs a field n" },
      { from:exec("x", nil, { nil, 2 }) })
  end)
end)

describe("parameters by name", function()
  it("have the name, with or without its first byte", function()
    assert.same({ 1, 2, n = 2 }, params("SELECT :a, :b", { a = 1, b = 2 }))
    assert.same({ 1, 2, n = 2 }, params("SELECT :a, :b", { [":a"] = 1, b = 2 }))
    assert.same({ 1, 1, 1, n = 3 }, params("SELECT :a, @a, $a, :a", { a = 1 }))
    assert.same({ 1, 2, 1, n = 3 }, params("SELECT :a, @a, $a", { a = 1, ["@a"] = 2 }))
    assert.same({ false, null, n = 2 }, params("SELECT :a, :b", { a = false, b = null }))
  end)

  it("may have any name that SQLite takes", function()
    assert.same({ 1, 2, n = 2 }, params("SELECT $a::b(c), :1", { ["a::b(c)"] = 1, ["1"] = 2 }))
    assert.same({ 1, n = 1 }, params("SELECT :\195\164", { ["\195\164"] = 1 }))
    assert.same({ 7, n = 1 }, params("SELECT :n", { n = 7 }))
    assert.same({ 8, n = 1 }, params("SELECT :n", { 8 }))
    assert.same({ 1, 2, n = 2 }, params("SELECT $$a, $a", { ["$$a"] = 1, ["$a"] = 2 }))
    assert.same({ 2, 2, n = 2 }, params("SELECT $$a, $a", { ["$a"] = 2 }))
  end)

  it("mix with positions for those without a name", function()
    assert.same({ 1, 2, 3, n = 3 }, params("SELECT ?, :a, ?", { 1, a = 2, [3] = 3 }))
    assert.same({ "x", 2, 3, 4, 5, 6, n = 6 },
      params("SELECT ?5, :a, ?1", { "x", 2, 3, 4, 5, a = 6 }))
  end)

  it("leave nothing out", function()
    refused("value", "no value for ':a' (dqlite.null stands for NULL)", "SELECT :a", {})
    refused("value", "no value for '@b' (dqlite.null stands for NULL)",
      "SELECT :a, @b", { a = 1 })
    refused("value", "no value for parameter 1 (dqlite.null stands for NULL)",
      "SELECT ?, :a", { a = 1 })
    refused("value", "no value for parameter 2 (dqlite.null stands for NULL)",
      "SELECT ?1, ?3, :a", { 1, [3] = 3, a = 4 })
    refused("value", "no value for ':a' (dqlite.null stands for NULL)",
      "SELECT :a, @a", { ["@a"] = 1 })
  end)

  it("give nothing that is not taken", function()
    refused("value", "no parameter named 'b'; options come behind the table of parameters",
      "SELECT :a", { a = 1, b = 2 })
    refused("value", "no parameter named '@a'; options come behind the table of parameters",
      "SELECT :a", { a = 1, ["@a"] = 2 })
    refused("value", "no parameter named 'timeout'; options come behind the table of parameters",
      "SELECT :a", { timeout = 1 })
    refused("value", "the statement has 2 parameters, a value stands at 3",
      "SELECT ?, :a", { 1, a = 2, [3] = 3 })
    refused("value", "the value of parameter 2 stands under its name, ':a'",
      "SELECT ?, :a", { 1, 2, a = 2 })
    refused("misuse", "a table of parameters has the positions 1 to n, or names, for keys",
      "SELECT :a", { a = 1, [true] = 2 })
  end)

  it("are SQL values", function()
    refused("misuse", "':a': a function is no SQL value", "SELECT :a", { a = print })
    refused("misuse", "':a': a table is no SQL value", "SELECT :a", { a = {} })
    local kind, reason = params("SELECT :a", { a = "a\0b" })
    assert.equal("value", kind)
    assert.matches("^':a': .*dqlite.blob", reason)
  end)

  it("are shown with so much of their names", function()
    local long = ("x"):rep(100)
    refused("value", ("no value for ':%s' (dqlite.null stands for NULL)"):format(("x"):rep(59)),
      "SELECT :" .. long, {})
    refused("value", ("no parameter named '%s'; options come behind the table of parameters")
      :format(("y"):rep(60)), "SELECT :a", { a = 1, [("y"):rep(100)] = 1 })
  end)

  it("come from the table itself, not from its metatable", function()
    local made = setmetatable({}, {
      __index = function() error "asked" end,
      __len = function() error "asked" end,
      __pairs = function() error "asked" end,
    })
    refused("value", "no value for ':a' (dqlite.null stands for NULL)", "SELECT :a", made)
    refused("value", "the statement has 1 parameter, 0 values were given", "SELECT ?", made)
  end)

  it("may be as many as a statement can have", function()
    local names, wanted, given = {}, { n = 32766 }, {}
    for i = 1, 32766 do
      names[i], wanted[i], given["p" .. i] = ":p" .. i, i, i
    end
    local numbering = core.scan("SELECT " .. table.concat(names, ",")).numbering
    local from = session()
    assert_queued(from, from:exec("x", numbering, given))
    local list = taken(from)[2].params
    list.types = nil
    assert.same(wanted, list)
    given.p20000 = nil
    assert.same({ nil, "value", "no value for ':p20000' (dqlite.null stands for NULL)" },
      { from:exec("x", numbering, given) })
  end)
end)

describe("many parameters", function()
  local function sent(count)
    local list = {}
    for i = 1, count do list[i] = i end
    local from = session()
    assert_queued(from, from:query("x", count, list))
    return taken(from)[2]
  end

  it("are counted in 32 bits where a byte is too small", function()
    assert.equal(0, sent(255).schema)
    for _, count in ipairs { 256, 300, 512, 32766 } do
      local message = sent(count)
      assert.same({ 1, count }, { message.schema, message.params.n })
      assert.equal(count, message.params[count])
    end
  end)

  it("are refused where no statement takes them", function()
    local text = "32767 values: a statement takes 32766 at most"
    assert.same({ nil, "value", text }, { session():exec("x", nil, { n = 32767 }) })
    assert.same({ nil, "value", text }, { core.check_params(nil, { n = 32767 }) })
  end)
end)

describe("requests about statements", function()
  it("name a prepared one by its id", function()
    local from = session()
    assert_queued(from, from:exec(7, 1, "x"))
    assert_queued(from, from:query(4294967295, core.scan("SELECT :a").numbering, { a = 1 }))
    assert_queued(from, from:query(0, 0))
    assert_queued(from, from:finalize(7))
    assert.equal(4, from:outstanding())
    local list = taken(from)
    assert.same({ "EXEC", 7, 0, "x" },
      { list[2].name, list[2].stmt, list[2].db, list[2].params[1] })
    assert.same({ "QUERY", 4294967295, 1 }, { list[3].name, list[3].stmt, list[3].params[1] })
    assert.same({ "QUERY", 0 }, { list[4].name, list[4].params.n })
    assert.same({ "FINALIZE", 7, 0 }, { list[5].name, list[5].stmt, list[5].db })
  end)

  it("have schema 1 for many parameters", function()
    local from = session()
    local many = {}
    for i = 1, 256 do many[i] = i end
    for _, method in ipairs { "exec", "query" } do
      for _, what in ipairs { 1, "x" } do
        assert_queued(from, from[method](from, what, 256, many))
      end
    end
    for i, message in ipairs(taken(from)) do
      if i > 1 then assert.same({ 1, 256 }, { message.schema, message.params.n }) end
    end
  end)

  it("prepare in both schemas", function()
    local from = session()
    assert_queued(from, from:prepare("SELECT 1", 1))
    assert_queued(from, from:prepare("SELECT 2", 0))
    local list = taken(from)
    assert.same({ "PREPARE", 1, "SELECT 1" }, { list[2].name, list[2].schema, list[2].sql })
    assert.same({ "PREPARE", 0, "SELECT 2" }, { list[3].name, list[3].schema, list[3].sql })
    local ok, kind = from:prepare("a\0b", 1)
    assert.same({ nil, "value" }, { ok, kind })
    assert.equal(0, from:pending())
  end)

  it("tell the answer to a prepare", function()
    local from = session()
    from:prepare("SELECT ?", 1)
    from:prepare("SELECT ?", 1)
    from:take()
    from:feed(wire.encode("STMT", { schema = 1, stmt = 3, params = 1, tail = 8 }))
    from:feed(wire.encode("STMT", { stmt = 4, params = 2 }))
    assert.equal("STMT", from:next())
    assert.same({ 3, 1, 8 }, { from:statement() })
    assert.has_error(function() from:columns() end)
    assert.equal("STMT", from:next())
    assert.same({ 4, 2 }, { from:statement() })
    assert.equal(3, select("#", from:statement()))
    assert.is_nil(from:next())
    assert.has_error(function() from:statement() end)
  end)

  it("that fail send nothing", function()
    local from = core.session(64)
    local ok, kind, reason = from:exec("x", 1, ("x"):rep(100))
    assert.same({ nil, "value", "a request larger than max_message_size" }, { ok, kind, reason })
    assert.same({ 0, 0 }, { from:pending(), from:outstanding() })
    assert_queued(from, from:finalize(1))
    assert.equal("FINALIZE", taken(from)[2].name)
    from:close()
    for _, case in ipairs { { "exec", "x" }, { "query", 1 }, { "finalize", 1 },
      { "prepare", "x", 0 } } do
      ok, kind = from[case[1]](from, case[2], case[3])
      assert.same({ nil, "closed" }, { ok, kind })
    end
  end)

  it("raise what the Lua layer must not ask for", function()
    local from = session()
    for _, case in ipairs { { "exec", -1 }, { "exec", 2 ^ 32 }, { "finalize" }, { "query", {} },
      { "prepare", "x" }, { "prepare", "x", 2 }, { "exec" }, { "exec", "x", "y" },
      { "exec", "x", from } } do
      assert.has_error(function() from[case[1]](from, case[2], case[3]) end)
    end
    assert.equal(0, from:pending())
  end)
end)

if jit then
  describe("parameters that are cdata", function()
    local ffi = require "ffi"

    it("are 64-bit integers, in every form", function()
      local big = ffi.new("int64_t", 5)
      assert.same({ 5, "x", n = 2 }, params("SELECT ?, ?", big, "x"))
      assert.same({ 5, "x", n = 2 }, params("SELECT ?, ?", { big, "x" }))
      assert.same({ "x", 5, n = 2 }, params("SELECT :a, :b", { a = "x", b = big }))
      local kind, reason = params("SELECT :a", { a = ffi.new "int[1]" })
      assert.equal("misuse", kind)
      assert.matches("^':a': .*cdata that is neither int64_t nor uint64_t", reason)
      kind, reason = params("SELECT ?", { ffi.new("uint64_t", 2 ^ 63) })
      assert.equal("value", kind)
      assert.matches("^parameter 1: .*beyond 64 bits", reason)
    end)
  end)
end
