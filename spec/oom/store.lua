-- Stores, the file of one, and policies.
local core = require "dqlite.core"
local policy = require "dqlite.policy"
local stores = require "dqlite.store"

local A = { id = "0", address = "a:1", role = "voter" }
local B = { id = "18446744073709551615", address = "[::1]:9001", role = "spare" }
local TEXT = ("x"):rep(5000)

local function nothing() end

-- Calls `run` with a file that holds two nodes, and the path of a directory's own.
local function with_file(name, run, want)
  return {
    name = name,
    open = function()
      local path = os.tmpname()
      assert(stores.yaml(path):set { A, B })
      return path, stores.yaml(path)
    end,
    run = run,
    want = want,
    after = function(_, path)
      local readable = core.read_file(path, 10000)
      os.remove(path)
      if not readable then return "the file is gone" end
    end,
  }
end

local function plain(name, run, want)
  return { name = name, open = nothing, run = run, want = want, after = nothing }
end

return {
  with_file("read_file", function(path) return #core.read_file(path, 10000) end, { 94 }),
  with_file("replace_file", function(path) return core.replace_file(path, TEXT) end, { true }),
  with_file("store.yaml: get", function(_, store) return store:get() end, { { A, B } }),
  with_file("store.yaml: set", function(_, store) return store:set { B } end, { true }),
  plain("store.memory", function()
    local store = stores.memory { "a:1", B }
    return store:set { B, A }, store:get()
  end, { true, { B, A } }),
  plain("store.read", function()
    return stores.read { get = function() return { "a:1" } end }
  end, { { { address = "a:1" } } }),
  plain("store.write", function() return stores.write(stores.memory {}, { A, B }) end, { true }),
  plain("policy.allow", function() return policy.allow { "a:1" } "A:1" end, { true }),
  plain("policy.safe", function() return policy.safe {} "[64:ff9b::127.0.0.1]:1" end,
    { false, "it is a loopback address" }),
  {
    name = "policy.ask",
    open = nothing,
    run = function() return policy.ask(policy.safe {}, "@a") end,
    check = function(allowed, err)
      if allowed or err.kind ~= "policy" then return "it was allowed" end
    end,
    after = nothing,
  },
}
