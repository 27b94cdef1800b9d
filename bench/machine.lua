-- What a run was made with: processors, places to put files, versions.
local scratch = require "spec.support.scratch"

local machine = {}

--- What a command prints, without the blanks at its end; raises when it fails.
function machine.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  assert(pipe:close(), command)
  return (text:gsub("%s+$", ""))
end

--- What a command begins with that has many files or sockets open: as many as the
-- system allows, in place of what a shell begins with.
machine.MANY_FILES = "ulimit -Sn $(ulimit -Hn); "

--- Writes a whole file.
function machine.write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

--- What a command begins with to run in a regime: server and client on one
-- processor, or wherever the kernel puts them.
function machine.prefix_of(regime)
  if regime == "two_cores" then return "" end
  local allowed = machine.output_of "sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status"
  return "taskset -c " .. allowed:match "%d+$"
end

local kept = {} -- by path

--- A new directory in memory, which goes away with this process if not before.
-- @treturn string its path
function machine.new_dir()
  local place = scratch.new()
  kept[place.path] = place
  return place.path
end

--- Removes it.
function machine.remove_dir(path)
  kept[path]:close()
  kept[path] = nil
end

local PACKAGES = "libdqlite0 lua5.4 luajit2 lua-luv golang-github-canonical-go-dqlite-dev golang-go"
  .. " gcc libsqlite3-0"

-- Lines of at most that many bytes, as far as there are blanks.
local WIDTH = 100
local function wrap(text)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and #line + #word >= WIDTH then
      lines[#lines + 1], line = line, ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

--- Says when, on what and with which versions.
-- @tparam table sizes of the run: `rounds`, `seconds`
-- @tparam[opt] string packages whose versions count
function machine.about(sizes, packages)
  local versions = machine.output_of("dpkg-query -W -f '${Package} ${Version}, ' "
    .. (packages or PACKAGES) .. " 2>/dev/null || true"):gsub(",$", "")
  return wrap(("Measured %s at commit %s: %d rounds of all clients in turn, %g s each; medians, and"
    .. " (smallest-largest) of the ratios. %s, %s processors, Linux %s. %s."):format(
    machine.output_of "date +%F",
    machine.output_of "git rev-parse --short HEAD 2>/dev/null || echo unknown",
    sizes.rounds, sizes.seconds,
    machine.output_of "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1",
    machine.output_of "nproc", machine.output_of "uname -r", versions))
end

return machine
