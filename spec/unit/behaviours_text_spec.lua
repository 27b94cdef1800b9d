-- What nodes say during a search gets into an error's message and into a log, but
-- forges and floods neither: behaviour 39. (spec/hostile/text_spec.lua has the texts
-- of other answers.)
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

local SIZE = 64 * 1024
local RAW = 4096 -- bytes of a server's text that an error keeps
-- Bytes of a message: one text that is all escapes, or what all nodes said.
local LONGEST = 16 * 1024
local NODES = { "127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003" }

local TEXTS = {
  { name = "ESC", text = "\27[2J\27]0;owned\7" },
  { name = "CR and LF", text = "no leader\r\n2026-11-22 INFO all is well\n" },
  { name = "bidi", text = "\226\128\174txt.exe\226\128\172\226\129\166\226\129\169\216\156" },
  { name = "zero width", text = "a\226\128\139b\226\128\141c\239\187\191d\226\129\160" },
  { name = "line separators", text = "a\226\128\168b\226\128\169" },
  { name = "C1", text = "\194\133\194\155\194\159" },
  { name = "bytes that are no UTF-8", text = "\155[2J\255\254" },
  { name = "DEL", text = "a\127b" },
  { name = "a directive", text = "%s%d%n%%(%1)%z[" },
  { name = "a plain flood", text = "x" },
}

local FORBIDDEN = { "[%z\1-\31\127]", "\194[\128-\159]", "\226\128[\139-\143\168-\174]",
  "\226\129[\160-\175]", "\216\156", "\239\187\191", "\155%[", "[\254\255]" }

-- The texts as they are, and as long as they may be.
local function each_text(body)
  for _, case in ipairs(TEXTS) do
    body(case.name, case.text)
    body(case.name .. " in 64 KiB", case.text:rep(math.ceil(SIZE / #case.text)):sub(1, SIZE))
  end
end

local function check_shown(shown)
  assert.is_string(shown)
  assert.is_true(#shown > 0 and #shown <= LONGEST, #shown)
  for _, pattern in ipairs(FORBIDDEN) do
    local at = shown:find(pattern)
    if at then error(("%q is shown"):format(shown:sub(at, at + 4)), 0) end
  end
end

local function check_error(err)
  check_shown(err.message)
  check_shown(tostring(err))
  check_shown("connect: " .. err)
  if err.leader then check_shown(err.leader) end
end

local function says(address)
  return { scripted.frame("SERVER", { id = "1", address = address }) }
end

-- Looks for the leader in vain; answers each error that this gives.
local function search(answers)
  local list = {}
  for _, where in ipairs { NODES, { NODES[1] }, NODES[1] } do
    local server = scripted.server(answers)
    local opts = { loop = server.loop, timeout = 0.2 }
    local cluster = assert(dqlite.cluster(where, opts))
    local conn, err = cluster:connect()
    assert.is_nil(conn)
    check_shown(tostring(cluster))
    local other, failed = dqlite.connect(where, opts)
    assert.is_nil(other)
    list[#list + 1], list[#list + 2] = err, failed
  end
  return list
end

describe("behaviour 39: a search", function()
  each_text(function(name, text)
    it("behaviour 39: shows " .. name .. " for a leader harmlessly", function()
      for _, err in ipairs(search { LEADER = says(text) }) do
        assert.equal("no_leader", err.kind)
        check_error(err)
      end
    end)

    it("behaviour 39: shows " .. name .. " in place of LEADER harmlessly", function()
      for _, code in ipairs { 1, 1001, 10250 } do
        for _, err in ipairs(search { LEADER = { scripted.failure(code, text) } }) do
          check_error(err)
          if err.raw then assert.equal(text:sub(1, RAW), err.raw) end
        end
      end
    end)

    it("behaviour 39: shows " .. name .. " in place of a database harmlessly", function()
      for _, err in ipairs(search { OPEN = { scripted.failure(14, text) } }) do
        assert.equal("sql", err.kind)
        assert.equal(text:sub(1, RAW), err.raw)
        check_error(err)
      end
    end)

    it("behaviour 39: shows " .. name .. " for other nodes harmlessly", function()
      local servers = {}
      for i = 1, 25 do -- one as long as may be, the others long enough to be cut
        local address = i == 1 and text or i .. text:sub(1, RAW)
        servers[i] = { id = tostring(i), address = address, role = 0 }
      end
      local CLUSTER = { scripted.frame("SERVERS", { servers = servers }) }
      for _, err in ipairs(search { LEADER = says "", CLUSTER = CLUSTER }) do
        assert.equal("no_leader", err.kind)
        check_error(err)
      end
    end)

    it("behaviour 39: shows " .. name .. " of a policy harmlessly", function()
      local function redirect(address) return address == NODES[1], text end
      local server = scripted.server { LEADER = says(NODES[2]) }
      local conn, err = dqlite.connect({ NODES[1] }, { loop = server.loop, redirect = redirect })
      assert.is_nil(conn)
      assert.equal("policy", err.kind)
      check_error(err)
    end)

    it("behaviour 39: shows " .. name .. " of a dial harmlessly", function()
      local function dial() return nil, "connect", text end
      local server = scripted.server {}
      local conn, err = dqlite.connect(NODES, { loop = server.loop, timeout = 1, dial = dial })
      assert.is_nil(conn)
      assert.equal("no_leader", err.kind)
      check_error(err)
    end)
  end)

  -- An abstract socket may have nearly any name, and who listens there is believed.
  for _, case in ipairs(TEXTS) do
    local name = "@" .. case.text:gsub("[%z\1-\32\127]", "-")

    local function open()
      local server = scripted.server { LEADER = says(name) }
      local cluster = assert(dqlite.cluster({ NODES[1] }, { loop = server.loop }))
      local conn = assert(cluster:connect())
      assert.equal(name, conn.address)
      return server, cluster, conn
    end

    it("behaviour 39: shows " .. case.name .. " in the leader's name harmlessly", function()
      local _, cluster, conn = open()
      check_shown(tostring(cluster))
      check_shown(tostring(conn))
    end)

    it("behaviour 39: shows " .. case.name .. " in an error's address harmlessly", function()
      local server, _, conn = open()
      server.answers.EXEC_SQL = { scripted.failure(1, "no such table: t") }
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      check_error(err)
    end)
  end
end)
