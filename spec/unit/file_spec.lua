-- Whole files and random numbers from C (spec/core/file_test.c has the rest).
local core = require "dqlite.core"
local handles = require "spec.support.handles"
local temporary = require "spec.support.temporary"

local directory, path, before

before_each(function()
  directory = temporary.directory()
  path = directory .. "/file"
  before = handles.descriptors()
end)

after_each(function()
  assert.equal(before, handles.descriptors())
  temporary.remove(directory)
end)

local LINK = "it is a link, or no regular file"

describe("read_file", function()
  it("gives all bytes", function()
    for _, text in ipairs { "", "one", "a\0b\r\n\255", ("x"):rep(100000) } do
      temporary.write(path, text)
      assert.equal(text, core.read_file(path, #text))
    end
  end)

  it("refuses more than it is told to read", function()
    temporary.write(path, "12345")
    assert.equal("12345", core.read_file(path, 5))
    assert.same({ nil, "value", "the file is larger than 4 bytes" }, { core.read_file(path, 4) })
    assert.same({ nil, "value", "the file is larger than 0 bytes" }, { core.read_file(path, 0) })
  end)

  it("tells a missing file from one that cannot be read", function()
    assert.equal("missing", select(2, core.read_file(path, 10)))
    temporary.write(path, "")
    local _, kind, reason = core.read_file(path .. "/file", 10)
    assert.same({ "system", "Not a directory" }, { kind, reason })
  end)

  it("follows no link, and does not wait for a pipe", function()
    temporary.write(path, "text")
    temporary.run(directory, "ln -s file link; ln -s none dangling; mkfifo pipe; mkdir sub")
    for _, name in ipairs { "link", "dangling", "pipe", "sub" } do
      assert.same({ nil, "value", LINK }, { core.read_file(directory .. "/" .. name, 10) }, name)
    end
  end)

  it("raises what is no path and no count", function()
    assert.has_error(function() core.read_file() end)
    assert.has_error(function() core.read_file(path) end)
    for _, max in ipairs { -1, 0 / 0, 1e9, math.huge } do
      assert.has_error(function() core.read_file(path, max) end)
    end
    local ok, message = pcall(core.read_file, path .. "\0", 10)
    assert.is_false(ok)
    assert.matches("a path has no NUL", message)
  end)
end)

describe("replace_file", function()
  it("makes a file that its owner alone can read", function()
    assert.is_true(core.replace_file(path, "a\0b"))
    assert.equal("a\0b", temporary.read(path))
    assert.equal("-rw-------", temporary.run(directory, "ls -l file"):match "^%S+")
  end)

  it("replaces one, and leaves nothing else behind", function()
    temporary.write(path, "something longer")
    for _, text in ipairs { "short", "", ("x"):rep(1000000) } do
      assert.is_true(core.replace_file(path, text))
      assert.equal(text, temporary.read(path))
      assert.same({ "file" }, temporary.names(directory))
    end
  end)

  it("takes a path without a directory", function()
    assert.same({ nil, "value", LINK }, { core.replace_file("spec", "x") })
    assert.same({ nil, "value", LINK }, { core.replace_file("", "x") })
  end)

  it("leaves what it refuses as it was", function()
    temporary.write(path, "text")
    temporary.run(directory, "ln -s file link; ln -s none dangling; mkfifo pipe; mkdir sub")
    local names = temporary.names(directory)
    for _, name in ipairs { "link", "dangling", "pipe", "sub" } do
      local answer = { core.replace_file(directory .. "/" .. name, "x") }
      assert.same({ nil, "value", LINK }, answer, name)
    end
    assert.same(names, temporary.names(directory))
    assert.equal("text", temporary.read(path))
  end)

  it("says that there is no such directory", function()
    assert.equal("missing", select(2, core.replace_file(directory .. "/none/file", "x")))
    assert.same({}, temporary.names(directory))
  end)

  it("raises what is no path and no text", function()
    assert.has_error(function() core.replace_file(path, 5) end)
    assert.has_error(function() core.replace_file(path) end)
    assert.has_error(function() core.replace_file(path .. "\0", "x") end)
    assert.same({}, temporary.names(directory))
  end)
end)

describe("random", function()
  it("gives numbers from 0 to below 1, spread evenly", function()
    local sum, seen = 0, {}
    for _ = 1, 1000 do
      local number = core.random()
      assert.is_true(number >= 0 and number < 1)
      sum = sum + number
      seen[math.floor(number * 10)] = true
    end
    assert.is_true(math.abs(sum / 1000 - 0.5) < 0.1)
    for i = 0, 9 do assert.is_true(seen[i]) end
  end)
end)
