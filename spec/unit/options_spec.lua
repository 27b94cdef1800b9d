local options = require "dqlite.options"

-- Every option that a connection or a call has, with a value that is not its
-- default.
local ALL = {
  array_mt = {}, blobs = "wrap", busy_timeout = 1, connect_timeout = 1, database = "other",
  dates = "raw", direct = true, int64 = "string-all", loop = "blocking", max_message_size = 1024,
  max_result_bytes = 1024, max_rows = 7, null = false, statement_cache = 3, timeout = 4,
}

describe("settings", function()
  it("of a connection are those that were given", function()
    local settings = options.connect(ALL)
    for name, value in pairs(ALL) do assert.equal(value, settings[name], name) end
  end)

  it("of a call are the connection's where it gives no others", function()
    local settings = options.call({ timeout = 5, row_types = true }, options.connect(ALL))
    for name, value in pairs(ALL) do
      assert.equal(name == "timeout" and 5 or value, settings[name], name)
    end
    assert.is_true(settings.row_types)
    for _, shape in ipairs { "rows", "pipeline" } do
      assert.is_true(options.call({ arrays = true }, settings, shape).arrays)
    end
    assert.is_true(options.call({ reuse = true }, settings, "rows").reuse)
  end)

  it("have every default", function()
    local settings = options.call({}, options.connect())
    for name, value in pairs(options.DEFAULTS) do assert.equal(value, settings[name], name) end
    assert.same({ 4, false }, { options.connect(ALL).timeout, options.connect(ALL).null_by_name })
  end)

  it("of a cluster follow a table that is given again with other values", function()
    local given = { database = "one", timeout = 1 }
    local first = options.cluster(given)
    assert.equal(first, options.cluster { timeout = 1, database = "one" })
    given.timeout = 2
    assert.same({ 1, 2 }, { first.timeout, options.cluster(given).timeout })
    given.database, given.timeout = nil, nil
    assert.equal(options.DEFAULTS.timeout, options.cluster(given).timeout)
    given.timeout, given.tiemout = 2, 3
    assert.has_error(function() options.cluster(given) end)
  end)

  it("of a cluster keep no table of the program alive", function()
    local held = setmetatable({}, { __mode = "v" })
    held[1] = {}
    options.cluster { array_mt = held[1] }
    options.cluster { array_mt = {} }
    collectgarbage()
    collectgarbage()
    assert.is_nil(held[1])
  end)

  it("do not change with those that they were made of", function()
    local settings = options.connect(ALL)
    options.call({ timeout = 1 }, settings).database = "changed"
    assert.equal("other", settings.database)
    assert.equal(4, settings.timeout)
  end)
end)
