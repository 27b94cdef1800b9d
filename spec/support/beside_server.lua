--- A controller of cqueues and a server in the same process, for one spec.
local assert = require "luassert"
local beside_luv = require "spec.support.beside_luv"
local collect = require "spec.support.collect"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local SECOND = 1 -- of patience, for what takes milliseconds

local before

local here = {
  ALL = "SELECT a FROM t", -- which specs say the answer of
  SECOND = SECOND,
  server = nil,
  source = nil, -- of its answers
  controller = nil,
}

--- Before a spec.
function here.start()
  here.source = simulated.server()
  here.server = luv_server.start(here.source)
  before = handles.descriptors()
  here.controller = beside_luv.new()
end

--- Behind it: nothing is left.
function here.stop()
  assert.equal(0, beside_luv.close(here.controller))
  handles.settle(function() return here.server.peers == 0 end)
  assert.equal(0, here.server.peers)
  assert.equal(before, handles.descriptors())
  here.server:stop()
  simulated.verify()
end

--- Closes the controller, whatever runs there, and makes another one.
function here.renew()
  here.controller:close()
  here.controller = beside_luv.new()
end

--- Runs a function in the controller.
function here.run(fn, ...) return beside_luv.run(here.controller, fn, ...) end

--- A connection to the server.
function here.connect(opts) return assert(dqlite.connect(here.server.address, opts)) end

--- An answer in so many frames of a row: numbers, or this value.
function here.frames(n, value)
  local list = {}
  for i = 1, n do
    list[i] = scripted.rows { columns = { "a" }, { value or i }, more = i < n }
  end
  return list
end

local function pack(...) return { n = select("#", ...), ... } end

--- A call that no answer ends, in a coroutine of its own, once it waits.
-- @treturn table a task, which returns a list of what the call answered
function here.wait_in_vain(conn, method)
  here.source:on(here.ALL, {})
  local task = dqlite.spawn(function() return pack(conn[method or "fetchall"](conn, here.ALL)) end)
  local deadline = core.now() + SECOND
  while not conn.link.stream.wait.thread and core.now() < deadline do dqlite.sleep(0) end
  assert.is_truthy(conn.link.stream.wait.thread)
  return task
end

--- The answer to that.
function here.answer_late(value)
  local peer = here.server:peer()
  peer.silent = false
  peer:write(here.frames(1, value)[1])
end

--- Ends the server's side of all connections: what is due of answers is not waited for then.
function here.hang_up()
  for _, peer in pairs(here.server.sockets) do peer:close() end
end

--- Collects until the server sees that all connections are closed.
function here.await_no_peers()
  local deadline = core.now() + SECOND
  while here.server.peers > 0 and core.now() < deadline do
    collect()
    dqlite.sleep(0.002)
  end
end

return here
