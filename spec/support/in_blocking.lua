-- Where specs run without DQLITE_LOOP: as a plain script does. spec/support/in_loop.lua says
-- what such a module has.
local in_blocking = { name = "blocking", is_concurrent = false, option = "blocking" }

function in_blocking.run(fn, ...) return fn(...) end

function in_blocking.module() return require "dqlite.loop.blocking" end

return in_blocking
