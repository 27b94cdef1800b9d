-- check_doc.lua: builds the reference as `make doc` does, in a directory of its own. LDoc
-- writes no warning, makes a page of each file that config.ld names and of the topics,
-- and no page sends its reader to a text that is not in it, or to nobody's ("???").
-- Ends with `N passed, N failed`.

local problems = {}

local function problem(...)
  problems[#problems + 1] = string.format(...)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local config = {}
assert(loadfile("config.ld", "t", config))()

local directory = output "mktemp -d":gsub("%s+$", "")

-- Whatever it says on standard error, and of a formatter that it does not find.
local function build()
  local said = output(("ldoc -d %s . 2>&1; echo \"exit status $?\""):format(directory))
  for line in said:gmatch "[^\n]+" do
    local expected = line:find "^reading configuration" or line:find "^output written to"
      or line == "exit status 0"
    if not expected then problem("ldoc: %s", line) end
  end
end

-- A page is named by the file's @module or @classmod.
local function page_of(path)
  local kind, name = read(path):match "%-%- @(%a*mod%a*) ([%w_.]+)"
  if not kind then return nil end
  return ("%s/%s.html"):format(kind == "module" and "modules" or "classes", name)
end

local function check_pages()
  for _, path in ipairs(config.file) do
    local page = page_of(path)
    local file = page and io.open(directory .. "/" .. page)
    if file then file:close() else problem("%s has no page in the reference", path) end
  end
end

-- The pages of modules and classes; the topics are whole files.
local function check_texts()
  local list = output(("find %s/modules %s/classes -name '*.html'"):format(directory, directory))
  for path in list:gmatch "[^\n]+" do
    local html = read(path)
    local shown = path:sub(#directory + 2)
    if html:find("???", 1, true) then problem("%s: a reference to nothing (???)", shown) end
    for name in html:gmatch "[%w_]+%.md%f[%W]" do
      if name ~= "README.md" then problem("%s refers to %s, which is no page", shown, name) end
    end
  end
end

build()
check_pages()
check_texts()
os.execute("rm -r " .. directory)

for _, text in ipairs(problems) do print(text) end
local ok = #problems == 0
print(ok and "1 passed, 0 failed" or "0 passed, 1 failed")
os.exit(ok)
