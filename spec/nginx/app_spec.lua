-- The API of examples/openresty, by HTTP, as `make demo-nginx` serves it.

local cjson = require "cjson"
local demo = require "spec.support.demo"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local uv = require "luv"

local null = cjson.null

describe("the inventory", function()
  local inventory
  local requests = 0

  setup(function() inventory = demo.start() end)
  teardown(demo.stop_all)

  -- An item, with a request of its own unless there is one.
  local function item(fields)
    requests = requests + 1
    local all = { request = ("a-request-of-the-spec-%d"):format(requests), count = 1 }
    for name, value in pairs(fields) do all[name] = value end
    return all
  end

  local function add(fields)
    local status, added = inventory:call("POST", "/api/items", item(fields))
    assert.equal(201, status)
    return added
  end

  local function delete(entry)
    assert.equal(200, (inventory:call("DELETE",
      ("/api/items/%s?version=%d"):format(entry.id, entry.version))))
  end

  local function names(query)
    local status, found = inventory:call("GET", "/api/items?q=" .. query)
    assert.equal(200, status)
    local list = {}
    for i, each in ipairs(found.items) do list[i] = each.name end
    return list
  end

  local function refusal(...)
    local status, answer = inventory:call(...)
    return { status, answer.error.code }, answer.error
  end

  it("is empty at first: a list, not an object", function()
    local status, _, text = inventory:call("GET", "/api/items")
    assert.equal(200, status)
    assert.equal('{"items":[],"more":false}', text)
  end)

  it("adds an item, with null for what it has not", function()
    local added = add { name = "  Lamp\t", count = 3 }
    assert.same({ id = "1", version = 1, name = "Lamp", place = null, count = 3, note = null,
      repeated = false }, added)
    added.repeated = nil
    local _, list = inventory:call("GET", "/api/items")
    assert.same({ added }, list.items)
    delete(added)
  end)

  it("adds nothing when a request comes again", function()
    local sent = item { name = "Only one", place = "Cellar" }
    local _, first = inventory:call("POST", "/api/items", sent)
    local status, second = inventory:call("POST", "/api/items", sent)
    assert.same({ 201, first.id, true }, { status, second.id, second.repeated })
    assert.same({ "Only one" }, names "only")
    delete(first)
    assert.same({ 404, "gone" }, (refusal("POST", "/api/items", sent)), "it is not added anew")
  end)

  it("edits an item, unless somebody else has changed it", function()
    local added = add { name = "Chair", place = "Hall", note = "red" }
    local path = "/api/items/" .. added.id
    local status, edited = inventory:call("PUT", path,
      { version = 1, name = "Stool", place = null, count = 2, note = "red\nor blue" })
    assert.equal(200, status)
    assert.same({ id = added.id, version = 2, name = "Stool", place = null, count = 2,
      note = "red\nor blue" }, edited)
    local _, list = inventory:call("GET", "/api/items?q=stool")
    assert.same({ edited }, list.items)
    local kind, refused = refusal("PUT", path, { version = 1, name = "Chair", count = 9 })
    assert.same({ 409, "conflict" }, kind)
    assert.same(edited, refused.item)
    assert.same({ 409, "conflict" }, (refusal("DELETE", path .. "?version=1")))
    delete(edited)
  end)

  it("deletes an item once", function()
    local added = add { name = "Old" }
    delete(added)
    local path = "/api/items/" .. added.id
    assert.same({ 404, "gone" }, (refusal("DELETE", path .. "?version=1")))
    assert.same({ 404, "gone" }, (refusal("PUT", path, { version = 1, name = "x", count = 1 })))
    assert.same({}, names "old")
  end)

  it("finds items by name, place and note, and takes each character for itself", function()
    local all = {
      add { name = "100 % wool", place = "Drawer" },
      add { name = "screws_m4", note = "in the drawer below" },
      add { name = "back\\slash" },
    }
    assert.same({ "100 % wool", "screws_m4" }, names "DRAWER")
    assert.same({ "100 % wool" }, names "%25")
    assert.same({ "screws_m4" }, names "_")
    assert.same({ "back\\slash" }, names "%5C")
    assert.same({}, names "'%20OR%201=1")
    assert.equal(3, #names "")
    for _, each in ipairs(all) do delete(each) end
  end)

  it("gives 200 items at most, and tells of more", function()
    local conn = assert(dqlite.connect(inventory:addresses(), { database = "inventory" }))
    assert(conn:execute [[
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 201)
      INSERT INTO items (name, count) SELECT 'many ' || i, i FROM n]])
    local _, list = inventory:call("GET", "/api/items")
    assert.same({ 200, true }, { #list.items, list.more })
    assert(conn:execute "DELETE FROM items WHERE name = 'many 7'")
    _, list = inventory:call("GET", "/api/items")
    assert.same({ 200, false }, { #list.items, list.more })
    assert(conn:execute "DELETE FROM items")
    conn:close()
  end)

  describe("refuses", function()
    it("items that are none, field by field", function()
      for field, values in pairs {
        name = { null, "", " ", ("x"):rep(81), 5, {}, "a\0b", "line\nbreak", "\255" },
        place = { 5, ("x"):rep(81), "a\0b" },
        count = { null, -1, 1.5, 1e15, "3", true },
        note = { false, ("x"):rep(501), "a\0b" },
      } do
        for i, value in ipairs(values) do
          local what = ("%s, case %d"):format(field, i)
          local kind, refused = refusal("POST", "/api/items",
            item { name = field ~= "name" and "x" or nil, [field] = value })
          assert.same({ 400, "invalid" }, kind, what)
          assert.is_string(refused.fields[field], what)
          assert.is_nil(next(refused.fields, field), what)
        end
      end
      assert.equal(201, (inventory:call("POST", "/api/items", item { name = ("ä"):rep(80) })))
      assert.same({ ("ä"):rep(80) }, names "")
    end)

    it("requests and versions that are none", function()
      for _, request in ipairs { "short", ("x"):rep(65), "sixteen letters!", 12345678901234567 } do
        assert.same({ 400, "invalid" },
          (refusal("POST", "/api/items", item { name = "x", request = request })))
      end
      for _, version in ipairs { 0, -1, 1.5, "1" } do
        assert.same({ 400, "invalid" },
          (refusal("PUT", "/api/items/1", { name = "x", count = 1, version = version })))
      end
      assert.same({ 400, "invalid" }, (refusal("DELETE", "/api/items/1")))
      assert.same({ 400, "invalid" }, (refusal("DELETE", "/api/items/1?version=1x")))
      assert.same({ 400, "invalid" }, (refusal("GET", "/api/items?q=" .. ("x"):rep(101))))
      assert.same({ 400, "invalid" }, (refusal("GET", "/api/items?q=%FF")))
    end)

    local function post(body, content_type)
      local answer = assert(http.post(inventory.address, "/api/items", body,
        { headers = { ["Content-Type"] = content_type } }))
      return answer.status, cjson.decode(answer.body).error.code
    end

    it("bodies that are no JSON, are not called so, or are too large", function()
      local good = cjson.encode(item { name = "from elsewhere" })
      for _, body in ipairs { "", "{", "5", "null", '"text"' } do
        assert.same({ 400, "invalid" }, { post(body, "application/json; charset=utf-8") })
      end
      for _, other in ipairs { "text/plain", "application/x-www-form-urlencoded", "" } do
        assert.same({ 415, "content_type" }, { post(good, other) })
      end
      assert.same({ 413, "too_large" }, { post((" "):rep(16384) .. good, "application/json") })
      assert.same({}, names "elsewhere")
    end)

    it("other paths, methods and hosts", function()
      assert.same({ 404, "unknown" }, (refusal("GET", "/api/elsewhere")))
      assert.same({ 404, "unknown" }, (refusal("PUT", "/api/items/9223372036854775808", {})))
      assert.same({ 404, "unknown" }, (refusal("PUT", "/api/items/" .. ("1"):rep(30), {})))
      assert.same({ 405, "method" }, (refusal("DELETE", "/api/items")))
      assert.equal(421, assert(http.get(inventory.address, "/api/items",
        { headers = { Host = "evil.example" } })).status)
    end)
  end)

  it("keeps all digits of an id", function()
    local conn = assert(dqlite.connect(inventory:addresses(), { database = "inventory" }))
    assert(conn:execute(
      "INSERT INTO items (id, name, count) VALUES (9007199254740993, 'large', 1)"))
    conn:close()
    local _, list = inventory:call("GET", "/api/items?q=large")
    assert.equal("9007199254740993", list.items[1].id)
    local status, edited = inventory:call("PUT", "/api/items/9007199254740993",
      { version = 1, name = "larger", count = 1 })
    assert.same({ 200, "9007199254740993" }, { status, edited.id })
    local added = add { name = "next" }
    assert.equal("9007199254740994", added.id)
    delete(added)
    assert.same({ "larger" }, names "large")
    delete(edited)
  end)

  it("is the same from each worker", function()
    local workers = inventory:workers()
    assert.equal(2, #workers)
    local numbers, ids = {}, {}
    for i, other in ipairs(workers) do
      demo.without({ other }, function()
        local _, answer = inventory:call("GET", "/api/cluster")
        numbers[answer.worker] = true
        ids[i] = add { name = "by worker " .. i }
        assert.equal(i, #names "by%20worker")
      end)
    end
    assert.same({ [0] = true, true }, numbers)
    for _, each in ipairs(ids) do delete(each) end
  end)

  it("serves the page, and lets it use nothing from elsewhere", function()
    for path, kind in pairs { ["/"] = "text/html", ["/app.js"] = "text/javascript",
      ["/style.css"] = "text/css" } do
      local answer = assert(http.get(inventory.address, path))
      assert.same({ 200, kind .. "; charset=utf-8" },
        { answer.status, answer.headers["content-type"] })
      assert.matches("default%-src 'self'", answer.headers["content-security-policy"])
    end
  end)

  it("tells of a write whose answer is lost that it may have been applied", function()
    local added = add { name = "In doubt" }
    local leader, followers = inventory:leader(), {}
    for id = 1, 3 do
      if tostring(id) ~= leader.id then followers[#followers + 1] = inventory:pid(id) end
    end
    demo.without(followers, function()
      local kind, refused = refusal("PUT", "/api/items/" .. added.id,
        { version = 1, name = "In doubt", count = 2 })
      assert.same({ 503, "ambiguous" }, kind)
      assert.matches("may or may not have been saved", refused.message)
    end)
    inventory:leader()
    local _, list = inventory:call("GET", "/api/items?q=doubt")
    assert.equal(list.items[1].version, list.items[1].count)
    delete(list.items[1])
  end)

  -- A user's own retries, for what was not certain.
  local function added_at_last(sent)
    return eventually("it is added", function()
      local status, answer = inventory:call("POST", "/api/items", sent)
      return status == 201 and answer
    end)
  end

  it("goes on when the leader is killed in the middle of it", function()
    local leader = inventory:leader()
    local sent, pending = {}, {}
    for i = 1, 12 do
      sent[i] = item { name = ("in use %02d"):format(i) }
      pending[i] = assert(http.send(inventory.address, {
        method = "POST", path = "/api/items", body = cjson.encode(sent[i]),
        headers = { ["Content-Type"] = "application/json" },
      }))
      if i == 6 then inventory:kill(leader.id) end
    end
    for i = 1, 12 do
      if assert(pending[i]:read(20)).status ~= 201 then added_at_last(sent[i]) end
    end
    assert.equal(12, #names "in%20use")
    assert.not_equal(leader.id, inventory:leader(leader.id).id)
    eventually("the node that was killed is back", function()
      local _, answer = inventory:call("GET", "/api/cluster")
      local answering = 0
      for _, node in ipairs(answer.nodes) do
        if node.answers and node.role == "voter" then answering = answering + 1 end
      end
      return answering == 3
    end)
    assert.matches(("node %s has ended, and starts again"):format(leader.id), inventory:output())
  end)

  it("leaves nothing after Ctrl-C", function()
    local pids = inventory:workers()
    for _, name in ipairs { "1", "2", "3", "nginx" } do pids[#pids + 1] = inventory:pid(name) end
    assert.equal(6, #pids)
    inventory:interrupt()
    for _, pid in ipairs(pids) do
      assert.is_nil((uv.fs_stat("/proc/" .. pid)), "it has waited for all of them")
    end
    assert.is_nil((uv.fs_stat(inventory.dir)))
  end)
end)
