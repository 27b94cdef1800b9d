-- Never ends, and catches every error on the way, in coroutines and out of them.
local address = ...
local dqlite = require "dqlite"

local function cling(conn)
  while true do
    pcall(function()
      assert(conn:execute "UPDATE stock SET pieces = pieces - 1 WHERE item = 'chair'")
      assert(conn:execute "ROLLBACK")
      while true do pcall(string.rep, "x", 10) end
    end)
  end
end

local function under_the_loop()
  dqlite.run(function()
    local conn = assert(dqlite.connect(address))
    assert(conn:execute "BEGIN")
    cling(conn)
  end)
end

while true do
  if not pcall(under_the_loop) then coroutine.wrap(function() pcall(error) end)() end
end
