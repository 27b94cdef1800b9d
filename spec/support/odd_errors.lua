--- Error values that are hard to put into words, and that nothing may trip over.
local function raising(what)
  return setmetatable({}, { __tostring = function() error(what) end })
end

return {
  ["nil"] = { value = nil },
  ["a string"] = { value = "broken" },
  ["false"] = { value = false },
  ["a table"] = { value = {} },
  ["a table whose __tostring is no string"] =
    { value = setmetatable({}, { __tostring = function() return {} end }) },
  ["a table whose __tostring raises"] = { value = raising "from __tostring" },
  ["a table whose __tostring raises such a table"] = { value = raising(raising "inner") },
  ["a table with a protected metatable"] =
    { value = setmetatable({}, { __metatable = false, __name = "odd" }) },
  ["a function"] = { value = function() end },
}
