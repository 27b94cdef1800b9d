--- A dqlite node inside nginx (OpenResty's Lua module), in the first of its workers:
--
--    http {
--      lua_package_path ...; lua_package_cpath ...;
--      init_worker_by_lua_block {
--        require "dqlite.node.nginx".start { address = "127.0.0.1:9001", dir = "/srv/node" }
--      }
--      exit_worker_by_lua_block { require "dqlite.node.nginx".stop() }
--    }
--
-- Requests in all workers reach it as any node, by its address:
-- `dqlite.create_pool { "127.0.0.1:9001" }`, a list, as one address alone that cannot be
-- reached is an error at once. It runs on threads of its own, so that the worker it lives
-- in can use it too.
--
-- An assertion that trips in libdqlite ends that worker with all of its requests (nginx
-- starts another one, and that the node): in production give the node a process of its own.
--
-- After a reload the old worker keeps the node until its last request has ended
-- (`worker_shutdown_timeout` says when at the latest), and serves all workers with it. The
-- new one waits that long, and then starts the node on the same data: nothing listens for
-- some 0.1 s in between, and as long as the data take to load; a pool's calls wait that
-- out. A write that is under way as a node stops fails as ambiguous.
--
-- The directory belongs to the user that the workers run as (directive `user`). The cache
-- manager and other helpers have no node.
-- @module dqlite.node.nginx

local core = require "dqlite.core"
local errors = require "dqlite.error"
local node = require "dqlite.node"
local phases = require "dqlite.loop.phases"

local FIRST = 0 -- the worker that has the node
local INTERVAL = 0.05 -- seconds between two tries

local nginx = {}

-- What this worker has: `node`, `state`, `err`, `began`; nil where it has none.
local own = nil

local function log(level, ...)
  ngx.log(level, "dqlite node: ", ...)
end

-- ---- starting ----

local function fail(self, err)
  self.state, self.err = "failed", err
  local hint = err.message:find("Permission denied", 1, true)
    and "; nginx' workers run as the user of the directive `user`" or ""
  log(ngx.ERR, "cannot start: ", tostring(err), hint)
  return nil, err
end

local try

local function again(premature, self)
  if not premature and own == self then try(self) end
end

-- A worker that is told to exit gets no timer, and ends those that it has.
local function try_later(self, err)
  if self.state ~= "waiting" then log(ngx.NOTICE, "waits: ", tostring(err)) end
  self.state, self.err = "waiting", err
  local set, reason = ngx.timer.at(INTERVAL, again, self)
  if set or ngx.worker.exiting() then return true end
  return fail(self, errors.new { kind = "connect", message = "no timer to wait with: " .. reason })
end

function try(self)
  local started, err = self.node:start()
  if not started then
    if err.retryable then return try_later(self, err) end
    return fail(self, err)
  end
  self.state, self.err = "running", nil
  log(ngx.NOTICE, ("%s serves at %s after %.2f s"):format(self.node.id, self.node.address,
    core.now() - self.began))
  return true
end

-- Other workers have to know the address, and to reach it.
local function check_address(address)
  local kind, _, port = core.parse_address(address)
  if kind == "tcp" and port ~= 0 then return end
  errors.misuse("dqlite.node.nginx.start: option 'address' must be a host and a port, which all"
    .. " workers dial")
end

local function check_phase()
  local phase = phases.current()
  if phase == "init_worker" then return end
  errors.misuse("dqlite.node.nginx.start is for init_worker_by_lua in nginx, "
    .. (phase and "not for the phase " .. phase or "and this is not nginx"))
end

--- Starts the node, in the first worker; in the others does nothing. To be called in
-- init_worker_by_lua, once.
--
-- Where the directory is locked (by the old worker, after a reload) or somebody listens at
-- the address, a timer tries again until it can, or until the worker has to exit. Loading
-- the data blocks the worker: for 30 to 60 ms where there is little, for a second with 1000
-- writes in the log; `snapshot` with a lower threshold makes that less. The error log tells
-- at level "notice" that it waits and that the node serves, at level "error" why it cannot.
-- @tparam table opts those of @{dqlite.node.new}; `address` with a host and a port
-- @treturn[1] boolean true, also while it waits
-- @treturn[2] nil
-- @treturn[2] dqlite.error which is logged
function nginx.start(opts)
  check_phase()
  if ngx.worker.id() ~= FIRST then return true end
  if own then errors.misuse "dqlite.node.nginx.start: this worker has a node already" end
  local made, err = node.new(opts)
  if made then check_address(opts.address) end
  own = { node = made, state = nil, err = nil, began = core.now() }
  if not made then return fail(own, err) end
  return try(own)
end

--- Stops the node, or the wait for it; for exit_worker_by_lua. Where there is none does
-- nothing. (A worker that exits without it stops its node later, as Lua closes.)
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] dqlite.error which is logged; the node is stopped all the same
function nginx.stop()
  local self = own
  own = nil
  if not self or self.state ~= "running" then return true end
  local stopped, err = self.node:stop()
  if stopped then
    log(ngx.NOTICE, self.node.id, " has stopped")
  else
    log(ngx.ERR, tostring(err))
  end
  return stopped, err
end

--- How the node of this worker is.
-- @treturn string|nil "waiting", "running" or "failed"; nil in the other workers, which
--   have none, and with `lua_code_cache off` in requests, which cannot see it
-- @treturn dqlite.error|nil the error that it waits for the end of, or that it has failed with
function nginx.status()
  if not own then return nil end
  return own.state, own.err
end

return nginx
