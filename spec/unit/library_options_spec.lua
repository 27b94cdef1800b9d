-- Options, what they may say, and their classes in library/.
local definitions = require "spec.support.definitions"
local dqlite = require "dqlite"
local options = require "dqlite.options"
local public = require "spec.support.public"
local upvalue = require "spec.support.upvalue"

local library, words = definitions.library, definitions.words
local compare, none, union = definitions.compare, definitions.none, definitions.union
local fields_of = definitions.fields

local function option(module, name)
  return upvalue(require(module), name)
end

-- A class, and the options that the code knows in its place.
local function tables()
  local shapes = option("dqlite.options", "SHAPES")
  local connect = option("dqlite.options", "CONNECT")
  local cluster = option("dqlite.options", "CLUSTER")
  local pool = union(option("dqlite.options", "POOL"), option("dqlite.options", "NGINX_POOL"))
  return {
    ["dqlite.CallOptions"] = option("dqlite.options", "CALL"),
    ["dqlite.FetchOptions"] = shapes.fetch,
    ["dqlite.RowsOptions"] = shapes.rows,
    ["dqlite.PipelineOptions"] = shapes.pipeline,
    ["dqlite.ConnectOptions"] = connect,
    ["dqlite.ClusterOptions"] = cluster,
    ["dqlite.ClusterPoolOptions"] = union(connect, pool),
    ["dqlite.PoolOptions"] = union(cluster, pool),
    ["dqlite.TransactionOptions"] = option("dqlite.options", "TRANSACTION"),
    ["dqlite.PoolTransactionOptions"] = option("dqlite.options", "POOL_TRANSACTION"),
    ["dqlite.AcquireOptions"] = option("dqlite.options", "ACQUIRE"),
    ["dqlite.RetryOptions"] = option("dqlite.options", "RETRY"),
    ["dqlite.TlsOptions"] = option("dqlite.tls", "INSIDE"),
    ["dqlite.SafeOptions"] = option("dqlite.policy", "SAFE"),
    ["dqlite.DumpOptions"] = option("dqlite.admin_checks", "DUMP"),
    ["dqlite.NewMember"] = option("dqlite.admin_checks", "ADDED"),
    ["dqlite.node.Options"] = option("dqlite.node.options", "NEW"),
    ["dqlite.node.SnapshotOptions"] = option("dqlite.node.options", "SNAPSHOT"),
    ["dqlite.node.RecoverOptions"] = option("dqlite.node.options", "RECOVER"),
    ["dqlite.node.RecoverMember"] = option("dqlite.node.options", "MEMBER"),
    ["resty.dqlite.ConnectOptions"] = union(option("resty.dqlite.options", "OWN"),
      option("resty.dqlite.options", "PASSED"), option("resty.dqlite.options", "IGNORED")),
  }
end

describe("options", function()
  it("are the fields of their class", function()
    local problems = {}
    for name, known in pairs(tables()) do
      compare(problems, known, "the code", fields_of(name), name)
    end
    none(problems)
  end)

  it("that are classes are all looked at here", function()
    local problems, looked_at = {}, tables()
    local others = { ["dqlite.CommonOptions"] = true, ["dqlite.BufferedOptions"] = true,
      ["dqlite.ViewDumpOptions"] = true, ["dqlite.wire.DecoderOptions"] = true }
    for name in pairs(library.types) do
      if name:find "Options$" and not looked_at[name] and not others[name] then
        problems[#problems + 1] = name .. " is in no list of tables(), in library_spec.lua"
      end
    end
    none(problems)
  end)

  it("of a decoder are known, and no others", function()
    local fields = fields_of("dqlite.wire.DecoderOptions")
    local values = { handshake = false, max = 1024 }
    local problems = {}
    compare(problems, values, "this spec", fields, "dqlite.wire.DecoderOptions")
    none(problems)
    for name, value in pairs(values) do
      assert.is_table(dqlite.wire.decoder("request", { [name] = value }))
    end
  end)

  it("are in the reference, too", function()
    local problems, documented = {}, {}
    for _, module in ipairs(public.modules()) do
      for name, item in pairs(module.tables) do
        documented[name] = {}
        for _, param in ipairs(item.params) do documented[name][param.name] = true end
      end
    end
    local known = tables()
    local pool = union(option("dqlite.options", "POOL"), option("dqlite.options", "NGINX_POOL"))
    compare(problems, known["dqlite.ConnectOptions"], "the code", documented.ConnectOptions,
      "@table ConnectOptions")
    compare(problems, pool, "the code", documented.PoolOptions, "@table PoolOptions")
    compare(problems, fields_of("dqlite.Event"), "library/", documented.Event,
      "@table Event")
    compare(problems, fields_of("dqlite.Error"), "library/", documented.fields,
      "@table fields of dqlite.error")
    none(problems)
  end)
end)

-- ---- values of options ----

describe("the values of an option", function()
  -- The words that a checker names when it is given something else.
  local function named(checker)
    local names = {}
    local ok, wanted = pcall(checker, "no such value") -- true for those without a checker
    if not ok or type(wanted) ~= "string" then return names end
    for name in wanted:gmatch '"(.-)"' do names[name] = true end
    return names
  end

  it("that are words are those of its type", function()
    local problems, count = {}, 0
    for class, known in pairs(tables()) do
      for name, field in pairs(fields_of(class)) do
        local accepted = named(known[name])
        if next(accepted) then
          count = count + 1
          local written = library.types[field.type] and words(field.type) or {}
          compare(problems, accepted, ("%s.%s"):format(class, name), written, field.type)
        end
      end
    end
    none(problems)
    assert.is_true(count >= 10)
  end)

  it("of a node are the words that it takes", function()
    local problems = {}
    compare(problems, option("dqlite.node.options", "STRATEGIES"), "STRATEGIES",
      words "dqlite.node.Strategy", "dqlite.node.Strategy")
    compare(problems, option("dqlite.node.options", "ROLES"), "ROLES", words "dqlite.Role",
      "dqlite.Role")
    none(problems)
  end)
end)

describe("a default", function()
  it("is one of an option", function()
    local problems, fields = {}, fields_of "dqlite.PoolOptions"
    local defaults = union(options.DEFAULTS, options.POOL_DEFAULTS, options.NGINX_POOL_DEFAULTS)
    defaults.row_types = nil -- of a call
    for name in pairs(defaults) do
      if not fields[name] then problems[#problems + 1] = name end
    end
    none(problems)
  end)
end)
