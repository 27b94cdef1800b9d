--- What one node is asked about the cluster and itself: requests on a link, without
-- a database. Below dqlite.admin and dqlite.view.
-- @module dqlite.node_calls

local ask = require "dqlite.ask"
local core = require "dqlite.core"
local errors = require "dqlite.error"

local calls = {}

local WRITE = { write = true }

local ROLES = { [0] = "voter", "standby", "spare" }

--- Nodes as the message SERVERS has them, with the names of their roles.
-- @tparam table servers
-- @treturn table list of id, address, role
function calls.members(servers)
  local list = {}
  for i, each in ipairs(servers) do
    list[i] = { id = each.id, address = each.address, role = ROLES[each.role] }
  end
  return list
end

--- Whom the node takes for the leader.
-- @tparam table link
-- @tparam number deadline of the loop's now()
-- @treturn table|nil id, address
-- @treturn table|nil the error; "no_leader" when it knows none
function calls.leader(link, deadline)
  local server, err = ask.request(link, "LEADER", {}, deadline)
  if not server then return nil, err end
  local leader, wrong = ask.named(link, server)
  if not leader then return nil, wrong end
  if leader ~= "" then return { id = server.id, address = leader } end
  return nil, errors.new {
    kind = "no_leader",
    message = "the node knows no leader",
    address = link.address,
    retryable = true,
  }
end

--- The nodes of the cluster, as the node knows them.
-- @treturn table|nil list of id, address, role
-- @treturn table|nil the error
function calls.nodes(link, deadline)
  local cluster, err = ask.request(link, "CLUSTER", { format = 1 }, deadline)
  if not cluster then return nil, err end
  return calls.members(cluster.servers)
end

--- What the node says of itself. Since libdqlite 1.5.
-- @treturn table|nil failure_domain, weight
-- @treturn table|nil the error
function calls.describe(link, deadline)
  local metadata, err = ask.request(link, "DESCRIBE", { format = 0 }, deadline)
  if not metadata then return nil, err end
  return { failure_domain = metadata.failure_domain, weight = metadata.weight }
end

--- Sets the node's weight, which it forgets when it stops.
-- @tparam table link
-- @tparam number deadline
-- @tparam number weight
-- @treturn true|nil
-- @treturn table|nil the error
function calls.set_weight(link, deadline, weight)
  return calls.change(link, deadline, "WEIGHT", { weight = weight })
end

--- A request that changes something and is answered with EMPTY.
-- @treturn true|nil
-- @treturn table|nil the error; `ambiguous` when the answer was lost
function calls.change(link, deadline, name, fields)
  local sent, refused = ask.send(link, name, fields)
  if not sent then return nil, refused end
  return ask.reply(link, deadline, WRITE)
end

-- ---- dump ----

local function not_written(path, reason)
  return nil, errors.new {
    kind = "value",
    message = ("'%s' was not written: %s"):format(errors.visible(path), errors.visible(reason)),
  }
end

-- A log that does not belong to its file would spoil it: so there is an empty one
-- while the file is replaced.
local function write_files(files, database, directory)
  local sizes, log = {}, database .. "-wal"
  for _, step in ipairs { { log, "" }, { database }, { log } } do
    local name, bytes = step[1], step[2] or files[step[1]] or ""
    local path = directory .. "/" .. name
    local written, _, reason = core.replace_file(path, bytes)
    if not written then return not_written(path, reason) end
    sizes[name] = #bytes
  end
  return sizes
end

local function too_large(link, size)
  return link:fail("protocol", ("the database is larger than max_size, %d bytes"):format(size))
end

local function check_files(link, files, database, max_size)
  local size = 0
  for name, content in pairs(files) do
    if name ~= database and name ~= database .. "-wal" then
      return nil, link:fail("protocol", "a file of another database")
    end
    size = size + #content
  end
  if size <= max_size then return files end
  return nil, too_large(link, max_size)
end

--- Copies a database: its file, and that of its log (empty from libdqlite 1.15 or so
-- on), which belong together. The whole is one message (protocol.md 2.10).
-- @tparam table link
-- @tparam number deadline
-- @tparam string database
-- @tparam number max_size bytes that the files may have
-- @tparam[opt] string directory to write the files to
-- @treturn table|nil bytes by file name; with a directory how many they are
-- @treturn table|nil the error
function calls.dump(link, deadline, database, max_size, directory)
  local message, err = ask.request(link, "DUMP", { database = database }, deadline)
  if not message and err.message:find("max_message_size", 1, true) then
    return nil, too_large(link, max_size)
  end
  if not message then return nil, err end
  local files = {}
  for _, file in ipairs(message.files) do files[file.name] = file.content end
  local checked, wrong = check_files(link, files, database, max_size)
  if not checked then return nil, wrong end
  if directory then return write_files(files, database, directory) end
  return files
end

return calls
