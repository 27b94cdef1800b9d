-- Clusters: the search, and what an administrator asks. On a loop without
-- coroutines.
local calls = require "spec.oom.calls"
local dqlite = require "dqlite"
local quiet = require "spec.oom.quiet"
local scripted = require "spec.support.scripted"

local EMPTY = { scripted.frame("EMPTY", {}) }

-- A cluster that is made anew for each run, and one call of it.
local function asks(name, answers, call, want)
  return calls.scenario(name, function()
    local server = quiet.server(scripted.server(answers))
    return dqlite.cluster({ server.address, "127.0.0.1:9002" },
      { loop = server.loop, timeout = 0.05 })
  end, call, want, function() end)
end

local METADATA = { scripted.frame("METADATA", { failure_domain = 1, weight = 2 }) }
local FILES = { scripted.frame("FILES", { files = { { name = "d", content = ("x"):rep(8) },
  { name = "d-wal", content = "" } } }) }
local LEADER = { id = "1", address = "127.0.0.1:9001" }
local NODES = { { id = "1", address = "127.0.0.1:9001", role = "voter" } }

local function no_leader(name)
  return { [name] = { scripted.frame("SERVER", { id = "0", address = "" }) } }
end

return {
  asks("cluster:connect", {}, function(cluster)
    local conn, err = cluster:connect()
    if not conn then return nil, err end
    conn:close()
    return true
  end, { true }),
  asks("cluster:connect: no leader", no_leader "LEADER", function(cluster)
    return cluster:connect()
  end, calls.fails "no_leader"),
  asks("cluster:leader", {}, function(cluster) return cluster:leader() end, { LEADER }),
  asks("cluster:nodes", {}, function(cluster) return cluster:nodes() end, { NODES }),
  asks("cluster:describe", { DESCRIBE = METADATA }, function(cluster)
    return cluster:describe()
  end, { { failure_domain = 1, weight = 2 } }),
  asks("cluster:add", { ADD = EMPTY, ASSIGN = EMPTY }, function(cluster)
    return cluster:add { id = "2", address = "127.0.0.1:9003", role = "voter" }
  end, { true }),
  asks("cluster:assign", { ASSIGN = EMPTY }, function(cluster)
    return cluster:assign("2", "spare")
  end, { true }),
  asks("cluster:remove", { REMOVE = EMPTY }, function(cluster)
    return cluster:remove "2"
  end, { true }),
  asks("cluster:transfer", { TRANSFER = EMPTY }, function(cluster)
    return cluster:transfer "2"
  end, { true }),
  asks("cluster:set_weight", { WEIGHT = EMPTY }, function(cluster)
    return cluster:set_weight(3)
  end, { true }),
  asks("cluster:dump", { DUMP = FILES }, function(cluster)
    return cluster:dump "d"
  end, { { d = ("x"):rep(8), ["d-wal"] = "" } }),
  asks("cluster:node", {}, function(cluster)
    return cluster:node("127.0.0.1:9001"):nodes()
  end, { NODES }),
}
