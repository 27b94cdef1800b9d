-- As run_specs.lua, but nothing is compiled while it runs: compiled code makes
-- valgrind begin anew and again.
local jit = rawget(_G, "jit")
if jit then jit.off() end
require "spec.support.in_loop".install()
require "busted.runner"({ standalone = false })
