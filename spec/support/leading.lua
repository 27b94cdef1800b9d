--- What specs of the way to the leader assert of a connection, or of its failure.
local assert = require "luassert"
local dqlite = require "dqlite"
local live = require "spec.support.live"

local leading = {
  PROMPT = 1, -- seconds; a search takes milliseconds where there is a leader
}

local opened = {} -- by the spec

function leading.close_all()
  for _, conn in ipairs(opened) do conn:close() end
  opened = {}
  collectgarbage() -- connections that live share what they know
  collectgarbage()
end

--- Leaves a connection to close_all.
function leading.keep(conn)
  opened[#opened + 1] = conn
  return conn
end

--- Asserts that a connection was made, to the leader: no other node answers.
function leading.leads(conn, err)
  assert.is_nil(err and tostring(err))
  leading.keep(conn)
  assert.equal(42, conn:fetchval "SELECT 40 + 2")
  return conn
end

--- Asserts that this does so, and in no time.
function leading.leads_soon(connect)
  local seconds, conn, err = live.timed(connect)
  leading.leads(conn, err)
  assert.is_true(seconds < leading.PROMPT, ("it took %.3f s"):format(seconds))
  return conn
end

function leading.connects_soon(where, opts)
  return leading.leads_soon(function() return dqlite.connect(where, opts) end)
end

--- Asserts that a call fails so, after this time.
function leading.fails_after(expected, kind, fn)
  local seconds, conn, err = live.timed(fn)
  live.fails(kind, conn, err)
  assert.is_true(seconds > expected - 0.05 and seconds < expected + 0.25,
    ("it took %.3f s"):format(seconds))
  return err
end

function leading.has(text, err)
  assert.is_truthy(err.message:find(text, 1, true), err.message)
end

function leading.is_worth_another_try(err)
  assert.is_true(err.retryable)
  assert.is_false(err.ambiguous)
end

return leading
