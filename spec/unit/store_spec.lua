local errors = require "dqlite.error"
local raises = require "spec.support.raises"
local stores = require "dqlite.store"
local temporary = require "spec.support.temporary"

local A = { address = "a:1", role = "voter" }
local B = { address = "b:1", id = "18446744073709551615", role = "spare" }
local A0 = { address = "a:1", id = "0", role = "voter" } -- as it comes from a file

local directory, path

before_each(function()
  directory = temporary.directory()
  path = directory .. "/cluster.yaml"
end)

after_each(function() temporary.remove(directory) end)

local function value_error(message, value, err)
  assert.is_nil(value)
  assert.equal("value", err.kind)
  assert.matches(message, err.message)
end

-- What is wrong with lists that no store takes.
local BAD = {
  ["entry 1 %(a%): the port is missing"] = { "a" },
  ["entry 2 %(b:0%): the port is 0"] = { "a:1", "b:0" },
  ["entry 1: the address is missing"] = { {} },
  ["entry 1 %(a:1%): an id is less"] = { { address = "a:1", id = "18446744073709551616" } },
  ["entry 1 %(a:1%): an id is a whole number"] = { { address = "a:1", id = 0.5 } },
  ["entry 1 %(a:1%): a role is"] = { { address = "a:1", role = "leader" } },
  ["entry 1: a node is an address or a table, not a boolean"] = { true },
  ["it is no list"] = { address = "a:1" },
}

-- What holds for both stores; `unknown` is the id of a node that has none, `role`
-- that of a mere address.
local function behaves(new, unknown, role)
  it("gives what it was set to", function()
    local store = new()
    assert.is_true(store:set { B, "c:1" })
    assert.same({ B, { address = "c:1", id = unknown, role = role } }, store:get())
    assert.is_true(store:set {})
    assert.same({}, store:get())
    assert.is_true(store.quick)
  end)

  it("gives copies, and keeps none of what it was given", function()
    local store, given = new(), { { address = "b:1", id = "7", role = "voter" } }
    store:set(given)
    given[1].address, given[2] = "changed:1", "c:1"
    local list = store:get()
    list[1].address, list[2] = "changed:1", "c:1"
    assert.same({ { address = "b:1", id = "7", role = "voter" } }, store:get())
  end)

  it("has each address once", function()
    local store = new()
    assert.is_true(store:set { B, "B.:0001", { address = "b:1", id = 1 }, "b:2" })
    assert.same({ "b:1", "b:2" }, { store:get()[1].address, store:get()[2].address })
    assert.equal(B.id, store:get()[1].id)
  end)

  it("stays as it was when a list is refused", function()
    local store = new()
    store:set { B }
    for message, list in pairs(BAD) do value_error(message, store:set(list)) end
    local many = {}
    for i = 1, 10001 do many[i] = "h:" .. i end
    value_error("more than 10000 entries", store:set(many))
    assert.same({ B }, store:get())
  end)

  it("raises what is no list at all", function()
    local store = new()
    raises("a store is set to a list of nodes, not to a string", function() store:set "a:1" end)
    raises("a store is set to a list of nodes, not to a nil", function() store:set() end)
  end)
end

describe("a store in memory", function()
  behaves(function() return stores.memory {} end, nil)

  it("is made of addresses, or of tables", function()
    assert.same({ { address = "a:1" }, B }, stores.memory { "a:1", B }:get())
    assert.same({ { address = "a:1" }, B }, stores.memory { { address = "a:1" }, B }:get())
    assert.same({}, stores.memory():get())
    assert.equal("dqlite store in memory (2 nodes)", tostring(stores.memory { A, B }))
  end)

  it("raises what it cannot be made of", function()
    raises("the list of a store: it is a string, not a list", function() stores.memory "a:1" end)
    raises("the list of a store: entry 1 %(a%): the port is missing",
      function() stores.memory { "a" } end)
  end)
end)

