-- resty.dqlite: what a handler that was written for lua-resty-mysql finds.

local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local scratch = require "spec.support.scratch"

-- Runs what is posted, and answers what that returns, a line for each value.
local RUN = [[
  ngx.req.read_body()
  local cjson = require "cjson"
  local function line(value)
    if value == nil then return "nil" end
    return type(value) == "string" and value or cjson.encode(value)
  end
  local function answer(...)
    for i = 1, select("#", ...) do ngx.say(line((select(i, ...)))) end
  end
  answer(assert(loadstring(ngx.req.get_body_data()))())]]

-- What they share: `at(opts)` gives a node's host and port, `open` connects.
local SUPPORT = [[
  local resty = require "resty.dqlite"
  local where = require "spec_where"
  local support = { where = where }
  function support.at(opts, i)
    opts = opts or {}
    opts.host, opts.port = where[i or 1]:match "^(.*):(%d+)$"
    opts.port = tonumber(opts.port)
    return opts
  end
  function support.open(opts)
    local db = assert(resty:new())
    assert(db:connect(support.at(opts)) == 1)
    return db
  end
  return support]]

local PRELUDE = [[
  local resty, support = require "resty.dqlite", require "spec_support"
  local db ]]

local function start(members, opts)
  opts = opts or {}
  opts.locations = opts.locations or {}
  opts.locations["= /run"] = RUN
  opts.workers = 1
  opts.lua = { spec_support = SUPPORT, spec_shared = "return {}" }
  return nginx.start(nginx_cluster.options(members, opts))
end

local server

