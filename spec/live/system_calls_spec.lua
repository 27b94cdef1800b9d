-- How many system calls an operation takes: send and recv, elsewhere than on the blocking
-- loop the wait as well (goals.md, Where the time is).
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local SELECTS = 10000
local OTHERS = 500 -- for memory, most of them of LuaJIT's compiler

-- cqueues writes itself a note that something has happened, and reads it.
local EXPECTED = { blocking = 2, luv = 3, host = 3, cqueues = 5 }

live.each("sequential SELECTs", function(server)
  setup(nodes.open)
  teardown(nodes.close)

  -- As strace -c counts them: its last line has the sum.
  local function count_calls(n)
    local report = nodes.fresh_dir()
    local status = nodes.output_of(("strace -f -c -o %s sh -c %s; echo $?"):format(report,
      nodes.quote(nodes.lua_command("spec/support/selects.lua", server.address, server.database,
        tostring(n)))))
    assert.equal("0\n", status)
    local file = assert(io.open(report))
    local text = file:read "*a"
    file:close()
    return assert(tonumber(text:match "(%d+)%s+%d*%s*total\n"), text)
  end

  it("take as many system calls each as the loop needs", function()
    local expected = EXPECTED[live.loop] or math.huge
    local calls = count_calls(SELECTS) - count_calls(0)
    print(("\n%d SELECTs, %s: %d system calls"):format(SELECTS, live.loop, calls))
    assert.is_true(calls >= 2 * SELECTS, "they were not counted")
    assert.is_true(calls <= expected * SELECTS + OTHERS, calls .. " system calls")
  end)
end)
