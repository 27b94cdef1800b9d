-- Raw sessions.
local harness = require "spec.oom.harness"
local quiet = require "spec.oom.quiet"
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"

local ANSWERS = {
  QUERY_SQL = {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.rows { columns = { "a" }, { "two" } },
  },
  EXEC_SQL = { scripted.failure(1, "no such table: t") },
}

local function connect(server)
  return session.connect(server.address, { loop = server.loop })
end

local function open()
  local server = quiet.server(scripted.server(ANSWERS))
  return assert(connect(server)), server
end

local function with_answer_due()
  local raw, server = open()
  assert(raw:send("QUERY_SQL", { sql = "SELECT a FROM t" }))
  return raw, server
end

-- It gives right answers, or an error that says that it is lost.
local function after(_, raw, server)
  local message, err = raw:request "LEADER"
  if message and not harness.same(message.address, "127.0.0.1:9001") then
    return "the next request has the answer of another"
  end
  if not message and not err.fatal then return "the next request fails: " .. tostring(err) end
  raw:close()
  if server.closed ~= server.connects then return "the stream is open" end
end

-- The answers to what is on its way come first.
local function after_answers(_, raw, server)
  while raw.link.core:outstanding() > 0 do
    local message, err = raw:receive()
    if not message then return not err.fatal and tostring(err) or nil end
  end
  return after(_, raw, server)
end

local function requests(name, fields, want)
  local is_list = type(want) == "table"
  return {
    name = "request " .. name,
    open = open,
    run = function(raw)
      local message, err = raw:request(name, fields)
      if not message then return nil, err end
      return message.address, message.rows
    end,
    want = is_list and want or nil,
    check = not is_list and want or nil,
    after = after,
  }
end

return {
  {
    name = "session.connect",
    open = function() return quiet.server(scripted.server(ANSWERS)) end,
    run = function(server)
      local raw, err = connect(server)
      if not raw then return nil, err end
      server.raw = raw
      return tostring(raw)
    end,
    want = { "dqlite session with 127.0.0.1:9001" },
    after = function(ok, server)
      if ok then return after(ok, server.raw, server) end
    end,
  },
  requests("LEADER", nil, { "127.0.0.1:9001" }),
  requests("QUERY_SQL", { sql = "SELECT a FROM t", params = { 1, "x" } }, {
    nil,
    { { 1, n = 1, types = { "INTEGER" } }, { "two", n = 1, types = { "TEXT" } },
      columns = { "a" }, n = 2, more = false },
    n = 2,
  }),
  requests("EXEC_SQL", { sql = "DELETE FROM t" }, function(_, err)
    if err.code ~= 1 then return tostring(err) end
  end),
  requests("OPEN", { database = ":memory:" }, function(_, err)
    if err.kind ~= "value" then return tostring(err) end
  end),
  {
    name = "send, receive",
    open = open,
    run = function(raw)
      local names = {}
      assert(raw:send "LEADER")
      assert(raw:send("QUERY_SQL", { sql = "SELECT a FROM t" }))
      repeat
        local message, err = raw:receive()
        if not message then return nil, err end
        names[#names + 1] = message.name
      until #names == 3
      return names
    end,
    want = { { "SERVER", "ROWS", "ROWS" } },
    after = after_answers,
  },
  {
    name = "receive",
    open = with_answer_due,
    run = function(raw)
      local message, err = raw:receive()
      if not message then return nil, err end
      return message.rows[1][1], message.last
    end,
    want = { 1, false },
    after = after_answers,
  },
  {
    name = "close",
    open = with_answer_due,
    run = function(raw) return raw:close() end,
    want = { true },
    free = true,
    after = function(_, raw, server)
      raw:close()
      if server.closed ~= 1 then return "the stream is open" end
    end,
  },
}