local function run(code)
  local answer = assert(server:post("/run", PRELUDE .. code, { timeout = 20 }))
  assert.equal(200, answer.status, answer.body)
  local lines = {}
  for each in answer.body:gmatch "([^\n]*)\n" do lines[#lines + 1] = each end
  return lines
end

describe("resty.dqlite, on one node,", function()
  local members, place, path

  setup(function()
    place = scratch.new()
    path = place.path .. "/node.sock"
    members = cluster.start { nodes = 1 }
    server = start(members, {
      modules = { "ngx_stream_module" },
      main = ("stream { server { listen unix:%s; proxy_pass %s; } }")
        :format(path, members:addresses()[1]),
    })
    run [[
      db = support.open()
      assert(db:query "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, x REAL)")
      assert(db:query "CREATE TABLE left (n)")
      assert(db:query("INSERT INTO t (name, x) VALUES (?, ?), (?, ?)", "a", 1.5, "b", nil))
      db:close()]]
  end)
  teardown(function()
    nginx_cluster.stop_all()
    place:close()
  end)

  describe("a query", function()
    it("that yields rows answers them by name, NULL as ngx.null", function()
      assert.same({ "2", "a", "1.5", "true", "{}", "nil" }, run [[
        db = support.open()
        local rows, err = db:query "SELECT id, name, x FROM t ORDER BY id"
        return #rows, rows[1].name, rows[1].x, rows[2].x == ngx.null,
          db:query "SELECT id FROM t WHERE id > 100", err]])
    end)

    it("answers a SELECT * too", function()
      assert.same({ '[[1,"a",1.5],[2,"b",null]]' }, run [[
        db = support.open { compact_arrays = true }
        return (db:query "SELECT * FROM t ORDER BY id")]])
    end)

    it("with compact_arrays answers rows by position, and so does set_compact_arrays", function()
      assert.same({ '[["a",1.5],["b",null]]', '[{"name":"a"}]', '[["a"]]' }, run [[
        db = support.open { compact_arrays = true }
        local first = db:query "SELECT name, x FROM t ORDER BY id"
        db:set_compact_arrays(false)
        local second = db:query "SELECT name FROM t WHERE id = 1"
        db:set_compact_arrays(true)
        return first, second, (db:query "SELECT name FROM t WHERE id = 1")]])
    end)

    it("takes parameters: one by one, as a list, by name", function()
      assert.same({ '[["b"]]', '[["a",null]]', '[["b"]]', '[[1,2]]' }, run [[
        db = support.open { compact_arrays = true }
        return (db:query("SELECT name FROM t WHERE id = ?", 2)),
          (db:query("SELECT ?, ?", "a", nil)),
          (db:query("SELECT name FROM t WHERE id = :id", { id = 2 })),
          (db:query("SELECT ?, ?", { 1, 2 }))]])
    end)

    it("ignores an estimate of rows, and takes a number for a parameter", function()
      assert.same({ "2", "2", "2", '[{"n":4}]' }, run [[
        db = support.open()
        local known = #db:query("SELECT id FROM t", 4)
        local unknown = #db:query("SELECT id FROM t", nil)
        assert(db:send_query "SELECT id FROM t")
        return known, unknown, #db:read_result(10), (db:query("SELECT ? AS n", 4))]])
    end)

    it("that writes answers affected_rows and insert_id", function()
      assert.same({ '0', '0', '2', '2', '1', '0', '[{"n":1}]', '0' }, run [[
        db = support.open()
        local made = db:query "CREATE TABLE w (n INTEGER PRIMARY KEY, m)"
        local put = db:query "INSERT INTO w (m) VALUES (1), (1)"
        local changed = db:query "UPDATE w SET m = 2 WHERE n = 1"
        local back = db:query "DELETE FROM w WHERE n = 1 RETURNING n"
        return made.affected_rows, made.insert_id, put.affected_rows, put.insert_id,
          changed.affected_rows, changed.insert_id, back,
          db:query "DELETE FROM w WHERE n = 100".affected_rows]])
    end)

    it("gives what a double cannot hold as a string", function()
      assert.same({ "9007199254740993", '"-9223372036854775808"', "9007199254740993" }, run [[
        db = support.open()
        local row = db:query(
          "SELECT 9007199254740993 AS big, -9223372036854775807 - 1 AS least")[1]
        assert(db:query "CREATE TABLE IF NOT EXISTS b (n INTEGER PRIMARY KEY)")
        return row.big, require "cjson".encode(row.least),
          db:query("INSERT INTO b VALUES (9007199254740993)").insert_id]])
    end)

    it("may be a PRAGMA, with a value or without", function()
      assert.same({ '[{"cache_size":-2000}]', "0", '[{"cache_size":-1000}]', "id" }, run [[
        db = support.open()
        local before = db:query "PRAGMA cache_size"
        return before, db:query "PRAGMA cache_size = -1000".affected_rows,
          db:query "PRAGMA cache_size", db:query "PRAGMA table_info(t)"[1].name]])
    end)

    it("may be part of a transaction", function()
      assert.same({ "0", "1" }, run [[
        db = support.open()
        assert(db:query "BEGIN")
        assert(db:query "INSERT INTO left VALUES (1)")
        assert(db:query "ROLLBACK")
        local none = #db:query "SELECT n FROM left"
        assert(db:query "BEGIN IMMEDIATE")
        assert(db:query "INSERT INTO left VALUES (1)")
        assert(db:query "COMMIT")
        return none, #db:query "SELECT n FROM left"]])
    end)
  end)

  describe("a failure", function()
    it("has a text, SQLite's extended code and its name; the connection stays", function()
      local got = run [[
        db = support.open()
        local res, err, errcode, name = db:query("INSERT INTO t (name) VALUES (?)", "a")
        local known = db:last_error()
        local rows = db:query "SELECT count(*) AS n FROM t"
        return res, err, errcode, name, known.kind, known.ambiguous, rows, db:last_error(),
          db:set_keepalive()]]
      assert.equal("constraint: UNIQUE constraint failed: t.name (SQLITE_CONSTRAINT_UNIQUE, 2067)"
        .. " at " .. members:addresses()[1], got[2])
      got[2] = "text"
      assert.same({ "nil", "text", "2067", "SQLITE_CONSTRAINT_UNIQUE", "constraint", "false",
        '[{"n":2}]', "nil", "1" }, got)
    end)

    it("of the text has no code where nothing was sent", function()
      local got = run [[
        db = support.open()
        local _, several, code = db:query "SELECT 1; SELECT 2"
        local _, few = db:query("SELECT ?, ?", 1)
        local _, function_value = db:query("SELECT ?", print)
        local _, number = db:query(7)
        local _, beyond = db:query("SELECT ?", { 1 }, { timeout = 1 })
        local _, unknown, number_of = db:query "SELEC 1"
        return code, several, few, function_value, number, beyond, unknown, number_of,
          (db:query "SELECT 1 AS one")]]
      assert.equal("nil", got[1])
      assert.truthy(got[2]:find("several statements", 1, true))
      for i = 3, 6 do assert.is_nil(got[i]:find "%.lua:%d", got[i]) end
      assert.truthy(got[5]:find("the statement is a string", 1, true))
      assert.truthy(got[7]:find("syntax error", 1, true))
      assert.same({ "1", '[{"one":1}]' }, { got[8], got[9] })
    end)

    it("of connect is told as one too", function()
      local got = run [[
        db = resty:new()
        local none, err = db:connect { host = "127.0.0.1", port = 1 }
        local kind = db:last_error().kind
        local function refused(opts) return select(2, db:connect(opts)) end
        return none, err, kind, refused(), refused { host = "127.0.0.1" },
          refused { host = "127.0.0.1", port = "1" }, refused { hosts = {} },
          refused(support.at { ssl = 1 }), refused(support.at { pool_size = 0 }),
          refused { cluster = {} }, (db:query "SELECT 1")]]
      assert.truthy(got[2]:find("^connect: connection refused"))
      got[2] = "text"
      got[10] = got[10]:match "where to connect to is an address"
      assert.same({ "nil", "text", "connect", "connect takes a table of options",
        "connect takes host and port, path, or cluster", "option 'port' must be a number",
        "unknown option 'hosts'", "option 'ssl' must be a boolean",
        "option 'pool_size' must be a positive whole number", "where to connect to is an address",
        "nil" }, got)
    end)
  end)

  describe("calls in the wrong order", function()
    it("answer why they cannot be", function()
      assert.same({
        "not initialized", "not initialized", "not initialized", "not initialized",
        "not initialized",
        "cannot read result in the current context: nothing was sent",
        "cannot send query in the current context: a result is unread",
        "cannot keep the connection in the current context: a result is unread",
        '[{"one":1}]', "1",
        "closed", "closed", "closed", "closed", "closed",
      }, run [[
        local function why(method, ...) return (select(2, db[method](db, ...))) end
        db = resty:new()
        local fresh = { why("query", "SELECT 1"), why "read_result", why "set_keepalive",
          why "get_reused_times", why "close" }
        assert(db:connect(support.at()))
        local idle = why "read_result"
        assert(db:send_query "SELECT 1 AS one")
        local again, keep = why("query", "SELECT 2"), why "set_keepalive"
        local one = db:read_result()
        local closed = db:close()
        local all = { idle, again, keep, one, closed, why("query", "SELECT 1"),
          why "read_result", why "set_keepalive", why "get_reused_times", why "close" }
        for i, each in ipairs(all) do fresh[5 + i] = each end
        return unpack(fresh)]])
    end)

    it("of two light threads do not mix their answers", function()
      assert.same({ '[{"n":1}]', "cannot send query in the current context:"
        .. " a result is being read" }, run [[
        db = support.open()
        local other
        assert(db:send_query "SELECT 1 AS n")
        local thread = ngx.thread.spawn(function() return (db:read_result()) end)
        other = select(2, db:query "SELECT 2 AS n")
        local _, answer = ngx.thread.wait(thread)
        return answer, other]])
    end)

    it("in another request than the one that has connected are refused", function()
      local got = run [[
        require "spec_shared".db = support.open()
        return "kept"]]
      assert.same({ "kept" }, got)
      got = run [[
        local shared = require "spec_shared".db
        local rows, err = shared:query "SELECT 1"
        return rows, err, select(2, shared:set_keepalive())]]
      assert.truthy(got[2]:find "^closed: " or got[2]:find("another request", 1, true))
      assert.same({ "nil", "closed" }, { got[1], got[3] })
    end)
  end)

  describe("send_query", function()
    it("sends at once: the statement runs while the handler does something else", function()
      assert.same({ "28", "1", "1" }, run [[
        local other = support.open()
        assert(other:query "CREATE TABLE IF NOT EXISTS s (n)")
        db = support.open()
        local bytes = db:send_query("INSERT INTO s (n) VALUES (?)", 7)
        local seen
        for _ = 1, 500 do
          seen = #other:query "SELECT n FROM s"
          if seen == 1 then break end
          ngx.sleep(0.01)
        end
        return bytes, seen, db:read_result().affected_rows]])
    end)

    it("tells at once what cannot be sent", function()
      local got = run [[
        db = support.open()
        local bytes, several = db:send_query "SELECT 1; SELECT 2"
        local _, few = db:send_query("SELECT ?, ?", 1)
        return bytes, several, few, (db:query "SELECT 1 AS n")]]
      assert.truthy(got[2]:find("^value: several statements"))
      assert.truthy(got[3]:find("^value: "))
      assert.same({ "nil", '[{"n":1}]' }, { got[1], got[4] })
    end)

    it("of what is asked about first, and of a long text, is done by read_result", function()
      assert.same({ '[{"n":7}]', "100000" }, run [[
        db = support.open()
        assert(db:query "CREATE TABLE IF NOT EXISTS r (n)")
        assert(db:send_query "INSERT INTO r VALUES (7) RETURNING n")
        local returned = db:read_result()
        assert(db:send_query("SELECT length(?) AS n", ("x"):rep(100000)))
        return returned, db:read_result()[1].n]])
    end)

    it("whose answer is never read leaves nothing to the next request", function()
      assert.same({ "1" }, run [[
        db = support.open { pool = "unread" }
        assert(db:send_query "SELECT 'mine' AS whose")
        return db:close()]])
      assert.same({ "0", '[{"whose":"yours"}]' }, run [[
        db = support.open { pool = "unread" }
        return db:get_reused_times(), (db:query "SELECT 'yours' AS whose")]])
    end)
  end)

  describe("set_keepalive", function()
    it("keeps the socket, whose uses are counted", function()
      local code = [[
        db = support.open { pool = "counted", database = "other" }
        local times = db:get_reused_times()
        assert(db:query "SELECT 1")
        return times, db:set_keepalive(10000, 10), select(2, db:query "SELECT 1")]]
      for i = 0, 2 do assert.same({ tostring(i), "1", "closed" }, run(code)) end
    end)

    it("leaves an object that can connect again", function()
      assert.same({ "1", '[{"n":2}]' }, run [[
        db = support.open { pool = "again" }
        assert(db:set_keepalive(0))
        assert(db:connect(support.at { pool = "again" }))
        return db:get_reused_times(), (db:query "SELECT 2 AS n")]])
    end)

    it("never brings databases together", function()
      assert.same({ "0", "{}" }, run [[
        db = support.open { pool = "mixed" }
        assert(db:set_keepalive())
        db = support.open { pool = "mixed", database = "elsewhere" }
        return db:get_reused_times(), (db:query "SELECT name FROM sqlite_schema")]])
    end)

    it("ends the kept time after milliseconds", function()
      assert.same({ "1", "0" }, run [[
        db = support.open { pool = "brief" }
        assert(db:set_keepalive(60000))
        db = support.open { pool = "brief" }
        local kept = db:get_reused_times()
        assert(db:set_keepalive(20))
        ngx.sleep(0.2)
        db = support.open { pool = "brief" }
        return kept, db:get_reused_times()]])
    end)

    it("closes where a transaction is open, and refuses wrong values", function()
      local got = run [[
        db = support.open()
        local idle = select(2, db:set_keepalive("10"))
        local size = select(2, db:set_keepalive(10, 0))
        assert(db:query "BEGIN")
        local kept, err = db:set_keepalive()
        return idle, size, kept, err, select(2, db:query "COMMIT")]]
      assert.same({ "set_keepalive takes milliseconds",
        "set_keepalive takes a positive whole number of connections", "nil" },
        { got[1], got[2], got[3] })
      assert.truthy(got[4]:find("a transaction is open", 1, true))
      assert.equal("closed", got[5])
    end)

    it("with pool_size and backlog bounds how many there are", function()
      local got = run [[
        db = support.open { pool_size = 1, backlog = 0 }
        local other, err = resty:new():connect(support.at { pool_size = 1, backlog = 0 })
        return other, err, db:set_keepalive()]]
      assert.truthy(got[2]:find "^pool: ")
      assert.same({ "nil", "1" }, { got[1], got[3] })
    end)
  end)

  it("connects by the path of a socket", function()
    assert.same({ '[{"n":1}]', '[{"n":1}]' }, run(([[
      local path = "%s"
      db = resty.new()
      assert(db:connect { path = path, direct = true })
      local first = db:query "SELECT 1 AS n"
      assert(db:connect { path = "unix:" .. path, user = "me", password = "secret" })
      return first, (db:query "SELECT 1 AS n")]]):format(path)))
  end)

  it("says its version", function()
    assert.same({ require "dqlite"._VERSION }, run "return resty._VERSION")
  end)

  describe("when the node hangs", function()
    before_each(function()
      run [[db = support.open { pool = "hangs" } assert(db:query "SELECT 1") db:set_keepalive()]]
      members.nodes[1]:freeze()
    end)
    after_each(function()
      members.nodes[1]:thaw()
      members:wait_for_leader()
    end)

    it("the timeout of reading ends a query, and leaves the connection closed", function()
      local got = run [[
        local now = require "dqlite.core".now
        db = support.open { pool = "hangs" }
        db:set_timeouts(5000, 5000, 300)
        local began = now()
        local res, err, errcode = db:query "INSERT INTO left VALUES (2)"
        local took, known = now() - began, db:last_error()
        return res, err, errcode, took, known.kind, known.ambiguous, known.retryable,
          (db:get_reused_times()), select(2, db:set_keepalive())]]
      assert.truthy(got[2]:find "^timeout: ")
      local took = tonumber(got[4])
      assert.is_true(took >= 0.3 and took < 1.5, got[4])
      got[2], got[4] = "text", "took"
      assert.same({ "nil", "text", "nil", "took", "timeout", "true", "false", "nil", "closed" },
        got)
    end)

    it("the timeout that is set ends a connect", function()
      local got = run [[
        local now = require "dqlite.core".now
        db = resty:new()
        db:set_timeout(250)
        local began = now()
        local ok, err = db:connect(support.at { pool = "never used before" })
        return ok, err, now() - began, db:last_error().retryable]]
      assert.truthy(got[2]:find "^timeout: ")
      local took = tonumber(got[3])
      assert.is_true(took >= 0.25 and took < 1.5, got[3])
      assert.same({ "nil", "true" }, { got[1], got[4] })
    end)

    it("timeouts that make no sense are refused, and 0 is the default", function()
      assert.same({ "timeouts are numbers of milliseconds", "timeouts are numbers of milliseconds",
        "nil" }, run [[
        db = resty:new()
        return select(2, db:set_timeout "1000"), select(2, db:set_timeouts(1000)),
          (select(2, db:set_timeout(0)))]])
    end)
  end)
end)

describe("resty.dqlite, on a cluster,", function()
  local members

  setup(function()
    members = cluster.start()
    server = start(members)
  end)
  teardown(nginx_cluster.stop_all)

  it("finds the leader from each node, and keeps the leader's socket", function()
    for i = 1, 3 do
      assert.same({ members:leader().address, tostring(i - 1) }, run(([[
        db = resty:new()
        assert(db:connect(support.at({}, %d)))
        local address, times = db.conn.address, db:get_reused_times()
        assert(db:set_keepalive(10000))
        return address, times]]):format(i)))
    end
  end)

  -- Servers of 1.18.2 and later refuse the database itself.
  it("with direct takes the node as it is", function()
    local follower = members:followers()[1].address
    local got = run(([[
      db = resty:new()
      local host, port = ("%s"):match "^(.*):(%%d+)$"
      local res, err, errcode = db:connect { host = host, port = tonumber(port), direct = true }
      if res then res, err, errcode = db:query "SELECT 1" end
      return res, err, errcode, db:last_error().kind, select(2, db:set_keepalive())]])
      :format(follower))
    assert.same({ "nil", "not_leader" }, { got[1], got[4] })
    assert.is_true(got[5] == "closed" or got[5] == "not initialized")
    assert.truthy(got[3]:find "^%d+$")
  end)

  it("with a list goes on with those that are left", function()
    local code = [[
      db = resty:new()
      db:set_timeout(10000)
      local ok, err = db:connect { cluster = support.where }
      if not ok then return err end
      assert(db:query "CREATE TABLE IF NOT EXISTS t (n)")
      local address = db.conn.address
      db:set_keepalive()
      return address]]
    local before = members:leader()
    assert.same({ before.address }, run(code))
    before:kill()
    local after = run(code)[1]
    assert.not_equal(before.address, after)
    assert.equal(members:wait_for_leader(before).address, after)
  end)
end)
