-- pool:once: applied exactly once for a request id, whatever becomes of the answers.
local dqlite = require "dqlite"
local errors = require "dqlite.error"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

live.each("pool:once", function(server)
  local pool, between

  local function open(address, opts)
    opts = opts or {}
    opts.database, opts.connect_timeout = server.database, 10
    pool = assert(dqlite.create_pool(address, opts))
    assert(pool:execute "CREATE TABLE t (a)")
  end

  after_each(function()
    if pool then pool:close(0) end
    if between then between:stop() end
    pool, between = nil, nil
  end)

  local function insert(value, answer)
    return function(conn)
      local done, err = conn:execute("INSERT INTO t VALUES (?)", value)
      if not done then return nil, err end
      return answer
    end
  end

  it("answers what was stored when the same id comes again", function()
    open(server.address)
    for _, value in ipairs { 7, -2.5, "text", true, false, math.pi } do
      local id = "request " .. tostring(value)
      assert.same({ value = value, repeated = false }, pool:once(id, insert(1, value)))
      assert.same({ value = value, repeated = true }, pool:once(id, insert(2, "another")))
    end
    assert.same({ repeated = false }, pool:once("nothing", insert(1, nil)))
    assert.same({ repeated = true }, pool:once("nothing", insert(2, nil)))
    assert.same({ 7 }, pool:fetchcol "SELECT count(*) FROM t WHERE a = 1")
    assert.same({ 0 }, pool:fetchcol "SELECT count(*) FROM t WHERE a = 2")
  end)

  it("stores nothing for a function that fails or raises", function()
    open(server.address)
    assert.same({ nil, "no" }, { pool:once("a", function(conn)
      insert(1)(conn)
      return nil, "no"
    end) })
    assert.has_error(function()
      pool:once("a", function(conn)
        insert(1)(conn)
        error("mine", 0)
      end)
    end, "mine")
    local ok, message = pcall(pool.once, pool, "a", function(conn)
      insert(1)(conn)
      return {}
    end)
    assert.is_false(ok)
    assert.matches("one value, not a table", message, 1, true)
    assert.equal(0, pool:fetchval "SELECT count(*) FROM t")
    assert.is_false(pool:once("a", insert(1)).repeated)
  end)

  it("forgets ids", function()
    open(server.address)
    assert.equal(0, pool:forget_requests(0))
    assert.is_false(pool:once("a", insert(1)).repeated)
    assert.equal(0, pool:forget_requests(1000))
    assert.is_true(pool:once("a", insert(1)).repeated)
    assert.equal(1, pool:forget_requests(0))
    assert.is_false(pool:once("a", insert(1)).repeated)
  end)

  -- The answer to the first COMMIT does not come; what the proxy does then.
  local function open_losing_a_commit(opts, afterwards)
    between = proxy.start(server.address)
    local lost = false
    opts.timeout = 0.5
    opts.translate = function() return between.address end
    function opts.on_event(event)
      if event.name == "query_start" and event.sql == "COMMIT" and not lost then
        lost = true
        between:hang_after(0)
      elseif event.name == "close" then
        between:pass()
        if afterwards and lost then between[afterwards](between) end
      end
    end
    open(between.address, opts)
  end

  it("is applied once though the answer to its COMMIT is lost", function()
    open_losing_a_commit {}
    local runs = 0
    assert.same({ value = "done", repeated = true }, pool:once("a", function(conn)
      runs = runs + 1
      return insert(1, "done")(conn)
    end, { timeout = 9 }))
    assert.same({ 1, 1 }, { runs, pool:fetchval "SELECT count(*) FROM t" })
  end)

  it("is what a transaction without an id cannot be", function()
    open_losing_a_commit {}
    local answer, err = pool:transaction(insert(1, "done"))
    assert.is_nil(answer)
    assert.is_true(err.ambiguous)
    assert.equal(1, pool:fetchval "SELECT count(*) FROM t")
  end)

  it("stays ambiguous when the tries behind a lost COMMIT fail of something else", function()
    open_losing_a_commit({}, "refuse")
    local answer, err = pool:once("a", insert(1, "done"), { timeout = 1.5 })
    assert.is_nil(answer)
    assert.is_true(err.kind == "connect" or err.kind == "timeout", err.kind)
    assert.is_true(err.ambiguous)
    assert.is_false(err.retryable)
    between:accept()
    assert.equal(1, pool:fetchval "SELECT count(*) FROM t")
    assert.same({ value = "done", repeated = true }, pool:once("a", insert(1, "done")))
  end)

  it("makes its table within its own time, and says why it could not", function()
    between = proxy.start(server.address)
    open(between.address, {
      translate = function() return between.address end,
      on_event = function(event)
        if event.name == "query_start" and event.sql:find "^CREATE TABLE .* dqlite_once" then
          between:hang_after(0)
        end
      end,
    })
    local seconds, answer, err = live.timed(function()
      return pool:once("a", insert(1), { timeout = 0.5 })
    end)
    assert.is_nil(answer)
    assert.equal("timeout", err.kind)
    assert.is_true(err.retryable)
    assert.is_false(err.ambiguous)
    assert.is_true(seconds < 0.8, ("it took %.3f s"):format(seconds))
    between:pass()
    assert.equal(0, pool:fetchval "SELECT count(*) FROM t")
  end)

  it("does not run again what its function has left in doubt elsewhere", function()
    open(server.address)
    local elsewhere = errors.lost("closed", "of another connection", { write = true })
    local runs = 0
    local answer, err = pool:once("a", function(conn)
      runs = runs + 1
      insert(1)(conn)
      return nil, elsewhere
    end)
    assert.is_nil(answer)
    assert.equal(elsewhere, err)
    assert.same({ 1, 0 }, { runs, pool:fetchval "SELECT count(*) FROM t" })
  end)
end)
