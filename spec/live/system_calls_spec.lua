-- How many system calls an operation takes: send and recv, where others run
-- meanwhile the loop's own wait as well (goals.md, Where the time is).
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local SELECTS = 10000
local OTHERS = 500 -- for memory, most of them of LuaJIT's compiler

local EXPECTED = { blocking = 2, luv = 3, host = 3 }

live.each("sequential SELECTs", function(server)
  setup(nodes.open)
  teardown(nodes.close)

  -- As strace -c counts them: its last line has the sum.
  local function count_calls(loop, n)
    local report = nodes.fresh_dir()
    local status = nodes.output_of(("strace -f -c -o %s sh -c %s; echo $?"):format(report,
      nodes.quote(nodes.lua_command("spec/support/selects.lua", server.address, server.database,
        loop, tostring(n)))))
    assert.equal("0\n", status)
    local file = assert(io.open(report))
    local text = file:read "*a"
    file:close()
    return assert(tonumber(text:match "(%d+)%s+%d*%s*total\n"), text)
  end

  it("take two system calls each, three where others run meanwhile", function()
    local expected = EXPECTED[live.loop]
    local calls = count_calls(live.loop, SELECTS) - count_calls(live.loop, 0)
    print(("\n%d SELECTs, %s: %d system calls"):format(SELECTS, live.loop, calls))
    assert.is_true(calls >= 2 * SELECTS, "they were not counted")
    assert.is_true(calls <= expected * SELECTS + OTHERS, calls .. " system calls")
  end)
end)
