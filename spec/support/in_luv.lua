-- Where specs run with DQLITE_LOOP=luv: inside of dqlite.run.
local dqlite = require "dqlite"
local uv = require "luv"

local in_luv = { name = "luv", is_concurrent = true, option = "luv" }

in_luv.run = dqlite.run

function in_luv.module() return require "dqlite.loop.luv" end

function in_luv.run_out(patience)
  local guard = uv.new_timer()
  guard:start(patience * 1000, 0, function() uv.stop() end)
  guard:unref()
  uv.run()
  guard:close()
  uv.run "nowait"
end

function in_luv.left() return require "spec.support.process".handles() end

return in_luv
