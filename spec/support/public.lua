--- What of the library is public: the modules that config.ld names, of these what is not
-- marked `@local` and does not begin with `_`, and the classes of their objects.

local ldoc = require "spec.support.ldoc"

local public = {}

-- ---- modules ----

local function name_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

local function lines(command)
  local list, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

--- The files that config.ld names.
-- @treturn table list of paths
function public.files()
  local config = {}
  local chunk
  if rawget(_G, "setfenv") then
    chunk = setfenv(assert(loadfile "config.ld"), config) -- luacheck: ignore setfenv
  else
    chunk = assert(loadfile("config.ld", "t", config))
  end
  chunk()
  return config.file
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- Names in its code; in comments they are examples.
local function required(path)
  local names, code = {}, read(path):gsub("%-%-[^\n]*", "")
  for name in code:gmatch 'require%s*%(?%s*"([%w_.]+)"' do names[name] = true end
  return names
end

--- Modules that are for programs, since nothing in the library requires them.
-- @treturn table list of paths
function public.entrances()
  local used, entrances = {}, {}
  local paths = lines "find lua -name '*.lua' | sort"
  for _, path in ipairs(paths) do
    for name in pairs(required(path)) do used[name] = true end
  end
  for _, path in ipairs(paths) do
    if not used[name_of(path)] then entrances[#entrances + 1] = path end
  end
  return entrances
end

--- Modules of the library that these files require.
-- @tparam string command that lists the files
-- @treturn table set of names
function public.required_by(command)
  local names = {}
  for _, path in ipairs(lines(command)) do
    for name in pairs(required(path)) do
      if name:find "^dqlite" or name:find "^resty%.dqlite" then names[name] = path end
    end
  end
  return names
end

-- ---- classes ----

local function is_of(fn, path)
  local source = debug.getinfo(fn, "S").source
  return source:sub(-#path) == path
end

local function is_class(name, value)
  return name:find "^%u%l" and type(value) == "table" and rawget(value, "__index") == value
end

local walk

local function walk_table(value, path, seen)
  for _, each in pairs(value) do
    if type(each) == "function" then walk(each, path, seen) end
  end
end

-- What the functions of a file have to do with each other: its classes by name.
function walk(fn, path, seen)
  if seen[fn] or not is_of(fn, path) then return end
  seen[fn] = true
  for i = 1, 255 do
    local name, value = debug.getupvalue(fn, i)
    if not name then return end
    if type(value) == "function" then walk(value, path, seen) end
    if is_class(name, value) then seen.classes[name] = value end
    if type(value) == "table" and not seen[value] then
      seen[value] = true
      walk_table(value, path, seen)
    end
  end
end

local function classes_of(module, path)
  local seen, code = { classes = {} }, read(path)
  walk_table(module, path, seen)
  for name in pairs(seen.classes) do
    local is_other = not code:find("\nfunction " .. name .. "[.:]")
    if is_other then seen.classes[name] = nil end
  end
  return seen.classes
end

-- ---- what there is ----

local function is_private(name)
  return type(name) ~= "string" or name:find "^_%U" ~= nil
end

-- A table whose functions programs call, as its code and its comments have it.
local function new_surface(definition, path, value)
  local surface = { definition = definition, path = path, value = value, functions = {},
    values = {}, documented = {} }
  for name, each in pairs(value) do
    if not is_private(name) then
      surface[type(each) == "function" and "functions" or "values"][name] = each
    end
  end
  return surface
end

local function note(surface, item, name)
  if item.is_local then
    surface.functions[name] = nil
  else
    surface.documented[name] = item
  end
end

-- Notes each item with the surface that it belongs to; the others are strays.
local function assign(module, items)
  for _, item in ipairs(items) do
    local owner, name = (item.name or ""):match "^([%w_]+)[.:]([%w_]+)$"
    local surface = module.classes[owner] or module.own
    if item.kind == "function" and surface then
      note(surface, item, name or item.name)
    elseif item.kind == "function" and not item.is_local then
      module.strays[#module.strays + 1] = item
    elseif item.kind == "table" then
      module.tables[item.name] = item
    end
  end
end

-- A class of objects is no module: what its file offers otherwise is the library's own.
local function read_module(path)
  local items, name = ldoc.read(path), name_of(path)
  local value = require(name)
  local is_object = items[1].kind == "classmod"
  local module = { name = name, path = path, classes = {}, tables = {}, strays = {},
    own = not is_object and new_surface(name, path, value) or nil }
  for class, methods in pairs(classes_of(value, path)) do
    if methods ~= value then
      local prefix = is_object and name:match "^(.*)%." or name
      module.classes[class] = new_surface(prefix .. "." .. class, path, methods)
    end
  end
  assign(module, items)
  return module
end

--- All that is public: for each module `name`, `path`, `own` (what the module itself offers;
-- nil for a class), `classes` by name, `tables` (documented ones, by name), `strays` (what
-- is documented of neither). Of each of them `definition` (its name in library/), `value`,
-- `functions`, `values`, `documented`.
-- @treturn table list
function public.modules()
  local modules = {}
  for _, path in ipairs(public.files()) do modules[#modules + 1] = read_module(path) end
  return modules
end

return public
