local dqlite = require "dqlite"

describe("dqlite.null", function()
  it("is the null light userdata, as ngx.null and cjson.null", function()
    assert.equal("userdata", type(dqlite.null))
    assert.equal(dqlite.null, require "dqlite.core".null)
  end)
end)

describe("dqlite.blob", function()
  it("holds bytes", function()
    local blob = dqlite.blob("a\0b")
    assert.equal("a\0b", tostring(blob))
    assert.equal(3, #blob)
    assert.equal(dqlite.blob("a\0b"), blob)
    assert.not_equal(dqlite.blob("a\0c"), blob)
  end)

  it("takes strings only", function()
    assert.has_error(function() dqlite.blob(1) end)
    assert.has_error(function() dqlite.blob() end)
  end)
end)

describe("dqlite.real", function()
  it("is a number of its own type", function()
    assert.equal(dqlite.real(3), dqlite.real(3))
    assert.not_equal(dqlite.real(3), dqlite.int64(3))
    assert.equal("3", tostring(dqlite.real(3)))
    assert.has_error(function() dqlite.real("3") end)
  end)
end)

describe("dqlite.int64", function()
  it("takes the extremes as digits", function()
    for _, digits in ipairs { "9223372036854775807", "-9223372036854775808", "0" } do
      assert.equal(digits, tostring(dqlite.int64(digits)))
    end
  end)

  it("refuses what is no integer of 64 bits", function()
    for _, value in ipairs {
      "9223372036854775808", "-9223372036854775809", "1.5", "", "-", "12a", " 1", "1\0",
      "0x10", 1.5, true, 2 ^ 63,
    } do
      assert.has_error(function() dqlite.int64(value) end)
    end
  end)
end)
