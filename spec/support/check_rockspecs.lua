-- check_rockspecs.lua ROCKSPEC...: the rockspecs together name every Lua
-- module, every C source and the definitions for editors exactly once, modules
-- by the name that their path gives, and nothing that does not exist; src/host is
-- for programs in C and in no rock. Ends with `N passed, N failed`.

local problems = {}
local named = {}

local function problem(...)
  problems[#problems + 1] = string.format(...)
end

local function name_file(rockspec, path)
  if named[path] then
    problem("%s: %s is named by %s already", rockspec, path, named[path])
  end
  named[path] = rockspec
end

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
    :gsub("/", "."))
end

local function read_module(rockspec, name, value)
  if type(value) == "table" then
    for _, path in ipairs(value.sources or value) do
      name_file(rockspec, path)
    end
    return
  end
  if module_of(value) ~= name then
    problem("%s: module %s is %s", rockspec, name, value)
  end
  name_file(rockspec, value)
end

-- A rock of the type "make" hands its sources over.
local function read_rockspec(path)
  local rock = {}
  assert(loadfile(path, "t", rock))()
  for name, value in pairs(rock.build.modules or {}) do
    read_module(path, name, value)
  end
  local made = rock.build.variables or { SOURCES = "" }
  for source in made.SOURCES:gmatch "%S+" do
    name_file(path, source)
  end
  for _, directory in ipairs(rock.build.copy_directories or {}) do
    name_file(path, directory)
  end
end

-- The files that a rock must hold, as a set.
local function files()
  local found = {}
  local list = io.popen("find lua src -path src/host -prune"
    .. " -o -name '*.lua' -print -o -name '*.c' -print; find library -maxdepth 0")
  for path in list:lines() do
    found[path] = true
  end
  list:close()
  return found
end

for _, path in ipairs(arg) do
  read_rockspec(path)
end
local present = files()
for path in pairs(present) do
  if not named[path] then
    problem("%s is in no rockspec", path)
  end
end
for path, rockspec in pairs(named) do
  if not present[path] then
    problem("%s: there is no %s", rockspec, path)
  end
end

table.sort(problems)
for _, text in ipairs(problems) do
  print(text)
end
local ok = #problems == 0 and next(present) ~= nil
print(ok and "1 passed, 0 failed" or "0 passed, 1 failed")
os.exit(ok)
