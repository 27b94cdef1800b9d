-- Single bytes that carry an acknowledgement, for loops whose sockets know no
-- TCP_QUICKACK.
local core = require "dqlite.core"
local finalizer = require "dqlite.finalizer"
local scripted = require "spec.support.scripted"
local wire = require "dqlite.wire"

local SERVER = scripted.frame("SERVER", { id = "1", address = "127.0.0.1:9001" })
local FAILURE = scripted.failure(1, "no")
local VERSION = "\1" .. ("\0"):rep(7)

local function part(value)
  return scripted.rows { columns = { "a" }, { value }, more = true }
end

local function rest(value)
  return scripted.rows { columns = { "a" }, { value } }
end

-- A session that has asked for rows, and the bytes that left it.
local function asking()
  local session = core.session(2 ^ 20, true)
  assert(session:query("SELECT a", 0))
  return session, { session:take() }
end

local function nudge(session, written, n)
  for _ = 1, n do
    local byte = session:nudge()
    assert.equal(1, #byte)
    written[#written + 1] = byte
  end
end

-- The names of the requests, which are whole.
local function requests(written)
  local decoder, names = wire.decoder "request", {}
  decoder:feed(VERSION .. table.concat(written))
  for request in function() return decoder:next() end do names[#names + 1] = request.name end
  table.remove(names, 1)
  assert.equal(0, #table.concat(written) % 8)
  return names
end

local function state(session)
  return { session:outstanding(), session:awaits(), session:owed() }
end

describe("a session", function()
  it("gives no byte where nothing is awaited or something is pending", function()
    local session = core.session(2 ^ 20)
    assert.is_nil(session:nudge())
    assert.equal(0, session:settle())
    session:send("LEADER", {})
    assert.is_nil(session:nudge())
    assert.equal(24, #session:take())
    assert.equal("\1", session:nudge())
    assert.equal("\0", session:nudge())
    session:close()
    assert.is_nil(session:nudge())
    assert.equal("closed", select(2, session:settle()))
    assert.equal(0, session:owed())
  end)

  it("writes no version on a connection that was greeted before", function()
    for _, greeted in ipairs { true, false } do
      local session = core.session(1024, greeted)
      session:send("LEADER", {})
      assert.equal(greeted and 16 or 24, #session:take())
    end
  end)

  for nudges = 0, 33 do
    it(("completes %d bytes with the next request"):format(nudges), function()
      local session, written = asking()
      session:feed(part(1))
      assert.equal("ROWS", session:next())
      nudge(session, written, nudges)
      assert.same({ 1 }, session:next_row(session:begin_rows()))
      session:feed(rest(2))
      assert.equal("ROWS", session:next())
      local owed = math.ceil(nudges / 16)
      assert.same({ 0, false, owed }, state(session))
      session:send("LEADER", {})
      written[#written + 1] = session:take()
      assert.same({ 1, true, owed }, state(session))
      assert.equal(owed + 2, #requests(written))
      for i = 1, owed do session:feed(i % 2 == 0 and SERVER or FAILURE) end
      assert.same({ nil, nil, 0 }, { session:next() })
      assert.same({ 1, true, 0 }, state(session))
      session:feed(SERVER)
      assert.equal("SERVER", session:next())
      assert.same({ 0, false, 0 }, state(session))
    end)

    it(("completes %d bytes without another request"):format(nudges), function()
      local session, written = asking()
      nudge(session, written, nudges)
      session:feed(rest(1))
      assert.equal("ROWS", session:next())
      local left = -nudges % 16
      assert.equal(left, session:settle())
      assert.equal(left, session:pending())
      written[#written + 1] = session:take()
      assert.equal(1 + math.ceil(nudges / 16), #requests(written))
      while session:owed() > 0 do
        session:feed(SERVER)
        assert.is_nil(session:next())
      end
      assert.same({ 0, false, 0 }, state(session))
    end)
  end

  it("drops nothing else in place of what nobody asked for", function()
    local session, written = asking()
    nudge(session, written, 16)
    session:feed(rest(1))
    assert.equal("ROWS", session:next())
    session:feed(rest(2))
    assert.same({ nil, "protocol", "a reply of another kind than asked for" },
      { session:next() })
    assert.equal("protocol", select(2, session:settle()))
  end)

  -- Of what is collected while the byte becomes a string.
  it("gives each byte once, to finalizers as well", function()
    local session, written = asking()
    local function take()
      local byte = session:nudge()
      if byte then written[#written + 1] = byte end
    end
    for _ = 1, 5000 do
      finalizer(take)
      take()
    end
    collectgarbage()
    session:feed(rest(1))
    assert.equal("ROWS", session:next())
    session:settle()
    written[#written + 1] = session:take()
    local names = requests(written)
    assert.equal("QUERY_SQL", table.remove(names, 1))
    assert.equal(session:owed(), #names)
    for _, name in ipairs(names) do assert.equal("LEADER", name) end
  end)
end)
