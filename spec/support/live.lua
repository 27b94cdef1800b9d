--- What the live specs share: a description for each address in
-- DQLITE_SERVERS, and for every spec a database that nobody used before.
--
--    live.each("fetch", function(server)
--      it("answers", function()
--        assert.equal(1, server:connect():fetchval "SELECT 1")
--      end)
--    end)
--
-- Without DQLITE_SERVERS every one of those specs fails.
local assert = require "luassert"
local busted = require "busted"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local in_loop = require "spec.support.in_loop"
local session = require "dqlite.session"
local uv = require "luv"

local live = {
  loop = in_loop.name, -- that every call waits in
  is_concurrent = in_loop.is_concurrent, -- do coroutines run meanwhile?
}

local now = core.now

local PATIENCE = 10 -- seconds; for what takes a server milliseconds

-- Names this run of this file, which has this module for itself: servers that go
-- on running keep every database.
local RUN = ("%x_%.0f_%s"):format(os.time(), core.now() * 1e6, tostring({}):match "0x(%x+)")
local databases = 0

--- A database name that is new to every server and that no other one begins
-- with: 1.11.1 takes a name for any database whose name begins so.
function live.database()
  databases = databases + 1
  return ("spec_%s_%d_"):format(RUN, databases)
end

-- ---- the servers ----

local Server = {}
Server.__index = Server

local function keep(self, closable, err)
  if closable then self.opened[#self.opened + 1] = closable end
  return closable, err
end

local function with_defaults(opts, defaults)
  for name, value in pairs(opts or {}) do defaults[name] = value end
  return defaults
end

--- dqlite.connect to the spec's database. Closed after the spec.
-- @return as dqlite.connect does
function Server:try(opts)
  return keep(self, dqlite.connect(self.address, with_defaults(opts, {
    database = self.database,
    connect_timeout = PATIENCE,
  })))
end

--- The same, where nothing is to fail.
function Server:connect(opts)
  return assert(self:try(opts))
end

--- A raw session. Closed after the spec.
function Server:session(opts)
  return assert(keep(self, session.connect(self.address, opts)))
end

--- A raw session that has opened the spec's database.
function Server:opened_session(opts)
  local raw = self:session(opts)
  assert(raw:request("OPEN", { database = self.database }))
  return raw
end

local function begin(self)
  if not self.address then
    error("DQLITE_SERVERS is not set: run `make test-live`", 0)
  end
  self.database = live.database()
  self.opened = {}
end

local function finish(self)
  for _, closable in ipairs(self.opened or {}) do closable:close() end
  self.opened = nil
end

local function describe_one(title, address, body)
  local server = setmetatable({
    address = address,
    database = nil, -- of the current spec
    opened = nil, -- what the current spec leaves open
  }, Server)
  busted.describe(title, function()
    busted.before_each(function() begin(server) end)
    busted.after_each(function() finish(server) end)
    -- a level of its own: where `begin` fails, nothing of the body is run
    busted.describe("at " .. (address or "no server"), function() body(server) end)
  end)
end

--- Describes the same for every server.
-- @tparam string title of the description
-- @tparam function body called with a server: `address`, `database`, connect,
-- try, session, opened_session
function live.each(title, body)
  local any = false
  for address in (os.getenv "DQLITE_SERVERS" or ""):gmatch "%S+" do
    any = true
    describe_one(title, address, body)
  end
  if not any then describe_one(title, nil, body) end
end

-- ---- assertions ----

--- Asserts that a call answered nil and an error of this kind.
-- @return the error
function live.fails(kind, ...)
  local result, err = ...
  assert.is_nil(result)
  assert.is_table(err)
  assert.equal(kind, err.kind, tostring(err))
  return err
end

--- Asserts that a function raised an error value of this kind, as iterators do.
-- @return the error
function live.raises_error(kind, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return live.fails(kind, nil, err)
end

--- Asserts that a transaction is over: the table t holds these values of its
-- column a for `other`, and no lock is left behind.
function live.left(conn, other, expected)
  assert.is_false(conn:in_transaction())
  assert.same(expected, other:fetchcol "SELECT a FROM t ORDER BY a")
  assert(other:execute "UPDATE t SET a = a")
  live.usable(conn)
end

--- Asserts that a connection still works.
function live.usable(conn)
  assert.is_true(conn:is_open())
  assert.equal(42, conn:fetchval "SELECT 40 + 2")
end

--- Asserts that a function raises at a line of its caller: the first that
-- `fn` itself has.
-- @return the message
function live.raises(fn)
  local info = debug.getinfo(fn, "S")
  local ok, message = pcall(fn)
  assert.is_false(ok)
  local where = ("%s:%d: "):format(info.short_src, info.linedefined)
  assert.equal(where, tostring(message):sub(1, #where))
  return message
end

--- Calls until the answer is true, for what a server does by and by.
function live.eventually(what, fn)
  local deadline = now() + PATIENCE
  repeat
    if fn() then return end
    dqlite.sleep(0.005)
  until now() > deadline
  error("it never came true: " .. what, 2)
end

--- Calls.
-- @return how long it took in seconds, then what the call returned
function live.timed(fn)
  local start = now()
  local first, second = fn()
  return now() - start, first, second
end

-- ---- what is not there ----

-- uv.getaddrinfo, for any name.
local function answer_later(ips, asked)
  return function(host, _, _, callback)
    local answers, timer = {}, uv.new_timer()
    asked[#asked + 1] = host
    for i, ip in ipairs(ips) do answers[i] = { addr = ip } end
    timer:start(0, 0, function()
      timer:close()
      callback(nil, answers)
    end)
    return timer
  end
end

-- core.lookup, for any name.
local function answer_at_once(ips, asked)
  return function(host)
    asked[#asked + 1] = host
    return ips
  end
end

--- Calls `use` with a list of the names that were looked up: each stands for
-- these addresses meanwhile.
function live.with_names(ips, use)
  local asked, getaddrinfo, lookup = {}, uv.getaddrinfo, core.lookup
  local names = live.loop == "cqueues" and require "dqlite.loop.names" or {}
  local look_up = names.look_up
  uv.getaddrinfo, core.lookup = answer_later(ips, asked), answer_at_once(ips, asked)
  names.look_up = core.lookup
  local ok, err = pcall(use, asked)
  uv.getaddrinfo, core.lookup, names.look_up = getaddrinfo, lookup, look_up
  if not ok then error(err, 0) end
end

--- Calls `use` with the address of a socket that accepts connections and
-- neither reads nor answers: nobody takes them from its loop.
function live.with_silent_server(use)
  local listener = uv.new_tcp()
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen(5, function() end))
  local port = listener:getsockname().port
  local ok, err = pcall(use, ("127.0.0.1:%d"):format(port))
  listener:close()
  -- luv crashes at the end of a program where the loop has no turn after that
  if live.loop ~= "luv" then uv.run "nowait" end
  if not ok then error(err, 0) end
end

return live
