-- The loaded libdqlite: what it calls itself, what it can do, and the error for
-- what it cannot.

local errors = require "dqlite.error"
local node_core = require "dqlite.node_core"

-- The first version that has what `features` names (the tags of
-- canonical/dqlite, checked one by one).
local SINCE = {
  latency = "1.9.0",
  failure_domain = "1.5.0",
  snapshot = "1.8.0",
  ipv6 = "1.12.0",
  block_size = "1.15.0",
  target_voters = "1.15.0",
  target_standbys = "1.15.0",
  role_management = "1.15.0",
  auto_recovery = "1.16.0",
  snapshot_compression = "1.16.2",
  snapshot_strategy = "1.18.2",
  busy_timeout = "1.18.2",
}

local function dotted(number)
  return string.format("%d.%d.%d", math.floor(number / 10000),
    math.floor(number / 100) % 100, number % 100)
end

local library = {
  features = node_core.features(),
  version = dotted(node_core.version_number()),
}

function library.unsupported(name)
  return errors.new {
    kind = "unsupported",
    message = string.format("%s needs libdqlite %s or newer; the one loaded calls itself %s",
      name, SINCE[name], library.version),
  }
end

return library
