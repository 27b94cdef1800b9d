-- A connection that ended while another coroutine waited for its rows: what read
-- the rest of them took that coroutine's place, and it was never woken. Where the
-- coroutine was dead, its deadline went on keeping the loop.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local close = rawget(coroutine, "close") -- Lua 5.4

local ALL = "SELECT a FROM t"

describe("rows that are waited for when the connection ends", function()
  local server, peer

  before_each(function()
    local source = simulated.server()
    server, peer = luv_server.start(source), nil
    local real = source.answers.QUERY_SQL
    source.answers.QUERY_SQL = function(request, from)
      if request.sql ~= ALL then return real(request, from) end
      peer = from
      return { scripted.rows { columns = { "a" }, { 1 }, more = true } }
    end
  end)

  after_each(function()
    handles.verify(function() return server.peers == 0 end)
    server:stop()
    simulated.verify()
  end)

  local function finish()
    peer:write(scripted.rows { columns = { "a" }, { 2 } })
  end

  it("are given up by who waits, and read by the loop", function()
    dqlite.run(function()
      local conn = assert(dqlite.connect(server.address))
      local tx = assert(conn:begin())
      local reader = dqlite.spawn(function() return conn:fetch(ALL) end)
      dqlite.sleep(0)
      -- as `local tx <close>` of a coroutine that is closed does it
      table.sort({ 1, 2 }, function()
        getmetatable(tx).__close(tx)
        return false
      end)
      local rows, err = reader:wait()
      assert.is_nil(rows)
      assert.equal("closed", err.kind)
      finish()
    end)
  end)

  if close then
    it("by a coroutine that is closed keep the loop no longer", function()
      dqlite.run(function()
        local conn = assert(dqlite.connect(server.address))
        local reader = coroutine.create(function() conn:fetch(ALL) end)
        assert(coroutine.resume(reader))
        repeat dqlite.sleep(0) until peer
        close(reader)
        local rows, err = conn:fetch(ALL)
        assert.is_nil(rows)
        assert.equal("closed", err.kind)
        finish()
      end)
    end)
  end
end)
