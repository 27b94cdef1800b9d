--- Asserts that a function raises a message of this pattern at the line where the
-- function itself begins: the caller's, for a function of one line.
local assert = require "luassert"

return function(pattern, fn, ...)
  local info = debug.getinfo(fn, "S")
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  local where = ("%s:%d: "):format(info.short_src, info.linedefined)
  assert.equal(where, tostring(message):sub(1, #where))
  assert.matches(pattern, message)
end
