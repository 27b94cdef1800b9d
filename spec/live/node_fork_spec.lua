-- A forked child shares the lock's open file description: collecting the node
-- there gave the parent's lock away. Only LuaJIT can fork without a module.
if not rawget(_G, "jit") then return end

local ffi = require "ffi"
local nodes = require "spec.support.nodes"

ffi.cdef [[
int fork(void);
int waitpid(int pid, int *status, int options);
void _exit(int status);
]]

describe("a node's directory", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(nodes.stop_all)

  it("stays locked when a forked child stops and collects the node", function()
    local started = nodes.start {}
    local pid = ffi.C.fork()
    if pid == 0 then
      local ok = pcall(started.stop, started)
      collectgarbage()
      ffi.C._exit(ok and 0 or 1)
    end
    local status = ffi.new "int[1]"
    assert.equal(pid, ffi.C.waitpid(pid, status, 0))
    assert.equal(0, status[0])
    local ok, err = nodes.make({ dir = started.dir }):start()
    assert.is_nil(ok)
    assert.equal("busy", err.kind)
    assert.equal(42, nodes.answer(started.address))
  end)
end)
