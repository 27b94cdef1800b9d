--- Connections that nginx keeps from one request to the next. A socket that is given to
-- it is open already for who gets it next, and nothing else of the connection goes
-- along; so nothing may be left on it. A pool of sockets is one node's, one database's,
-- and of one security: what was not verified is not for who wants that.
-- @module dqlite.keepalive

local core = require "dqlite.core"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"

local keepalive = {}

local TIDY = 1 -- seconds for what has to be said before a socket is given back

-- What a worker knows of the nodes, by address. What a node can do is asked anew on each
-- new connection: it may have been started as another version since.
local nodes = {}

local function node_of(address)
  local node = nodes[address]
  if not node then
    node = { losses = 0, features = {} }
    nodes[address] = node
  end
  return node
end

-- No two that differ in anything have the same name: lengths tell where the address and
-- the database end, and what the user calls it comes last. The limits are in it, since
-- nginx has a pool's from the first connect on.
local function name_of_pool(link, settings, limits, losses)
  local address, database = link.address, settings.database
  local way = settings.direct and "direct" or "leader"
  local security = link.tls and link.tls.identity or ""
  return ("dqlite:%d:%s:%d:%s:%d:%s:%s:%s:%s:%s:%d:%s"):format(#address, address, #database,
    database, #security, security, way, limits.pool_size or "", limits.backlog or "",
    limits.mark or "", losses, settings.pool or "")
end

local function new_keeping(node, link, settings, limits)
  return {
    pool = name_of_pool(link, settings, limits, node.losses),
    pool_size = limits.pool_size,
    backlog = limits.backlog,
    node = node,
    losses = node.losses, -- that the node had then
  }
end

--- How nginx is to keep a connection, for the loop's connect. After the node has said
-- that it leads no more the sockets that are kept are left to end: another pool begins.
-- @tparam table link not dialled yet
-- @tparam table settings from dqlite.options: `pool` is a part of its name
-- @tparam[opt] table limits of a pool, whose settings are always the same: `pool_size`,
-- `backlog`, and a `mark` where its connections are no others'; the answer is remembered
-- there, as `keeping`. Left out: those of the settings
-- @treturn table
function keepalive.of(link, settings, limits)
  local node = node_of(link.address)
  if not limits then return new_keeping(node, link, settings, settings) end
  local known = limits.keeping
  if not known or known.node ~= node or known.losses ~= node.losses then
    known = new_keeping(node, link, settings, limits)
    limits.keeping = known
  end
  return known
end

--- The node leads no more, as it has said itself.
-- @tparam table keeping from `of`
function keepalive.distrust(keeping)
  keeping.node.losses = keeping.node.losses + 1
end

--- Is the link's session open already, since nginx has kept its socket?
-- @tparam table link that is dialled
-- @treturn boolean
function keepalive.is_open(link)
  local stream = link.stream
  return stream.times_reused ~= nil and stream:times_reused() > 0
end

--- Keeps a link whose socket nginx has taken, for the same pool to dial once more: the
-- session goes on where it gets a socket that was kept.
-- @tparam table limits of the pool
-- @tparam table link
function keepalive.put_spare(limits, link)
  local spares = limits.spares
  local name, failed, pending = link.core:next()
  if name or failed or pending > 0 or link.overtaken or link.keeping ~= limits.keeping
    or #spares >= limits.pool_size then
    return link:close()
  end
  spares[#spares + 1] = link
end

--- A link that was kept so.
-- @tparam table limits of the pool
-- @tparam string address of the node
-- @tparam string name of the node
-- @treturn table|nil nil where there is none to that node
function keepalive.take_spare(limits, address, name)
  local spares = limits.spares
  local link = spares[#spares]
  if not link then return nil end
  local keeping = link.keeping
  if link.address == address and link.name == name and keeping.losses == keeping.node.losses then
    spares[#spares] = nil
    return link
  end
  limits.spares = {} -- the others are of the same node
end

--- Begins a session over a link's socket: one that is open already, or a new one.
-- @tparam table link that is dialled
-- @tparam table settings from dqlite.options
-- @treturn boolean is it open?
function keepalive.resume(link, settings)
  if keepalive.is_open(link) then
    link.leader_name = link.name
    return true
  end
  link.keeping.node.features = {}
  link.core = core.session(settings.max_message_size)
  return false
end

--- What the node at the other end can do, as far as it was asked.
-- @tparam table link that nginx keeps
-- @treturn table
function keepalive.features(link)
  return link.keeping.node.features
end

-- ---- giving back ----

local function is_count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0
end

--- Raises where nginx cannot keep a connection, and for values that make no sense.
-- @tparam table conn
-- @param[opt] idle seconds
-- @param[opt] size
function keepalive.check(conn, idle, size)
  if conn.link.loop.name ~= "nginx" then
    errors.misuse("nginx alone keeps connections: use a pool, or close it")
  elseif conn.lease then
    errors.misuse("the connection is of a pool: release it")
  elseif idle ~= nil and not (type(idle) == "number" and idle >= 0) then
    errors.misuse("set_keepalive takes a number of seconds")
  elseif size ~= nil and not is_count(size) then
    errors.misuse("set_keepalive takes a positive whole number of connections")
  end
end

local function not_kept(conn, reason)
  conn:close()
  return nil, errors.new {
    kind = "closed",
    message = "the connection was closed, and not kept: " .. reason,
    address = conn.address,
    fatal = true,
  }
end

-- What has been left on it that must not go to somebody else?
local function problem(conn)
  if conn.state.maybe_open then return "a transaction is open" end
  if conn.live or conn.link.core:outstanding() > 0 then
    return "a result was not read to its end"
  end
  if conn.statements and next(conn.statements) then return "a prepared statement is open" end
end

local function tidy(conn)
  local deadline, done, err = conn.link.loop.now() + TIDY, true, nil
  if not conn.cache:is_empty() then done, err = exchange.finalize_all(conn, deadline) end
  if done then done, err = conn.link:settle(deadline) end
  return done, err
end

-- Gives the stream to nginx for who comes next; the link has ended then, unless it is dialled
-- again. Answers true; or nil, why not, and whether that is a mistake of the program.
local function hand_over(link, idle, size)
  local stream = link.stream
  link.stream, link.owner, link.watch = false, false, false
  link.members, link.queued = nil, false
  return stream:keep(idle, size)
end

--- Gives a connection's socket back to nginx. Where anything is left on it, it is closed.
-- @tparam table conn whose use is over
-- @tparam[opt] number idle seconds that it is kept without use; 0: for ever
-- @tparam[opt] number size how many are kept
-- @treturn true|nil
-- @treturn table|nil the error
function keepalive.give(conn, idle, size)
  local link = conn.link
  local ready, err = link:check(TIDY)
  if not ready then return nil, err end
  local wrong = problem(conn)
  if wrong then return not_kept(conn, wrong) end
  ready, err = tidy(conn)
  if not ready then return nil, err end
  local kept, reason, is_misuse = hand_over(link, idle, size)
  if is_misuse then errors.misuse(reason) end
  if not kept then return not_kept(conn, reason) end
  return true
end

--- The same for a connection of a pool: a transaction is rolled back, rows are read.
-- @return as give
function keepalive.give_back(conn, idle, size)
  local link = conn.link
  if link.owner or link.broken then
    return nil, link:fail("closed", "it was given back to the pool in the middle of a call")
  end
  if not link:is_open() then return nil, link:ended() end
  if not conn:is_clean() and not conn:reset() then return not_kept(conn, "it was not clean") end
  return keepalive.give(conn, idle, size)
end

return keepalive
