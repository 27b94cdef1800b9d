-- Values on their way between JSON, bodies of requests and a real node, and results of
-- every size, inside of a worker of nginx.
local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

local PROMPT = 0.02 -- seconds; a stall takes 0.04 (goals.md)
local TRIES = 5 -- the best of them counts, on a machine that is busy

describe("values in a request", function()
  local server, inside

  setup(function()
    local one = cluster.start { nodes = 1 }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one, { locations = {
      ["= /keep"] = [[
        local dqlite, pool = require "dqlite", require "spec_pool"
        ngx.req.read_body()
        local body = dqlite.blob(ngx.req.get_body_data())
        ngx.print(assert(pool:execute("INSERT INTO bodies VALUES (?)", body)).last_insert_id)]],
      ["= /kept"] = [[
        local pool = require "spec_pool"
        ngx.print(assert(pool:fetchval("SELECT b FROM bodies WHERE rowid = ?",
          tonumber(ngx.var.arg_id))))]],
    }, lua = {
      spec_pool = "return assert(require 'dqlite'.create_pool(require 'spec_where'))",
    } })))
    inside = nginx_inside.of(server)
    inside [[assert(pool:execute "CREATE TABLE bodies (b BLOB)")
      assert(pool:execute "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")]]
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)

  local COUNTING = "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL"
    .. " SELECT x + 1 FROM c WHERE x < %d) SELECT %s FROM c"

  it("are JSON: null, and lists that are marked where that is asked for", function()
    local null, by_name, same = inside [[
      return cjson.encode(pool:fetchall "SELECT 1, NULL, 'x'"),
        cjson.encode(pool:fetch("SELECT NULL AS a", {}, { null = cjson.null })),
        dqlite.null == ngx.null and dqlite.null == cjson.null]]
    assert.same({ '[[1,null,"x"]]', '[{"a":null}]', true }, { null, by_name, same })
    local plain, marked, text = inside [[
      local mt = { __name = "array" }
      local opts, none, marked = { array_mt = mt }, "SELECT a FROM t WHERE 0", 0
      for _, name in ipairs { "fetch", "fetchall", "fetchcol" } do
        if getmetatable(assert(pool[name](pool, none, {}, opts))) == mt then
          marked = marked + 1
        end
      end
      return getmetatable(pool:fetch(none)), marked,
        cjson.encode(pool:fetchcol("SELECT 1", {}, opts))]]
    assert.is_nil(plain)
    assert.same({ 3, "[1]" }, { marked, text })
  end)

  -- Debian's cjson is none of those.
  it("are lists for a cjson that can mark them, without being asked", function()
    local mark, marked, others = inside [[
      cjson.array_mt = { __name = "array" }
      local conn = assert(dqlite.connect(where))
      local rows, own = conn:fetch "SELECT 1 WHERE 0", {}
      local asked = conn:fetch("SELECT 1 WHERE 0", {}, { array_mt = own })
      conn:close()
      local mark = cjson.array_mt
      cjson.array_mt = nil
      return mark ~= nil, getmetatable(rows) == mark, getmetatable(asked) == own]]
    assert.same({ true, true, true }, { mark, marked, others })
  end)

  it("of 64 bits are not lost, whatever the policy", function()
    local texts, all, cdata, back = inside [[
      local sql = "SELECT 9223372036854775807, 9007199254740993, 200000000000001, 7"
      local function by(policy) return pool:fetchall(sql, {}, { int64 = policy })[1] end
      local bound = pool:fetchall("SELECT ?, typeof(?1)", dqlite.int64 "9223372036854775807")
      return cjson.encode(by "string"), cjson.encode(by "string-all"),
        tostring(by "cdata"[1]), cjson.encode(bound)]]
    assert.matches('^%["9223372036854775807","9007199254740993",2', texts)
    assert.equal('["9223372036854775807","9007199254740993","200000000000001",7]', all)
    assert.equal("9223372036854775807LL", cdata)
    assert.equal('[["9223372036854775807","integer"]]', back)
  end)

  it("are texts and blobs with every byte, floats and booleans", function()
    assert.same({ true, "blob", 2.5, 3, "real", true, "\195\164\n\"" }, { inside [[
      local bytes = {}
      for i = 0, 255 do bytes[i + 1] = string.char(i) end
      bytes = table.concat(bytes)
      local row = assert(pool:fetchall("SELECT ?1, typeof(?1), ?2, ?3, typeof(?3), ?4",
        dqlite.blob(bytes), 2.5, dqlite.real(3), "\195\164\n\""))[1]
      assert(pool:script "CREATE TABLE flags (f BOOLEAN); INSERT INTO flags VALUES (1)")
      return row[1] == bytes, row[2], row[3], row[4], row[5],
        pool:fetchval "SELECT f FROM flags", row[6] ]] })
  end)

  it("of a body of several MB are written and read back", function()
    local body = ("\0\1\r\nabc\255"):rep(600 * 1024) -- 4.7 MB
    local id = assert(server:post("/keep", body)).body
    local answer = assert(server:get("/kept?id=" .. id))
    assert.equal(200, answer.status)
    assert.is_true(answer.body == body)
  end)

  -- The shortest time of several, and what came of them.
  local function fastest(body)
    return inside(([[
      local best, result = math.huge
      for _ = 1, %d do
        local seconds
        seconds, result = elapsed(function() %s end)
        best = math.min(best, seconds)
      end
      return best, result]]):format(TRIES, body))
  end

  it("come without a stall, whatever the number of frames", function()
    for _, rows in ipairs { 100, 500, 2000 } do
      local sql = COUNTING:format(rows, "x, hex(zeroblob(100))")
      local seconds, count = fastest(("return #assert(pool:fetchall %q)"):format(sql))
      assert.equal(rows, count)
      assert.is_true(seconds < PROMPT * math.max(1, rows / 500),
        ("%d rows took %.3f s"):format(rows, seconds))
    end
  end)

  it("come without a stall to rows that are read one by one, and to one who stops", function()
    local sql = COUNTING:format(300, "x, hex(zeroblob(100))")
    local seconds, count = fastest(([[
      return pool:with(function(conn)
        local count = 0
        for _ in conn:rows %q do count = count + 1 end
        for _ in conn:rows %q do break end
        assert(conn:ping())
        return count
      end)]]):format(sql, sql))
    assert.equal(300, count)
    assert.is_true(seconds < 2 * PROMPT, ("it took %.3f s"):format(seconds))
  end)

  it("are 100,000 rows", function()
    local count, sum, last = inside(([[
      local list = assert(pool:fetchall %q)
      local sum = 0
      for _, row in ipairs(list) do sum = sum + row[1] end
      return #list, sum, list[#list][2] ]]):format(COUNTING:format(100000, "x, 'row ' || x")))
    assert.same({ 100000, 5000050000, "row 100000" }, { count, sum, last })
  end)

  it("go in pipelines beyond what sockets hold, both ways", function()
    local n, wrong, after = inside [[
      local text, list = ("x"):rep(10000), {}
      for i = 1, 500 do list[i] = { "SELECT ? AS n, ? || ? AS t", i, text, text } end
      local wrong = 0
      local results = assert(pool:pipeline(list))
      for i, rows in ipairs(results) do
        local row = rows[1]
        if row.n ~= i or row.t ~= text .. text then wrong = wrong + 1 end
      end
      return #results, wrong, pool:fetchval "SELECT 7"]]
    assert.same({ 500, 0, 7 }, { n, wrong, after })
  end)

  it("go in many sets, all or none", function()
    local affected, count, refused, still = inside [[
      local sets = {}
      for i = 1, 3000 do sets[i] = { i, ("y"):rep(200) } end
      local done = assert(pool:executemany("INSERT INTO t VALUES (?, ?)", sets))
      local count = pool:fetchval "SELECT count(*) FROM t"
      sets = {}
      for i = 1, 3000 do sets[i] = { 5999 - i, "z" } end
      local _, refused = pool:executemany("INSERT INTO t VALUES (?, ?)", sets)
      return done.rows_affected, count, refused, pool:fetchval "SELECT count(*) FROM t"]]
    assert.same({ 3000, 3000, "constraint", 2999, 3000 },
      { affected, count, refused.kind, refused.index, still })
  end)

  it("that are too large are refused, and the pool goes on", function()
    local rows, bytes, after = inside [[
      local sql = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3"
      local _, rows = pool:fetchall(sql, {}, { max_rows = 2 })
      local _, bytes = pool:fetchval("SELECT hex(zeroblob(100000))", {},
        { max_result_bytes = 5000 })
      return rows, bytes, pool:fetchval "SELECT 7"]]
    assert.same({ "policy", "policy", 7 }, { rows.kind, bytes.kind, after })
  end)
end)
