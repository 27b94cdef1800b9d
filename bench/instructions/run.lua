-- make bench-instructions: how many instructions an operation takes, by callgrind,
-- against the figures that are committed. What a machine does meanwhile changes
-- nothing in them, so five percent are a change of ours.
local machine = require "bench.machine"

local FIGURES = "bench/instructions/figures.txt"
local TOLERANCE = 0.05
local FEW, MANY = 920, 4600 -- operations; whole frames of 46 rows

local build, update = arg[1], arg[2] == "update"

local CORE = { "encode", "decode", "scan" }
local LUA = { "query", "execute", "rows_by_name", "rows_by_position", "rows_streamed" }
local INTERPRETERS = { "lua5.4", "luajit" }

-- What a newer processor has would make libc count otherwise.
local ENVIRONMENT = "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX2_Usable,-ERMS,-FSRM"

local function count(what, n)
  local out = os.tmpname()
  local pipe = assert(io.popen(("env %s %s valgrind --tool=callgrind --callgrind-out-file=%s"
    .. " %s %d 2>&1"):format(ENVIRONMENT, what.env, out, what.command, n)))
  local output = pipe:read "*a"
  local ended = pipe:close()
  os.remove(out)
  local total = ended and output:match "Collected : (%d+)"
  if not total then error(("callgrind failed: %s\n%s"):format(what.command, output), 0) end
  return tonumber(total)
end

-- Without what comes before and behind the operations.
local function per_operation(what)
  return (count(what, MANY) - count(what, FEW)) / (MANY - FEW)
end

local function commands()
  local list = {}
  local function add(program, what, command, env)
    list[#list + 1] = { name = program .. " " .. what, command = command .. " " .. what, env = env }
  end
  for _, what in ipairs(CORE) do add("core", what, build .. "/bench/core", "") end
  for _, lua in ipairs(INTERPRETERS) do
    local env = ("LUA_CPATH='%s/%s/?.so;;'"):format(build, lua)
    for _, what in ipairs(LUA) do add(lua, what, lua .. " bench/instructions/calls.lua", env) end
  end
  return list
end

local function read_figures()
  local figures = {}
  for line in io.lines(FIGURES) do
    local name, figure = line:match "^(%S+ %S+) (%d+)$"
    if name then figures[name] = tonumber(figure) end
  end
  return figures
end

local function compare(name, found, figure)
  if not figure then
    print(("FAIL %-26s %8.0f, no figure"):format(name, found))
    return false
  end
  local change = found / figure - 1
  local fine = math.abs(change) <= TOLERANCE
  print(("%s %-26s %8.0f, %+.1f %%"):format(fine and "ok  " or "FAIL", name, found, change * 100))
  return fine
end

local function main()
  local figures, lines, passed, failed = update and {} or read_figures(), {}, 0, 0
  for _, each in ipairs(commands()) do
    local found = per_operation(each)
    lines[#lines + 1] = ("%s %.0f"):format(each.name, found)
    if update then figures[each.name] = found end
    if compare(each.name, found, figures[each.name]) then
      passed = passed + 1
    else
      failed = failed + 1
    end
  end
  if update then machine.write(FIGURES, table.concat(lines, "\n") .. "\n") end
  if failed > 0 then
    print "fewer than committed is a change, too: make bench-instructions UPDATE=1, and commit them"
  end
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0)
end

main()