describe("a store in a file", function()
  behaves(function() return stores.yaml(path) end, "0", "voter")

  it("is empty when there is no file, or an empty one", function()
    assert.same({}, stores.yaml(path):get())
    assert.same({}, stores.yaml(directory .. "/none/cluster.yaml"):get())
    temporary.write(path, "")
    assert.same({}, stores.yaml(path):get())
    assert.same({ "cluster.yaml" }, temporary.names(directory))
  end)

  it("sees what others write", function()
    local store = stores.yaml(path)
    temporary.write(path, "- Address: b:1\n  ID: 18446744073709551615\n  Role: 2\n")
    assert.same({ B }, store:get())
    assert.is_true(stores.yaml(path):set { A })
    assert.same({ A0 }, store:get())
    assert.equal("- Address: a:1\n  ID: 0\n  Role: 0\n", temporary.read(path))
    assert.equal("-rw-------", temporary.run(directory, "ls -l cluster.yaml"):match "^%S+")
  end)

  it("names the file and the line that cannot be read", function()
    temporary.write(path, "- Address: a:1\n  ID: 1e3\n")
    local list, err = stores.yaml(path):get()
    value_error("line 2: '1e3': an id is", list, err)
    assert.equal(path .. ": ", err.message:sub(1, #path + 2))
  end)

  it("has each address once, whoever wrote it", function()
    temporary.write(path, "- Address: a:1\n  ID: 0\n- Address: A:01\n  ID: 2\n")
    assert.same({ A0 }, stores.yaml(path):get())
  end)

  it("is no link, pipe or directory", function()
    temporary.run(directory, "touch file; ln -s file link; ln -s none dangling")
    temporary.run(directory, "mkfifo pipe; mkdir sub")
    for _, name in ipairs { "link", "dangling", "pipe", "sub" } do
      local store = stores.yaml(directory .. "/" .. name)
      value_error("a link, or no regular file", store:get())
      value_error("a link, or no regular file", store:set { A })
    end
    value_error("Not a directory", stores.yaml(directory .. "/file/x"):get())
    value_error("No such file or directory", stores.yaml(directory .. "/none/x"):set { A })
  end)

  it("has 1 MiB at most", function()
    local MIB = 1024 * 1024
    local store = stores.yaml(path)
    local text = "- Address: a:1\n  ID: 0\n#"
    temporary.write(path, text .. ("x"):rep(MIB - #text))
    assert.same({ A0 }, store:get())
    temporary.write(path, text .. ("x"):rep(MIB - #text + 1))
    value_error("the file is larger than 1048576 bytes", store:get())
    local long = {}
    for i = 1, 10000 do long[i] = ("h"):rep(100) .. i .. ":1" end
    value_error("the list takes more than 1048576 bytes", store:set(long))
    assert.equal(MIB + 1, #temporary.read(path))
  end)

  it("holds 10,000 nodes", function()
    local list = {}
    for i = 1, 10000 do list[i] = { address = ("10.0.0.1:%d"):format(i), id = i } end
    assert.is_true(stores.yaml(path):set(list))
    assert.equal("10000", stores.yaml(path):get()[10000].id)
  end)

  it("cannot hold what YAML may not", function()
    value_error("entry 1: the address is not ASCII", stores.yaml(path):set { "/\195\169" })
    assert.same({}, temporary.names(directory))
  end)

  it("raises what is no path", function()
    for _, wrong in ipairs { "", "a\0b", 5, false } do
      raises("the path of a store must be a string", function() stores.yaml(wrong) end)
    end
    assert.equal("dqlite store in a\\x1b", tostring(stores.yaml "a\27"))
  end)
end)

-- A store of the user's, with these methods.
local function store_of(get, set)
  return { get = get, set = set }
end

describe("a store of the user's", function()
  it("gives addresses or tables", function()
    assert.same({ { address = "a:1" }, B },
      stores.read(store_of(function() return { "a:1", B } end)))
    assert.same({}, stores.read(store_of(function() return {} end)))
    assert.same({ A }, stores.read(stores.memory { A }))
  end)

  it("is called as an object", function()
    local store = store_of(function(self) return self.list end,
      function(self, list)
        self.list = list
        return true
      end)
    assert.is_true(stores.write(store, { A, B }))
    assert.same({ A, B }, stores.read(store))
    assert.not_equal(store.list, stores.read(store))
    assert.is_true(stores.write(setmetatable({}, { __index = store }), { A }))
  end)

  it("may fail in every way", function()
    local ours = errors.new { kind = "timeout", message = "too late" }
    local nasty = setmetatable({}, { __tostring = error })
    for message, get in pairs {
      ["the store's get: .*: boom"] = function() error "boom" end,
      ["the store's get: an error value that cannot be shown"] = function() error(nasty) end,
      ["the store's get: nil"] = function() error() end,
      ["the store's get: gone\\x1b"] = function() return nil, "gone\27" end,
      ["the store's get: it answered nothing"] = function() end,
      ["the store's get answered a list: it is a string, not a list"] = function() return "a:1" end,
      ["the store's get answered a list: it is no list"] = function() return { a = 1 } end,
      ["the store's get answered a list: entry 1 %(a%): the port is missing"] = function()
        return { "a" }
      end,
      ["the store's get answered a list: it has more than 10000 entries"] = function()
        local list = {}
        for i = 1, 10001 do list[i] = "h:" .. i end
        return list
      end,
    } do
      value_error(message, stores.read(store_of(get)))
    end
    value_error("the store's get: ", stores.read {})
    assert.same({ nil, ours }, { stores.read(store_of(function() return nil, ours end)) })
  end)

  it("may not take what it is given", function()
    assert.is_true(stores.write(store_of(), { A }))
    value_error("the store's set: .*: boom", stores.write(store_of(nil, function()
      error "boom"
    end), { A }))
    value_error("the store's set: read only", stores.write(store_of(nil, function()
      return nil, "read only"
    end), { A }))
  end)

  it("cannot change the list that it is given", function()
    local list = { { address = "a:1", role = "voter" } }
    assert.is_true(stores.write(store_of(nil, function(_, given)
      given[1].address, given[2] = "changed:1", "b:1"
      return true
    end), list))
    assert.same({ A }, list)
  end)

  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
    it("may wait", function()
      local co = coroutine.wrap(function()
        return stores.read(store_of(function() return { coroutine.yield "waits" } end))
      end)
      assert.equal("waits", co())
      assert.same({ { address = "a:1" } }, co "a:1")
    end)
  end
end)
