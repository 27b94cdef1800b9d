--- Reads the LDoc comments of a file, as far as they name what is public.

local ldoc = {}

local PARAM = { param = false, tparam = true, string = false, number = false, int = false,
  bool = false, func = false, tab = false }

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- `@tparam[opt=1] table opts.name what it is`: name, optional
local function parameter(tag, text)
  local modifiers, rest = text:match "^%[([^%]]*)%]%s*(.*)$"
  rest = rest or text:match "^%s*(.*)$"
  if PARAM[tag] or tag == "tfield" then rest = rest:match "^%S+%s+(.*)$" end
  local name = rest and rest:match "^([%w_.]+)"
  return name, modifiers ~= nil and modifiers:find "^opt" ~= nil
end

local function add_tag(item, tag, text)
  if tag == "local" then
    item.is_local = true
  elseif tag == "function" or tag == "table" then
    item.kind, item.name = tag, text:match "[%w_.:]+"
  elseif tag == "module" or tag == "classmod" then
    item.kind, item.name = tag, text:match "[%w_.]+"
  elseif tag == "type" or tag == "section" or tag == "field" then
    item.kind = tag
  elseif PARAM[tag] ~= nil or tag == "tfield" then
    local name, optional = parameter(tag, text)
    if not name or name:find "%.%w" then return end
    item.params[#item.params + 1] = { name = name, optional = optional }
  end
end

-- `function a.b(c, d)`, or `a.b = c`
local function add_code(item, line)
  local name, formal = line:match "^function ([%w_.:]+)%((.-)%)"
  name = name or line:match "^([%w_]+[.:][%w_]+) ="
  item.kind, item.name = name and "function", name
  if item.params[1] then return end
  for each in (formal or ""):gmatch "[%w_.]+" do
    item.params[#item.params + 1] = { name = each, optional = false }
  end
end

local function finish(items, item, line)
  if not item.kind then add_code(item, line) end
  if item.kind then items[#items + 1] = item end
end

--- The items of a file: `kind` ("module", "classmod", "function", "table", ...), `name` as
-- it is there ("Connection:fetch"), `params` or fields (lists of `name`, `optional`), `line`,
-- `is_local`.
-- @tparam string path
-- @treturn table list
function ldoc.read(path)
  local items, item, number = {}, nil, 0
  for line in (read(path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local text = line:match "^%-%-+(.*)$"
    if line:find "^%-%-%-" and not item then
      item = { path = path, line = number, params = {} }
    end
    if item and text then
      local tag, rest = text:match "^%s*@(%a+)(.*)$"
      if tag then add_tag(item, tag, rest) end
    elseif item then
      finish(items, item, line)
      item = nil
    end
  end
  return items
end

return ldoc
