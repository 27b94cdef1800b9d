-- Copies of databases from real nodes, and SQLite itself on what was copied. Needs no
-- DQLITE_SERVERS.

local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local scratch = require "spec.support.scratch"
local temporary = require "spec.support.temporary"
local uv = require "luv"

local ROWS = 200

-- Opens a database file, and prints the first column of what each text answers.
local READER = [[
  local ffi = require "ffi"
  ffi.cdef "int sqlite3_open(const char *, void **);"
  ffi.cdef "int sqlite3_get_table(void *, const char *, char ***, int *, int *, char **);"
  local sqlite, db = ffi.load "libsqlite3.so.0", ffi.new "void *[1]"
  assert(sqlite.sqlite3_open(arg[1], db) == 0)
  for i = 2, #arg do
    local cells, rows = ffi.new "char **[1]", ffi.new "int[1]"
    assert(sqlite.sqlite3_get_table(db[0], arg[i], cells, rows, nil, nil) == 0)
    for row = 1, rows[0] do print(ffi.string(cells[0][row])) end
  end]]

describe("a copy of a database", function()
  local three, object, place, reader

  setup(function()
    three, place = cluster.start(), scratch.new()
    reader = place:fresh "reader"
    nodes.write(reader, READER)
    local conn = assert(dqlite.connect(three.nodes[1].address, { database = "shop" }))
    assert(conn:script [[CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);
      CREATE INDEX i ON t (name)]])
    local sets = {}
    for i = 1, ROWS do sets[i] = { i, ("%099d"):format(i) } end
    assert(conn:executemany("INSERT INTO t VALUES (?, ?)", sets))
    conn:close()
  end)
  teardown(cluster.stop_all)
  teardown(function() place:close() end)
  before_each(function() object = assert(dqlite.cluster(three:followers()[1].address)) end)

  local function new_directory()
    local path = place:fresh "copy"
    nodes.output_of("mkdir " .. nodes.quote(path))
    return path
  end

  local function read(path, ...)
    return temporary.run(place.path, "luajit " .. nodes.quote(reader) .. " " .. nodes.quote(path)
      .. " '" .. table.concat({ ... }, "' '") .. "' 2>&1")
  end

  -- SQLite finds all rows in it, and nothing wrong.
  local function is_whole(path)
    assert.equal(("ok\n%d\n%d\n"):format(ROWS, ROWS), read(path, "PRAGMA integrity_check",
      "SELECT count(*) FROM t", "SELECT count(*) FROM t WHERE name = printf(\"%099d\", id)"))
  end

  local function names(files)
    local list = {}
    for name in pairs(files) do list[#list + 1] = name end
    table.sort(list)
    return list
  end

  it("is its file and that of its log", function()
    local files = assert(object:dump "shop")
    assert.same({ "shop", "shop-wal" }, names(files))
    assert.equal("SQLite format 3\0", files.shop:sub(1, 16))
    local directory = new_directory()
    for name, bytes in pairs(files) do nodes.write(directory .. "/" .. name, bytes) end
    is_whole(directory .. "/shop")
  end)

  it("can be written to a directory, readable by its owner alone", function()
    local directory = new_directory()
    local sizes = assert(object:dump("shop", { to = directory }))
    assert.same({ "shop", "shop-wal" }, names(sizes))
    assert.same({ "shop", "shop-wal" }, temporary.names(directory))
    for name, size in pairs(sizes) do
      local stat = uv.fs_stat(directory .. "/" .. name)
      assert.equal(size, stat.size)
      assert.equal(tonumber("600", 8), stat.mode % 512)
    end
    assert.is_true(sizes.shop > 0)
    is_whole(directory .. "/shop")
  end)

  it("replaces files that are there", function()
    local directory = new_directory()
    for _, name in ipairs { "shop", "shop-wal" } do
      local path = directory .. "/" .. name
      nodes.write(path, ("junk"):rep(100000))
      assert(uv.fs_chmod(path, tonumber("644", 8)))
    end
    for _ = 1, 2 do
      assert(object:dump("shop", { to = directory }))
      assert.same({ "shop", "shop-wal" }, temporary.names(directory))
      assert.equal(tonumber("600", 8), uv.fs_stat(directory .. "/shop").mode % 512)
    end
    is_whole(directory .. "/shop")
  end)

  it("comes from a follower, too", function()
    local follower = three:followers()[1]
    for _, dump in ipairs {
      function(opts) return object:dump("shop", opts) end,
      function(opts) return object:node(follower.address):dump("shop", opts) end,
    } do
      local directory = new_directory()
      eventually("the follower has all rows", function()
        assert(dump { to = directory, address = follower.address })
        return read(directory .. "/shop", "SELECT count(*) FROM t") == ROWS .. "\n"
      end)
      is_whole(directory .. "/shop")
    end
  end)

  it("is of one database, with a slash in its name if need be", function()
    local conn = assert(object:connect { database = "dir/shop" })
    assert(conn:execute "CREATE TABLE other (a)")
    conn:close()
    local files = assert(object:dump "dir/shop")
    assert.same({ "dir/shop", "dir/shop-wal" }, names(files))
    local directory = new_directory()
    for name, bytes in pairs(files) do
      nodes.write(directory .. "/" .. name:gsub("dir/", ""), bytes)
    end
    assert.equal("ok\nother\n", read(directory .. "/shop", "PRAGMA integrity_check",
      "SELECT name FROM sqlite_master"))
  end)

  -- 1.11.1 has an empty file of any name; later servers refuse.
  it("is empty, or refused, where there is no such database", function()
    local files, err = object:dump "nothing"
    if files then return assert.same({ nothing = "", ["nothing-wal"] = "" }, files) end
    assert.equal(1002, live.fails("sql", files, err).code)
  end)

  it("is not made when it is larger than max_size", function()
    local directory = new_directory()
    for _, opts in ipairs { { max_size = 8000 }, { max_size = 8000, to = directory } } do
      local err = live.fails("protocol", object:dump("shop", opts))
      assert.matches("larger than max_", err.message)
    end
    assert.same({}, temporary.names(directory))
    assert(object:dump("shop", { max_size = 2 ^ 20 }))
  end)

  it("may have max_size bytes exactly", function()
    local size = 0
    for _, bytes in pairs(assert(object:dump "shop")) do size = size + #bytes end
    assert(object:dump("shop", { max_size = size }))
    local err = live.fails("protocol", object:dump("shop", { max_size = size - 1 }))
    assert.matches("larger than max_size, " .. size - 1 .. " bytes", err.message, 1, true)
  end)

  it("is not written where a directory has its name", function()
    local directory = new_directory()
    assert(uv.fs_mkdir(directory .. "/shop", 448))
    live.fails("value", object:dump("shop", { to = directory }))
    assert.equal("directory", uv.fs_stat(directory .. "/shop").type)
  end)

  it("is not made, nor waited for, when nothing fits into max_size", function()
    local hasty = assert(dqlite.cluster(three:addresses(), { timeout = 3 }))
    assert(hasty:nodes())
    local err = live.fails("protocol", hasty:dump("shop", { max_size = 8 }))
    assert.matches("larger than max_", err.message)
  end)

  it("is not written where there is no directory", function()
    for _, directory in ipairs { place:fresh "none", reader, "/proc" } do
      local err = live.fails("value", object:dump("shop", { to = directory }))
      assert.matches(directory .. "/shop", err.message, 1, true)
      assert.matches("was not written: %u", err.message)
      assert.is_false(err.fatal)
    end
    assert.is_nil(uv.fs_stat(place.path .. "/shop"))
  end)

  it("is not written under a name that no file can have", function()
    local directory = new_directory()
    local err = live.fails("value", object:dump("dir/shop", { to = directory }))
    assert.matches("slash", err.message)
    live.fails("value", object:dump("../shop", { to = directory }))
    assert.same({}, temporary.names(directory))
  end)

  it("leaves what is no file where it is", function()
    local directory = new_directory()
    nodes.output_of("mkdir -p " .. nodes.quote(directory .. "/shop/inside"))
    local err = live.fails("value", object:dump("shop", { to = directory }))
    assert.matches("was not written", err.message)
    assert.is_not_nil(uv.fs_stat(directory .. "/shop/inside"))
  end)
end)
