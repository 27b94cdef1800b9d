-- The byte that carries an acknowledgement where TCP_QUICKACK cannot be set:
-- bytes are read and written here as a loop does that knows nothing of it.
local core = require "dqlite.core"
local live = require "spec.support.live"
local uv = require "luv"

local PATIENCE = 10 -- seconds
local ROUNDS = 21
local NUMBERS = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)
  SELECT n, printf('%060d', n) AS t FROM c]]

-- ---- a connection ----

local Talk = {}
Talk.__index = Talk

local function dial(address)
  local sock = core.socket()
  assert(sock:connect(address, PATIENCE))
  return setmetatable({
    sock = sock,
    session = core.session(2 ^ 20),
    nudges = true, -- are bytes written?
    nudged = 0, -- how many were
    received = false, -- something was, since the last write
  }, Talk)
end

local function write(self, bytes)
  self.received = false
  assert.equal(#bytes, uv.fs_write(self.sock:fd(), bytes, -1))
end

local function read(self)
  assert.is_true(self.sock:wait("r", PATIENCE), "the server is silent")
  local bytes = assert(uv.fs_read(self.sock:fd(), 65536, -1))
  assert.not_equal("", bytes, "the server closed the connection")
  self.received = true
  self.session:feed(bytes)
end

-- What was received is acknowledged, before more is waited for.
local function acknowledge(self)
  local byte = self.nudges and self.received and self.session:nudge()
  if not byte then return end
  self.nudged = self.nudged + 1
  write(self, byte)
end

-- The next reply.
function Talk:reply()
  while true do
    local name, last, detail = self.session:next()
    if name then return name, last end
    assert.is_nil(last, detail)
    if detail > 0 then
      write(self, self.session:take())
    else
      acknowledge(self)
      read(self)
    end
  end
end

function Talk:run(sql)
  assert(self.session:exec(sql, 0))
  assert.equal("RESULT", (self:reply()))
end

-- The first n rows of NUMBERS, whose request was sent.
function Talk:check_numbers(n)
  local count, frames, last = 0, 0, false
  while not last do
    local name
    name, last = self:reply()
    assert.equal("ROWS", name)
    frames = frames + 1
    local ticket = self.session:begin_rows()
    for row in function() return self.session:next_row(ticket) end do
      count = count + 1
      if row[1] ~= count or row[2] ~= ("%060d"):format(count) then
        assert.same({ count, ("%060d"):format(count) }, row)
      end
    end
  end
  assert.equal(n, count)
  return frames
end

function Talk:numbers(n)
  assert(self.session:query(NUMBERS, 1, n))
  return self:check_numbers(n)
end

-- Leaves the connection as a pool of connections wants it.
function Talk:settle()
  if self.session:settle() > 0 then write(self, self.session:take()) end
  while self.session:owed() > 0 do
    assert.is_nil(self.session:next())
    if self.session:owed() > 0 then read(self) end
  end
  assert.equal(0, self.session:outstanding())
  assert.equal(0, self.session:pending())
end

-- ---- the specs ----

live.each("a byte that acknowledges", function(server)
  local talk

  before_each(function()
    talk = dial(server.address)
    assert(talk.session:send("OPEN", { database = server.database }))
    assert.equal("DB", (talk:reply()))
  end)

  after_each(function()
    talk.sock:close()
  end)

  it("changes nothing in a result of many frames, nor behind it", function()
    local frames = talk:numbers(5000)
    assert.is_true(frames > 48)
    assert.is_true(talk.nudged > 0)
    assert.equal(math.ceil(talk.nudged / 16), talk.session:owed())
    talk.nudges = false
    assert.equal(1, talk:numbers(1))
    assert.equal(0, talk.session:owed())
  end)

  -- However the frames come: in the middle of a result as many as are wanted.
  for _, n in ipairs { 1, 4, 5, 15, 16, 17, 40 } do
    it(("can be %d of them"):format(n), function()
      assert(talk.session:query(NUMBERS, 1, 2000))
      write(talk, talk.session:take())
      for _ = 1, n do write(talk, talk.session:nudge()) end
      talk.nudges = false
      talk:check_numbers(2000)
      assert.equal(math.ceil(n / 16), talk.session:owed())
      talk:numbers(100)
      assert.equal(0, talk.session:owed())
    end)
  end

  it("stands between requests that are on their way at once", function()
    for _ = 1, 5 do
      for n = 100, 500, 100 do assert(talk.session:query(NUMBERS, 1, n)) end
      for n = 100, 500, 100 do talk:check_numbers(n) end
    end
    assert.is_true(talk.nudged > 0)
    talk:settle()
    assert.equal(1, talk:numbers(1))
  end)

  it("leaves a transaction as it is", function()
    talk:run "CREATE TABLE t (a)"
    talk:run "BEGIN IMMEDIATE"
    for _ = 1, 10 do
      talk:run "INSERT INTO t VALUES (1)"
      talk:numbers(200)
    end
    local other = server:connect()
    assert.equal(0, other:fetchval "SELECT count(*) FROM t")
    talk:run "COMMIT"
    assert.is_true(talk.nudged > 0)
    assert.equal(10, other:fetchval "SELECT count(*) FROM t")
  end)

  it("is completed for another session to go on", function()
    for _ = 1, 20 do
      talk:numbers(150)
      talk:settle()
      talk.session = core.session(2 ^ 20, true)
    end
    assert.is_true(talk.nudged > 0)
    assert.equal(1, talk:numbers(1))
  end)

  it("spares the stall of 40 ms", function()
    local function median(nudges, rounds)
      local times = {}
      talk.nudges = nudges
      for i = 1, rounds do
        times[i] = live.timed(function() assert.equal(3, talk:numbers(120)) end)
      end
      table.sort(times)
      return times[(rounds + 1) / 2]
    end
    local without, with = median(false, 5), median(true, ROUNDS)
    print(("\n120 rows in three frames from %s: median %.2f ms with a byte, %.2f ms without")
      :format(server.address, with * 1000, without * 1000))
    assert.is_true(with < 0.020, with .. " seconds")
  end)
end)
