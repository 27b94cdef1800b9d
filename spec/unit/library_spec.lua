-- The definitions for editors (library/) beside the code and the reference: whatever is
-- public is in all three, under the same names. What is missing says where it belongs.
local definitions = require "spec.support.definitions"
local dqlite = require "dqlite"
local events = require "dqlite.events"
local public = require "spec.support.public"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local upvalue = require "spec.support.upvalue"

local library, words = definitions.library, definitions.words
local compare, none, union = definitions.compare, definitions.none, definitions.union
local fields_of = definitions.fields

local modules = public.modules()

-- Modules that are loaded once a field of dqlite is asked for.
local LATER = upvalue(getmetatable(dqlite), "LATER")

local function each_surface(visit)
  for _, module in ipairs(modules) do
    if module.own then visit(module.own) end
    for _, class in pairs(module.classes) do visit(class) end
  end
end

local function defined(surface)
  return library.types[surface.definition]
    or { name = surface.definition, path = "library/ (@class " .. surface.definition .. ")",
      methods = {}, fields = {} }
end

describe("what is public", function()
  it("is a page of the reference where nothing in the library requires it", function()
    local problems, known = {}, {}
    for _, path in ipairs(public.files()) do known[path] = true end
    for _, path in ipairs(public.entrances()) do
      if not known[path] then
        problems[#problems + 1] = path .. " is for programs (no file of lua/ requires it): name it"
          .. " in config.ld, and define it in library/"
      end
    end
    none(problems)
  end)

  it("is what examples require, and what hangs on the module dqlite", function()
    local problems, known = {}, {}
    for _, module in ipairs(modules) do known[module.name] = module end
    local used = public.required_by "find examples -name '*.lua'"
    for name, value in pairs(dqlite) do
      if type(value) == "table" then used["dqlite." .. name] = "lua/dqlite/init.lua" end
    end
    for _, name in pairs(LATER) do used[name] = "lua/dqlite/init.lua" end
    for name, where in pairs(used) do
      if not known[name] then
        problems[#problems + 1] = ("%s is used by %s and not in config.ld"):format(name, where)
      end
    end
    none(problems)
  end)

  it("is documented for LDoc, and nothing else is", function()
    local problems = {}
    each_surface(function(surface)
      compare(problems, surface.functions, ("the code of %s (%s)"):format(surface.definition,
        surface.path), surface.documented, "its LDoc comments (mark what is internal @local)")
    end)
    for _, module in ipairs(modules) do
      for _, item in ipairs(module.strays) do
        problems[#problems + 1] = ("%s:%d: %s is no method: mark it @local"):format(item.path,
          item.line, item.name)
      end
    end
    none(problems)
  end)
end)

describe("the definitions", function()
  it("have the functions and methods of the code, and no others", function()
    local problems = {}
    each_surface(function(surface)
      local class = defined(surface)
      compare(problems, surface.functions, surface.path, class.methods, class.path)
    end)
    none(problems)
  end)

  local function described(params)
    local list = {}
    for i, each in ipairs(params) do
      list[i] = each.name .. (each.optional and each.name ~= "..." and "?" or "")
    end
    return table.concat(list, ", ")
  end

  it("have their parameters, as LDoc has them", function()
    local problems, count = {}, 0
    each_surface(function(surface)
      for name, method in pairs(defined(surface).methods) do
        local item = surface.documented[name]
        local code, there = item and described(item.params), described(method.params)
        if item then count = count + 1 end
        if item and code ~= there then
          problems[#problems + 1] = ("%s:%d: %s(%s); %s:%d: (%s)"):format(method.path,
            method.line, name, there, item.path, item.line, code)
        end
      end
    end)
    none(problems)
    assert.is_true(count > 100)
  end)

  it("have the values of modules as fields", function()
    local problems = {}
    for _, module in ipairs(modules) do
      if module.own then
        local class = defined(module.own)
        local values = union(module.own.values)
        if module.own.value == dqlite then values = union(values, LATER) end
        compare(problems, values, module.path, class.fields, class.path)
      end
    end
    none(problems)
    for name, module in pairs(LATER) do assert.equal(require(module), dqlite[name]) end
  end)

  it("say for what require answers", function()
    local problems, wanted = {}, {}
    for _, module in ipairs(modules) do
      if module.own then wanted[module.name] = true end
    end
    compare(problems, wanted, "config.ld", library.modules, "library/ (@meta)")
    for name, class in pairs(library.modules) do assert.equal(name, class.name) end
    none(problems)
  end)
end)

-- ---- objects ----

local function objects()
  local conn = simulated.open()
  local server = scripted.server {}
  local cluster = assert(dqlite.cluster(server.address, { loop = server.loop }))
  local _, err = dqlite.connect "no address"
  local made, host = pcall(dqlite.host.new) -- not in Lua 5.1
  return {
    ["dqlite.Connection"] = conn,
    ["dqlite.Statement"] = assert(conn:prepare "SELECT a FROM t"),
    ["dqlite.Transaction"] = assert(conn:begin()),
    ["dqlite.Error"] = err,
    ["dqlite.Cluster"] = cluster,
    ["dqlite.View"] = cluster:node "10.0.0.1:9001",
    ["dqlite.Pool"] = assert(dqlite.create_pool(server.address,
      { loop = server.loop, min_size = 0 })),
    ["dqlite.store.Memory"] = dqlite.store.memory(),
    ["dqlite.store.Yaml"] = dqlite.store.yaml "cluster.yaml",
    ["dqlite.wire.Decoder"] = dqlite.wire.decoder "request",
    ["dqlite.session.Session"] = assert(dqlite.session.connect(server.address,
      { loop = server.loop })),
    ["dqlite.host.Host"] = made and host or nil,
    ["dqlite.node.Node"] = assert(dqlite.node.new { address = "127.0.0.1:1", dir = "node" }),
    ["resty.dqlite"] = require "resty.dqlite".new(),
  }
end

describe("an object", function()
  local real

  before_each(function() real = objects() end)

  it("has the methods that were looked at, and the fields of its class", function()
    local problems = {}
    each_surface(function(surface)
      local object = real[surface.definition]
      if not object then return end
      assert.equal(surface.value, debug.getmetatable(object).__index)
      for name, field in pairs(defined(surface).fields) do
        if not field.optional and object[name] == nil then
          problems[#problems + 1] = ("%s has no '%s'"):format(surface.definition, name)
        end
      end
    end)
    none(problems)
  end)

  it("is of a class that is defined", function()
    for name in pairs(real) do assert.is_table(library.types[name], name) end
  end)

  it("that tells how a pool is has the fields of its class", function()
    local problems, stats = {}, real["dqlite.Pool"]:stats()
    compare(problems, stats, "pool:stats()", fields_of("dqlite.PoolStats"),
      "dqlite.PoolStats")
    compare(problems, stats.latency[1], "a bucket", fields_of("dqlite.PoolBucket"),
      "dqlite.PoolBucket")
    none(problems)
  end)

  it("that is an error has the fields of its class, and one of its kinds", function()
    local errors, problems, given = require "dqlite.error", {}, {}
    local fields = fields_of("dqlite.Error")
    for name in pairs(fields) do given[name] = name == "kind" and "sql" or "text" end
    local err = errors.new(given)
    err.index = 1 -- of those that are about several
    compare(problems, err, "an error", fields, "dqlite.Error")
    compare(problems, upvalue(errors, "KINDS"), "KINDS of lua/dqlite/error.lua",
      words "dqlite.ErrorKind", "dqlite.ErrorKind")
    none(problems)
  end)
end)

-- ---- what else has names ----

describe("events", function()
  -- Everything that an observer tells, each with all that it could know.
  local function told()
    local list = {}
    local observer = events.new(function(event) list[#list + 1] = event end, 0)
    local link = { address = "a", cause = "b", loop = { now = function() return 2 end } }
    local conn = { address = "a", sql = "SELECT 1", begun = 1, link = link }
    local arguments = {
      connected = { link, 1 }, closed = { link }, leader_changed = { "a", "b" },
      retried = { "err", 1 }, waited = { 1, true }, started = { conn }, ended = { conn, "err" },
      leaked = { "text" },
    }
    for name, method in pairs(getmetatable(observer)) do
      local given = arguments[name]
      if given then method(observer, given[1], given[2]) end
    end
    return list
  end

  it("have the names and the fields of their class", function()
    local problems, names, fields = {}, {}, {}
    local stderr = io.stderr
    rawset(io, "stderr", { write = function() end }) -- a leak is written there, too
    local list = told()
    rawset(io, "stderr", stderr)
    for _, event in ipairs(list) do
      names[event.name] = true
      for field in pairs(event) do fields[field] = true end
    end
    compare(problems, names, "lua/dqlite/events.lua", words "dqlite.EventName",
      "dqlite.EventName")
    compare(problems, fields, "lua/dqlite/events.lua", fields_of("dqlite.Event"),
      "dqlite.Event")
    none(problems)
  end)
end)

describe("a type of a column", function()
  it("is one that the codec knows", function()
    local values = { TEXT = "a", ISO8601 = "a", BLOB = "a", BOOLEAN = true, FLOAT = 0.5,
      INTEGER = 1, UNIXTIME = 1, NULL = dqlite.null }
    local problems = {}
    for name, value in pairs(values) do
      local fields = { sql = "?", params = { value, types = { name } } }
      assert.is_string(dqlite.wire.encode("QUERY_SQL", fields))
    end
    compare(problems, values, "the codec", words "dqlite.ColumnType", "dqlite.ColumnType")
    none(problems)
  end)
end)
