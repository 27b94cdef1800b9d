-- The API of the inventory: items in a table of a dqlite cluster, as JSON.
--
--    GET    /api/items?q=text          { items: [...], more: bool }
--    POST   /api/items                 201 and the item; `request`, an id that the page
--                                      makes: sent again, it adds nothing again
--    PUT    /api/items/ID              the item; 409 unless `version` is the last one
--    DELETE /api/items/ID?version=N    the same
--    GET    /api/cluster               the nodes, and who leads
--
-- An error is { error: { code, message, ... } }. "ambiguous" (503) is a write that may
-- have been applied, "unavailable" (503) is one that was not.
local check = require "check"
local cjson = require "cjson.safe"
local dqlite = require "dqlite"

local LIST_MAX = 200
local KEPT = 24 * 3600 -- seconds that the id of a request is remembered
local TABLE = [[
CREATE TABLE IF NOT EXISTS items (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  version INTEGER NOT NULL DEFAULT 1,
  name TEXT NOT NULL,
  place TEXT,
  count INTEGER NOT NULL,
  note TEXT
)]]
-- An id may be larger than what numbers of JavaScript hold: it is text outside.
local ITEM = "SELECT CAST(id AS TEXT) AS id, version, name, place, count, note FROM items "
local ADD = "INSERT INTO items (name, place, count, note) VALUES (?, ?, ?, ?)"
local EDIT = [[
UPDATE items SET name = ?, place = ?, count = ?, note = ?, version = version + 1
WHERE id = ? AND version = ?]]
local FOUND = [[
WHERE name LIKE :q ESCAPE '\' OR place LIKE :q ESCAPE '\' OR note LIKE :q ESCAPE '\'
ORDER BY name COLLATE NOCASE, items.id LIMIT :most]]

