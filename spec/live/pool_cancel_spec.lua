-- Coroutines that are closed in the middle of something that they do with a pool: their
-- slots come free (behaviour 36). Lua 5.4 alone closes coroutines.
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"
local stderr = require "spec.support.stderr"

local close = rawget(coroutine, "close")

live.each("a coroutine that is closed", function(server)
  local between, pool, is_dead

  local function open(opts)
    between, is_dead = proxy.start(server.address), false
    opts.max_size, opts.database = 1, server.database
    opts.translate = function() return between.address end
    pool = assert(dqlite.create_pool(between.address, opts))
  end

  after_each(function()
    if pool then pool:close(0) end
    if between then between:stop() end
    pool, between = nil, nil
  end)

  -- Closes a coroutine when its slot is in this state, and the line dead.
  local function cancel(state, fn)
    local thread = coroutine.create(fn)
    assert(coroutine.resume(thread))
    eventually("it is stuck", function() return is_dead and pool:stats()[state] == 1 end)
    assert.equal("suspended", coroutine.status(thread))
    close(thread)
  end

  local function die()
    between:black_hole()
    is_dead = true
  end

  -- Does another one get a connection then? That of a call is reported as forgotten.
  local function check_free()
    between:pass()
    is_dead = false
    stderr.of(function()
      eventually("the slot is free", function()
        collectgarbage()
        return pool:stats().size == 0
      end)
    end)
    assert.equal(1, pool:fetchval "SELECT 1")
    assert.equal(1, pool:stats().size)
  end

  if not close then return end

  it("while it connects frees the slot", function()
    open { min_size = 0 }
    die()
    cancel("connecting", function() pool:acquire() end)
    check_free()
  end)

  it("while init waits frees the slot", function()
    local inits = 0
    open { min_size = 0, init = function(conn)
      inits = inits + 1
      if inits == 1 then die() end
      return conn:ping()
    end }
    cancel("connecting", function() pool:acquire() end)
    check_free()
    assert.equal(2, inits)
  end)

  it("while its call waits frees the slot", function()
    open {}
    die()
    cancel("in_use", function() pool:fetchval "SELECT 1" end)
    check_free()
  end)

  it("while what it gives back is rolled back frees the slot", function()
    open {}
    cancel("connecting", function()
      local conn = assert(pool:acquire())
      assert(conn:begin())
      die()
      conn:release()
    end)
    check_free()
  end)
end)
