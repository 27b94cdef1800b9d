-- examples/http_server: a server of lua-http, in a process of its own, on a node of its own.
-- Needs no DQLITE_SERVERS.
local cjson = require "cjson"
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local leashed = require "spec.support.leashed"
local nodes = require "spec.support.nodes"
local scratch = require "spec.support.scratch"
local uv = require "luv"

local PROMPT = 1 -- seconds that a request may take which nothing holds up

describe("the HTTP server", function()
  local place, one, address, process, url

  setup(function()
    place, one = scratch.new(), cluster.start { nodes = 1 }
    address = one.nodes[1].address
  end)

  teardown(function()
    cluster.stop_all()
    place:close()
  end)

  before_each(function()
    local command = nodes.lua_command("examples/http_server/server.lua", "0", address)
    process = leashed.start(command:gsub("^exec ", ""), place:fresh "server")
    eventually("it serves", function()
      local output, errors = process:output()
      if not process:is_running() then error("it has ended: " .. errors, 0) end
      url = output:match "http://([%d.:]+)/"
      return url
    end)
  end)

  after_each(function() process:kill() end)

  local function post(name, count)
    return { path = "/items", body = cjson.encode { name = name, count = count }, timeout = 20 }
  end

  local function get(path) return assert(http.get(url, path)) end

  -- Somebody else's transaction: writes wait for its end.
  local function lock()
    local conn = assert(dqlite.connect(address, { database = "items" }))
    assert(conn:execute "BEGIN IMMEDIATE")
    return function()
      assert(conn:execute "ROLLBACK")
      conn:close()
    end
  end

  it("adds items, shows them, and says what it cannot", function()
    assert.equal("[]", get("/items").body)
    local added = assert(http.request(url, post("bolt", 7)))
    assert.equal(201, added.status)
    local item = cjson.decode(added.body)
    assert.same({ id = item.id, name = "bolt", count = 7 }, item)
    assert.same(item, cjson.decode(get("/items/" .. item.id).body))
    assert.same({ item }, cjson.decode(get("/items").body))
    assert.equal(404, get("/items/99").status)
    assert.equal(404, get("/").status)
    for _, body in ipairs { "", "x", "[1]", '{"name":1,"count":1}' } do
      assert.equal(400, assert(http.post(url, "/items", body)).status)
    end
  end)

  it("answers others while requests wait for the database", function()
    local unlock = lock()
    local writes = {}
    for i = 1, 3 do writes[i] = assert(http.send(url, post("nut " .. i, i))) end
    for i = 1, 3 do assert.same({ nil, "timeout" }, { writes[i]:read(0.05) }) end
    local began = core.now()
    for _ = 1, 5 do assert.equal(200, get("/items").status) end
    local reads = {}
    for i = 1, 30 do reads[i] = assert(http.send(url, { path = "/items" })) end
    for i = 1, 30 do assert.equal(200, reads[i]:read().status) end
    assert.is_true(core.now() - began < PROMPT)
    for i = 1, 3 do assert.same({ nil, "timeout" }, { writes[i]:read(0) }) end
    unlock()
    for i = 1, 3 do
      local added = assert(writes[i]:read(10))
      assert.equal(201, added.status)
      assert.equal("nut " .. i, cjson.decode(added.body).name)
    end
    for _, list in ipairs { reads, writes } do
      for _, each in ipairs(list) do each:close() end
    end
  end)

  it("answers 503 while there is no database, and goes on when there is one", function()
    assert.equal(200, get("/items").status)
    one.nodes[1]:kill()
    local refused = get "/items"
    assert.equal(503, refused.status)
    assert.equal("1", refused.headers["retry-after"])
    assert.is_string(cjson.decode(refused.body).error)
    one.nodes[1]:restart()
    one:settle()
    eventually("it answers again", function() return get("/items").status == 200 end)
  end)

  for _, name in ipairs { "sigterm", "sigint" } do
    it("finishes what it has begun, and ends: " .. name, function()
      assert.equal(200, get("/items").status)
      local unlock = lock()
      local write = assert(http.send(url, post("last", 1)))
      assert.same({ nil, "timeout" }, { write:read(0.1) })
      assert(uv.kill(process.pid, name))
      eventually("it takes no more", function() return not http.connect(url) end)
      assert.is_true(process:is_running())
      unlock()
      assert.equal(201, assert(write:read(10)).status)
      eventually("it ends", function() return not process:is_running() end)
      local output, errors = process:output()
      assert.matches("\nended\n$", output)
      assert.equal("", errors)
      write:close()
    end)
  end
end)