-- Both are made before the workers, and hold no connection: each worker has its own.
local addresses = {}
for address in os.getenv "INVENTORY_NODES":gmatch "%S+" do addresses[#addresses + 1] = address end
local cluster = assert(dqlite.cluster(addresses, {
  database = "inventory",
  timeout = 6,
  connect_timeout = 1,
  int64 = "string-all", -- no id loses a digit, neither in Lua nor in JSON
  null = dqlite.null, -- which is cjson's, too
  shared_dict = "dqlite",
}))
local pool = assert(cluster:pool {
  max_size = 20,
  init = function(conn) return conn:execute(TABLE) end,
})

-- ---- answers: a status and what becomes JSON ----

local function refuse(status, code, message, more)
  local refusal = more or {}
  refusal.code, refusal.message = code, message
  return status, { error = refusal }
end

local TEMPORARY = { no_leader = true, timeout = true, pool = true }

local function failed(err)
  if err.ambiguous then
    return refuse(503, "ambiguous", "It may or may not have been saved: the answer was lost.")
  end
  if err.retryable or err.fatal or TEMPORARY[err.kind] then
    return refuse(503, "unavailable", "The database does not answer now. Nothing was changed.")
  end
  ngx.log(ngx.ERR, "the database refuses: ", tostring(err))
  return refuse(500, "internal", "The database refuses. Nothing was changed.")
end

-- Some versions of cjson take an empty table for an object.
local function array(rows)
  return rows[1] and cjson.encode(rows) or "[]"
end

-- ---- items ----

local function find(id)
  return pool:fetchone(ITEM .. "WHERE items.id = ?", id)
end

-- Why a write has met no row: the item has another version now, or is gone.
local function missed(id)
  local item, err = find(id)
  if err then return failed(err) end
  if not item then return refuse(404, "gone", "There is no such item any more.") end
  return refuse(409, "conflict", "Somebody else has changed it meanwhile.", { item = item })
end

local function list()
  local text = check.search(ngx.req.get_uri_args(10).q)
  if not text then return refuse(400, "invalid", "A search has up to 100 characters.") end
  local rows, err = pool:fetch(ITEM .. FOUND, {
    q = "%" .. text:gsub("[\\%%_]", "\\%0") .. "%",
    most = LIST_MAX + 1,
  })
  if not rows then return failed(err) end
  local more = rows[LIST_MAX + 1] ~= nil
  rows[LIST_MAX + 1] = nil
  return 200, ('{"items":%s,"more":%s}'):format(array(rows), tostring(more))
end

local function add()
  local item, refusal = check.item(check.body())
  if not item then return refuse(refusal.status, refusal.code, refusal.message, refusal.more) end
  local request = check.request(item.given.request)
  if not request then return refuse(400, "invalid", "`request` is an id that you make.") end
  local answer, err = pool:once("add " .. request, function(conn)
    local done, problem = conn:execute(ADD, item.name, item.place, item.count, item.note)
    return done and done.last_insert_id, problem
  end)
  if not answer then return failed(err) end
  local added, unread = find(dqlite.int64(answer.value))
  if unread then return failed(unread) end
  if not added then return refuse(404, "gone", "It was added, and deleted since.") end
  added.repeated = answer.repeated
  return 201, added
end

local function edit(id)
  local item, refusal = check.item(check.body())
  if not item then return refuse(refusal.status, refusal.code, refusal.message, refusal.more) end
  local version = check.version(item.given.version)
  if not version then return refuse(400, "invalid", "`version` is that of the item.") end
  local done, err = pool:execute(EDIT, item.name, item.place, item.count, item.note,
    dqlite.int64(id), version)
  if not done then return failed(err) end
  if done.rows_affected == 0 then return missed(dqlite.int64(id)) end
  return 200, {
    id = id, version = version + 1,
    name = item.name, place = item.place, count = item.count, note = item.note,
  }
end

local function delete(id)
  local version = check.version(tonumber(ngx.req.get_uri_args(10).version))
  if not version then return refuse(400, "invalid", "`version` is that of the item.") end
  local done, err = pool:execute("DELETE FROM items WHERE id = ? AND version = ?",
    dqlite.int64(id), version)
  if not done then return failed(err) end
  if done.rows_affected == 0 then return missed(dqlite.int64(id)) end
  return 200, { id = id }
end

-- ---- the cluster ----

local function nodes()
  local health, err = cluster:health()
  if not health then return failed(err) end
  local reports = {}
  for i, node in ipairs(health.nodes) do
    reports[i] = {
      id = node.id or cjson.null,
      address = node.address,
      role = node.role or cjson.null,
      answers = node.answers,
      leads = node.address == health.leader,
    }
  end
  return 200, { nodes = reports, quorum = health.quorum, worker = ngx.worker.id() }
end

-- ---- requests ----

local ROUTES = {
  { path = "^/api/items$", GET = list, POST = add },
  { path = "^/api/items/([0-9]+)$", PUT = edit, DELETE = delete },
  { path = "^/api/cluster$", GET = nodes },
}

local function route()
  local method = ngx.req.get_method()
  for _, each in ipairs(ROUTES) do
    local matched = ngx.var.uri:match(each.path)
    if matched and not each[method] then return refuse(405, "method", "Not in this way.") end
    if matched and each.PUT and not check.id(matched) then break end
    if matched then return each[method](matched) end
  end
  return refuse(404, "unknown", "There is nothing here.")
end

local app = {}

--- Answers a request.
function app.answer()
  local status, value = route()
  ngx.status = status
  ngx.header.content_type = "application/json"
  ngx.header.cache_control = "no-store"
  ngx.print(type(value) == "string" and value or cjson.encode(value))
end

--- Forgets the ids of old requests, now and then, in one worker.
function app.tidy()
  if ngx.worker.id() ~= 0 then return end
  assert(ngx.timer.every(3600, function(is_ending)
    if not is_ending then pool:forget_requests(KEPT) end
  end))
end

return app
