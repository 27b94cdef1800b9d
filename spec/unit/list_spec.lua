local core = require "dqlite.core"
local values = require "dqlite.values"

local null = values.null
local jit = rawget(_G, "jit")

-- Most of what follows is true only if SQLite reads it so; that is for the
-- specs with a server.
local function raises(pattern, table)
  local ok, message = pcall(core.list, table)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

describe("a list", function()
  it("is a JSON array", function()
    assert.equal("[]", core.list {})
    assert.equal("[]", core.list { n = 0 })
    assert.equal('[1,"x",null]', core.list { 1, "x", null })
  end)

  it("has the length n, or that of the table", function()
    assert.equal("[1,null,null]", core.list { 1, n = 3 })
    assert.equal("[null,2]", core.list { nil, 2, n = 2 })
    assert.equal("[1,2,3]", core.list { 1, 2, 3 })
  end)

  it("keeps all digits of integers", function()
    for _, digits in ipairs { "9223372036854775807", "-9223372036854775808", "0", "-1",
      "9007199254740993" } do
      assert.equal("[" .. digits .. "]", core.list { values.int64(digits) })
    end
    if jit then
      assert.equal("[9007199254740993]", core.list { require "ffi".new("int64_t", 2 ^ 53) + 1 })
    elseif core.integers then
      assert.equal("[9223372036854775807]", core.list { math.maxinteger })
    end
  end)

  it("keeps reals apart from integers", function()
    for text, real in pairs {
      ["3.0"] = 3, ["0.5"] = 0.5, ["-0.0"] = -0.0, ["1e+300"] = 1e300, ["1e-07"] = 1e-7,
      ["100000.0"] = 100000, ["1e+15"] = 1e15, ["0.1"] = 0.1,
      ["-2.5"] = -2.5, ["9e999"] = math.huge, ["-9e999"] = -math.huge,
    } do
      assert.equal("[" .. text .. "]", core.list { values.real(real) })
    end
    assert.equal("[0.5]", core.list { 0.5 })
    assert.equal("[null]", core.list { 0 / 0 })
  end)

  it("keeps every bit of a real", function()
    local state = 1
    local function random()
      state = (state * 16807) % 2147483647
      return state / 2147483647
    end
    local reals, wrapped = {}, {}
    for i = 1, 2000 do
      reals[i] = (random() - 0.5) * 2 ^ math.floor(random() * 2000 - 1000) * (1 + random() / 2 ^ 30)
      wrapped[i] = values.real(reals[i])
    end
    for _, real in ipairs { 2 ^ -1074, 2 ^ -1022, 1.7976931348623157e308, 1 / 3, 2 ^ 53, 2 ^ 63,
      2 ^ 53 + 2, 1e22, 1e23 } do
      reals[#reals + 1], wrapped[#wrapped + 1] = real, values.real(real)
    end
    local i = 0
    for text in core.list(wrapped):gmatch "[^%[%],]+" do
      i = i + 1
      assert.equal(reals[i], tonumber(text))
      assert.matches("[.e]", text)
    end
    assert.equal(#reals, i)
  end)

  it("escapes what a JSON string cannot hold", function()
    assert.equal([=[["a\"b\\c/\u000a\u0001\u001f"]]=], core.list { "a\"b\\c/\n\1\31" })
    assert.equal('["\195\164\127\255"]', core.list { "\195\164\127\255" })
    assert.equal('[""]', core.list { "" })
    local long = ("x"):rep(100000)
    assert.equal('["' .. long .. '\\""]', core.list { long .. '"' })
  end)

  it("has 1 and 0 for booleans, which SQLite has not", function()
    assert.equal("[1,0]", core.list { true, false })
  end)

  it("has no blobs, and no texts that must be blobs", function()
    raises("element 2: a blob cannot be in a list", { 1, values.blob "x" })
    raises("element 1: a text with a NUL .* nor can a blob", { "a\0b" })
  end)

  it("raises what is no SQL value", function()
    raises("element 1: a function is no SQL value", { print })
    raises("element 2: a table is no SQL value", { 1, {} })
    if not math.maxinteger then
      raises("element 1: .*dqlite.int64", { 2 ^ 53 + 2 })
    end
  end)

  it("raises keys that are no positions", function()
    raises("positions 1 to n", { 1, x = 2 })
    raises("positions 1 to n", { 1, [1.5] = 2 })
    raises("positions 1 to n", { 1, [0] = 2 })
    raises("positions 1 to n", { 1, [10] = 2 })
    raises("positions 1 to n", { 1, 2, n = 1 })
    for _, n in ipairs { -1, 0.5, "1", 2 ^ 31, 0 / 0 } do
      raises("the field n of a list is a count", { 1, n = n })
    end
    assert.has_error(function() core.list(1) end)
    assert.has_error(function() core.list() end)
  end)

  it("comes from the table itself, not from its metatable", function()
    local function asked() error "asked" end
    assert.equal("[1]", core.list(setmetatable({ 1 }, { __index = asked, __len = asked,
      __pairs = asked })))
  end)
end)
