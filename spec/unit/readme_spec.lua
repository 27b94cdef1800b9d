local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the README", function()
  it("begins with the quick start as it is run", function()
    assert.equal(read "examples/quickstart.lua", read("README.md"):match "```lua\n(.-)```")
  end)

end)
