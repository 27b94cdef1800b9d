-- The reader of definitions for editors is no looser than lua-language-server.
local luacats = require "spec.support.luacats"

describe("annotations", function()
  local HEAD = "---@meta _\n\n---Text.\n---@class a.A\nlocal A = {}\n\n"

  local function refuses(pattern, text)
    local ok, reason = pcall(function()
      return luacats.join { luacats.read("a.lua", HEAD .. text) }
    end)
    assert.is_false(ok)
    assert.matches(pattern, reason)
  end

  it("are refused where an editor would not read them", function()
    for pattern, text in pairs {
      ["unknown annotation @parm"] = "---Text.\n---@parm a string\nfunction A.f(a) end",
      ["a%.lua:10: parameter 1 is a, annotated is b"] =
        "---Text.\n---@param b string\n---@return nil\nfunction A.f(a) end",
      ["parameter 2 is b, annotated is none"] =
        "---Text.\n---@param a string\nfunction A.f(a, b) end",
      ["b is no parameter"] = "---Text.\n---@param b string\nfunction A.f() end",
      ["a type wanted at '|number'"] = "---Text.\n---@param a string||number\nfunction A.f(a) end",
      ["%)? wanted at ''"] = "---Text.\n---@param a fun(fn\nfunction A.f(a) end",
      ["a type without parentheses"] =
        "---Text.\n---@param a fun(): (string|number)[]\nfunction A.f(a) end",
      ["a%.B is defined nowhere"] = "---Text.\n---@param a a.B\nfunction A.f(a) end",
      ["a%.A is defined at a%.lua:4 already"] = "---Text.\n---@class a.A",
      ["A%.f has no description"] = "function A.f() end",
      ["A:f is there twice"] = "---Text.\nfunction A:f() end\n\n---Text.\nfunction A:f() end",
      ["B is no class"] = "---Text.\nfunction B.f() end",
      ["the field x is there twice"] = "---Text.\n---@class a.C\n---@field x any\n---@field x any",
      ["a name behind private"] = "---Text.\n---@class a.C\n---@field private? string",
      ["a description begins with #"] = "---Text.\n---@alias a.D\n---| \"x\" what",
      ["a comment that no editor shows"] = "-- Text.",
    } do
      refuses(pattern, text)
    end
  end)

  it("are taken where they are right", function()
    local file = luacats.read("a.lua", HEAD .. [[
---Text.
---@async
---@generic T
---@overload fun(self: a.A, a: { x?: integer, [string]: T }): T?
---@param a (string|fun(...: any): a.A, ...)[] text
---@param ... T
---@return table<string, T[]>? name of it
function A:f(a, ...) end]])
    local method = file.types[1].methods.f
    assert.is_true(method.async)
    assert.equal("a", method.params[1].name)
    luacats.join { file }
  end)
end)
