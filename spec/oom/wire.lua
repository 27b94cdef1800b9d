-- The codec alone.
local dqlite = require "dqlite"
local harness = require "spec.oom.harness"
local wire = require "dqlite.wire"

local MESSAGES = {
  { "request", "EXEC_SQL", { db = 0, sql = "INSERT INTO t VALUES (?, ?, ?)",
    params = { 1, dqlite.null, "x", n = 3 } } },
  { "request", "QUERY", { schema = 1, stmt = 3, params = { true, 0.5, dqlite.blob "\0" } } },
  { "request", "OPEN", { database = "default" } },
  { "request", "ASSIGN", { id = "18446744073709551615", role = "spare" } },
  { "response", "SERVER", { id = 1, address = "127.0.0.1:9001" } },
  { "response", "SERVERS", { servers = { { id = 1, address = "a:1", role = 0 },
    { id = 2, address = "b:1", role = 1 } } } },
  { "response", "FILES", { files = { { name = "db", content = "12345678" },
    { name = "db-wal", content = "" } } } },
  { "response", "ROWS", { rows = { columns = { "a", "b" }, { 1, "one" }, { 2, dqlite.null },
    more = true } } },
  { "response", "STMT", { schema = 1, stmt = 2, params = 3, tail = 8 } },
  { "response", "FAILURE", { code = 1, message = "no such table: t" } },
}

local function nothing() end

local function encodes(message)
  local _, name, fields = message[1], message[2], message[3]
  return {
    name = "encode " .. name,
    open = nothing,
    run = function() return wire.encode(name, fields) end,
    want = { (assert(wire.encode(name, fields))) },
    after = nothing,
  }
end

-- The same message after a failure, or an error that says that there is none.
local function is_still_there(decoder, expected)
  local message, err = decoder:next()
  if message then
    return not harness.same(message, expected) and "the message afterwards is another" or nil
  end
  return not err and "the message is lost" or nil
end

local function decodes(message)
  local direction, name, fields = message[1], message[2], message[3]
  local bytes = assert(wire.encode(name, fields))
  local function fed()
    local decoder = wire.decoder(direction, { handshake = false })
    decoder:feed(bytes)
    return decoder
  end
  local expected = fed():next()
  return {
    name = "decode " .. name,
    open = fed,
    run = function(decoder) return decoder:next() end,
    want = { expected },
    after = function(ok, decoder)
      if not ok then return is_still_there(decoder, expected) end
      if decoder:next() then return "the message came twice" end
    end,
  }
end

local scenarios = {}
for _, message in ipairs(MESSAGES) do
  scenarios[#scenarios + 1] = encodes(message)
  scenarios[#scenarios + 1] = decodes(message)
end

local LEADER = wire.encode("LEADER", {})

-- Bytes that could not be taken are given again.
scenarios[#scenarios + 1] = {
  name = "decoder, feed, next",
  open = function() return {} end,
  run = function(made)
    made.decoder = wire.decoder "request"
    for _, part in ipairs { wire.HANDSHAKE, LEADER:sub(1, 5), LEADER:sub(6) } do
      made.decoder:feed(part)
    end
    return made.decoder:next().name, made.decoder:next().name, (made.decoder:next())
  end,
  want = { "HANDSHAKE", "LEADER", n = 3 },
  after = nothing,
}
scenarios[#scenarios + 1] = {
  name = "feed, again after a failure",
  open = function() return wire.decoder("request", { handshake = false }) end,
  run = function(decoder) decoder:feed(LEADER) end,
  want = {},
  after = function(ok, decoder)
    if not ok then decoder:feed(LEADER) end
    if decoder:next().name ~= "LEADER" then return "another message" end
    if decoder:next() then return "the bytes were taken twice" end
  end,
}
scenarios[#scenarios + 1] = {
  name = "next: what cannot be read",
  open = function()
    local decoder = wire.decoder("response")
    decoder:feed "\1\0\0\0\7\0\0\0\255\255\255\255\255\255\255\255"
    return decoder
  end,
  run = function(decoder) return decoder:next() end,
  check = function(message, err)
    if message or err.kind ~= "protocol" then return "it was read" end
  end,
  after = function(_, decoder)
    local message, err = decoder:next()
    if message or not err then return "it can be read afterwards" end
  end,
}

return scenarios
