--- Reads definitions for editors (library/): what they say, or where they are not as
-- lua-language-server reads them.

local types = require "spec.support.luacats_type"

local luacats = {}

local BUILTIN = {}
for name in ([[any boolean false function integer lightuserdata nil number string table thread
  true unknown userdata]]):gmatch "%S+" do BUILTIN[name] = true end

-- Words that are no names of fields by themselves.
local VISIBILITY = { public = true, protected = true, private = true, package = true }

-- ---- one file ----

local File = {}
File.__index = File

local function fail(self, ...)
  error(("%s:%d: %s"):format(self.path, self.line, string.format(...)), 0)
end

local function reader(self, text)
  local where = self.line
  return types.reader(text, function(name)
    if BUILTIN[name] or self.block.generics[name] then return end
    self.uses[#self.uses + 1] = { name = name, path = self.path, line = where }
  end)
end

-- Everything that a doc comment has said, until there is code below it.
local function new_block()
  return { text = {}, params = {}, returns = {}, overloads = 0, generics = {}, class = nil,
    alias = nil, flags = {} }
end

local function define(self, kind, name)
  if self.block.class or self.block.alias then fail(self, "two definitions in one comment") end
  if self.block.text[1] == nil then fail(self, "%s has no description", name) end
  local made = { kind = kind, name = name, path = self.path, line = self.line, fields = {},
    methods = {}, parents = {}, literals = {} }
  self.types[#self.types + 1] = made
  self.block[kind] = made
  return made
end

local tags = {}

function tags.meta(self, read)
  self.meta = read:need("[%a_][%w_.]*", "a name")
end

function tags.class(self, read)
  local class = define(self, "class", read:need("[%a_][%w_.]*", "the name of a class"))
  if not read:take ":" then return end
  repeat
    local parent = read:need("[%a_][%w_.]*", "the name of a class")
    read.name(parent)
    class.parents[#class.parents + 1] = parent
  until not read:take ","
end

local function add_field(self, name, optional)
  local fields = self.block.class.fields
  if fields[name] then fail(self, "the field %s is there twice", name) end
  fields[name] = { name = name, line = self.line, optional = optional }
  return fields[name]
end

function tags.field(self, read)
  if not self.block.class then fail(self, "a field of no class") end
  local name = read:take "%["
  if name then
    read:type()
    read:need "%]"
    read:type()
    return
  end
  name = read:need("[%a_][%w_]*", "the name of a field")
  if VISIBILITY[name] then name = read:need("[%a_][%w_]*", "a name behind " .. name) end
  local field = add_field(self, name, read:take "%?" ~= nil)
  read.literals = {}
  field.type = read.text:sub(read.at):match "^%s*(%S+)"
  read:type()
end

function tags.operator(self, read)
  if not self.block.class then fail(self, "an operator of no class") end
  read:need("%a+", "the name of an operator")
  if read:take "%(" then
    read:type()
    read:need "%)"
  end
  read:need ":"
  read:type()
end

function tags.alias(self, read)
  local alias = define(self, "alias", read:need("[%a_][%w_.]*", "the name of an alias"))
  if read:rest() ~= "" then read:type() end
  alias.literals = read.literals or {}
  alias.is_open = read:rest() == "" and #alias.literals == 0
end

function tags.param(self, read)
  local name = read:take "%.%.%." or read:need("[%a_][%w_]*", "the name of a parameter")
  local optional = read:take "%?" ~= nil
  read:type()
  local params = self.block.params
  params[#params + 1] = { name = name, optional = optional }
end

tags["return"] = function(self, read)
  read:type()
  self.block.returns[#self.block.returns + 1] = read:rest()
end

function tags.generic(self, read)
  repeat
    self.block.generics[read:need("%a%w*", "a name")] = true
    if read:take ":" then read:type() end
  until not read:take ","
end

function tags.overload(self, read)
  if not read.text:find "^%s*fun%(" and not read.text:find "^%s*async fun%(" then
    fail(self, "an overload is a function")
  end
  read:type()
  self.block.overloads = self.block.overloads + 1
end

function tags.async(self) self.block.flags.async = true end

function tags.nodiscard(self) self.block.flags.nodiscard = true end

local function annotate(self, tag, text)
  if not tags[tag] then fail(self, "unknown annotation @%s", tag) end
  local read = reader(self, text)
  local ok, wrong = pcall(tags[tag], self, read)
  if not ok then fail(self, "@%s: %s", tag, type(wrong) == "table" and wrong[1] or wrong) end
end

-- `---| "value" # description`
local function continue_alias(self, text)
  local alias = self.block.alias
  if not alias then fail(self, "a choice of no alias") end
  local read = reader(self, text)
  local ok, wrong = pcall(read.type, read)
  if not ok then fail(self, "%s", wrong[1]) end
  local rest = read:rest()
  if rest ~= "" and not rest:find "^# %S" then fail(self, "a description begins with #") end
  for _, literal in ipairs(read.literals) do
    alias.literals[#alias.literals + 1] = literal
  end
end

local function comment(self, text)
  local tag, rest = text:match "^@(%a+)%s*(.*)$"
  if tag then return annotate(self, tag, rest) end
  if text:find "^|" then return continue_alias(self, text:sub(2)) end
  if text:find "^%s*@" then fail(self, "an annotation begins behind ---") end
  if self.block.params[1] or self.block.returns[1] then
    fail(self, "a description comes before the annotations")
  end
  self.block.text[#self.block.text + 1] = text
end

-- ---- code below a comment ----

-- Are the parameters described, all of them and in their order?
local function check_params(self, formal)
  local n = 0
  for name in formal:gmatch "[%w_.]+" do
    n = n + 1
    local given = self.block.params[n]
    if not given or given.name ~= name then
      fail(self, "parameter %d is %s, annotated is %s", n, name, given and given.name or "none")
    end
  end
  if self.block.params[n + 1] then
    fail(self, "%s is no parameter", self.block.params[n + 1].name)
  end
end

local function add_function(self, owner, separator, name, formal)
  local class = self.variables[owner]
  if not class then fail(self, "%s is no class of this file", owner) end
  local full = owner .. separator .. name
  if self.block.text[1] == nil then fail(self, "%s has no description", full) end
  if class.methods[name] then fail(self, "%s is there twice", full) end
  check_params(self, formal)
  class.methods[name] = {
    name = name,
    path = self.path,
    line = self.line,
    is_method = separator == ":",
    params = self.block.params,
    returns = #self.block.returns,
    async = self.block.flags.async or false,
  }
end

local function code(self, text)
  local variable = text:match "^local ([%a_][%w_]*) = {}$"
  local owner, separator, name, formal = text:match "^function ([%w_]+)([.:])([%w_]+)%((.-)%) end$"
  local answer = text:match "^return ([%w_]+)$"
  if variable then
    if not self.block.class then fail(self, "%s is no class", variable) end
    self.variables[variable] = self.block.class
  elseif owner then
    add_function(self, owner, separator, name, formal)
  elseif answer then
    self.answer = self.variables[answer]
  else
    fail(self, "neither a class, a function nor a return: %s", text)
  end
end

local function read_line(self, text)
  local annotation = text:match "^%-%-%-(.*)$"
  if annotation then return comment(self, annotation) end
  if text:find "^%-%-" then fail(self, "a comment that no editor shows") end
  if text ~= "" then code(self, text) end
  self.block = new_block()
end

--- Reads a file. Raises "path:line: what is wrong".
-- @tparam string path
-- @tparam[opt] string text of it, where it is not to be read from there
-- @treturn table `meta`, `types`, `uses`, `answer` (the class that a module is)
function luacats.read(path, text)
  local self = setmetatable({ path = path, line = 0, meta = nil, types = {}, uses = {},
    variables = {}, answer = nil, block = new_block() }, File)
  if not text then
    local file = assert(io.open(path))
    text = file:read "*a"
    file:close()
  end
  for line in (text .. "\n"):gmatch "(.-)\n" do
    self.line = self.line + 1
    read_line(self, line)
  end
  if not self.meta then fail(self, "no @meta") end
  return self
end

-- ---- all files ----

local function add_types(all, file)
  for _, each in ipairs(file.types) do
    local before = all.types[each.name]
    if before then
      error(("%s:%d: %s is defined at %s:%d already"):format(each.path, each.line, each.name,
        before.path, before.line), 0)
    end
    all.types[each.name] = each
  end
  if file.meta == "_" then return end
  if not file.answer then error(file.path .. ": a module returns its class", 0) end
  all.modules[file.meta] = file.answer
end

--- Puts files together. Raises for what is defined twice, or nowhere.
-- @tparam table files
-- @treturn table `types` by name, `modules` (classes) by name
function luacats.join(files)
  local all = { types = {}, modules = {} }
  for _, file in ipairs(files) do add_types(all, file) end
  for _, file in ipairs(files) do
    for _, use in ipairs(file.uses) do
      if not all.types[use.name] then
        error(("%s:%d: %s is defined nowhere"):format(use.path, use.line, use.name), 0)
      end
    end
  end
  return all
end

--- The fields of a class, those of its parents too.
-- @tparam table all from join
-- @tparam string name
-- @treturn table fields by name
function luacats.fields(all, name)
  local class, found = all.types[name], {}
  if not class then error(name .. " is defined nowhere", 0) end
  for _, parent in ipairs(class.parents) do
    if not BUILTIN[parent] then
      for key, field in pairs(luacats.fields(all, parent)) do found[key] = field end
    end
  end
  for key, field in pairs(class.fields) do found[key] = field end
  return found
end

return luacats
