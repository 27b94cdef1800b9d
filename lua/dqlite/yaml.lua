--- go-dqlite's cluster.yaml: a list of mappings with Address, ID and Role. Of YAML
-- this reads what such a list is written in by people and programs: any order of
-- the keys, in lower case too, plain and quoted values, comments, blank lines.
-- Anything else is an error, never something to be guessed at: a YAML library may
-- take an id for a float, and an address for a number of base 60.
-- @module dqlite.yaml

local errors = require "dqlite.error"
local member = require "dqlite.member"
local members = require "dqlite.members"

local yaml = {}

local LINE_MAX = 1024 -- bytes of a line that is no comment
local SHOWN = 80 -- bytes of a wrong value

local KEYS = { ID = "id", id = "id", Address = "address", address = "address",
  Role = "role", role = "role" }
local ROLES = { ["0"] = "voter", ["1"] = "standby", ["2"] = "spare" }
local NUMBERS = { voter = 0, standby = 1, spare = 2 }

local READ = {
  id = member.id,
  address = member.address,
  role = function(text)
    local role = member.role(ROLES[text] or text)
    return role, not role and "a Role is 0 (voter), 1 (stand-by) or 2 (spare)" or nil
  end,
}

-- ---- values ----

-- Stand for escaped characters while the end of the quotes is looked for; control
-- characters have been refused before.
local SAVED = { ["''"] = "\1", ['\\"'] = "\2", ["\\\\"] = "\3" }
local MEANT = { ["\1"] = "'", ["\2"] = '"', ["\3"] = "\\" }

local function read_quoted(value)
  local quote = value:sub(1, 1)
  local body = value:sub(2):gsub(quote == "'" and "''" or '\\["\\]', SAVED)
  local text, rest = body:match("^([^" .. quote .. "]*)" .. quote .. "(.*)$")
  if not text then return nil, "the quotes do not end" end
  if rest ~= "" and not rest:find "^ +#" and not rest:find "^ +$" then
    return nil, "something follows the quotes"
  end
  if quote == '"' and text:find("\\", 1, true) then
    return nil, "of the escapes only \\\" and \\\\ are read"
  end
  return (text:gsub("[\1-\3]", MEANT))
end

local function read_plain(value)
  local comment = value:find(" #", 1, true)
  local text = value:sub(1, comment and comment - 1):match "^(.-) *$"
  if text:find "^[%[%]{}&*!|>%%@`,?]" then
    return nil, ("a value that begins with '%s' needs quotes"):format(text:sub(1, 1))
  end
  if text:find(": ", 1, true) or text:find ":$" then
    return nil, "a value with a colon at its end needs quotes"
  end
  return text
end

local function read_value(value)
  if value == "" or value:find "^#" then return nil, "the value is missing" end
  if value:find "^['\"]" then return read_quoted(value) end
  return read_plain(value)
end

-- ---- lines ----

local function set_field(node, key, value)
  local field = KEYS[key]
  if not field then
    return ("the key '%s' is none of Address, ID and Role"):format(errors.visible(key))
  end
  if node[field] then return key .. " is there twice" end
  local text, wrong = read_value(value)
  if not text then return wrong end
  node[field], wrong = READ[field](text)
  return wrong and ("'%s': %s"):format(errors.visible(text:sub(1, SHOWN)), wrong)
end

local function check_complete(node)
  if not node then return nil end
  if not node.address then return "the node that begins here has no Address" end
  if not node.id then return "the node that begins here has no ID" end
  node.role = node.role or "voter"
end

-- The indent of the keys is that of the node's first key.
local function read_pair(state, indent, text)
  local node = state.node
  if not node then return "a list begins with '- '" end
  local key, value = text:match "^(%w+): *(.*)$"
  if not key or text:sub(#key + 2):find "^[^ ]" then return "this is no 'key: value'" end
  state.indent = state.indent or indent
  if indent ~= state.indent or indent <= state.dash then return "the indent is another" end
  return set_field(node, key, value)
end

local function read_item(state, indent, rest)
  state.dash = state.dash or indent
  if indent ~= state.dash then return "the indent is another" end
  if #state.nodes >= members.MAX then
    return ("there are more than %d nodes"):format(members.MAX)
  end
  state.node, state.node_line, state.indent = {}, state.line, nil
  state.nodes[#state.nodes + 1] = state.node
  local blanks, text = rest:match "^( *)(.*)$"
  if text == "" or text:find "^#" then return nil end
  return read_pair(state, indent + 1 + #blanks, text)
end

local EMPTY = { ["[]"] = true, null = true, ["~"] = true }

-- Before the first node: the start of the document, or all of an empty one.
local function read_start(state, text)
  local word = text:match "^(%S+) *$" or text:match "^(%S+) +#"
  if word == "---" and not state.started then
    state.started = true
    return true
  end
  state.ended = EMPTY[word] and not state.node or state.ended
  return state.ended
end

local function read_content(state, line)
  local indent, text = line:match "^( *)(.*)$"
  indent = #indent
  if state.ended then return "something follows the end" end
  if indent == 0 and read_start(state, text) then return nil end
  state.started = true
  local rest = text:match "^%-( .*)$" or text == "-" and ""
  if not rest then return read_pair(state, indent, text) end
  local line_of_last, wrong = state.node_line, check_complete(state.node)
  if not wrong then return read_item(state, indent, rest) end
  state.line = line_of_last
  return wrong
end

local function read_line(state, line)
  if line:find "^ *$" or line:find "^[ \t]*#" then return nil end
  if #line > LINE_MAX then return "the line is too long" end
  if line:find "\t" then return "a tab outside of a comment" end
  return read_content(state, line)
end

-- Of the characters that are not ASCII, to YAML these three end a line.
local function has_hidden(line)
  return line:find "[%z\1-\8\11-\31\127]" or line:find "\194\133"
    or line:find "\226\128[\168\169]"
end

local function each_line(text)
  return text:gsub("^\239\187\191", ""):gsub("\r\n", "\n"):gsub("\r$", "")
    :gmatch "([^\n]*)\n?"
end

--- Reads a list of nodes.
-- @tparam string text
-- @treturn table|nil list of nodes: id, address, role ("voter" where it is missing);
-- empty for an empty text
-- @treturn string|nil what is wrong, with the number of the line
function yaml.read(text)
  local state = {
    nodes = {},
    line = 0, -- the number of the line, for errors
    node = nil, -- the last node, yet to be completed
    node_line = nil, -- where it begins
    dash = nil, -- the indent of the list
    indent = nil, -- that of the node's keys
    started = false, -- was there anything yet?
    ended = false, -- may nothing follow?
  }
  for line in each_line(text) do
    state.line = state.line + 1
    local wrong = has_hidden(line) and "a control character" or read_line(state, line)
    if wrong then return nil, ("line %d: %s"):format(state.line, wrong) end
  end
  local wrong = check_complete(state.node)
  if wrong then return nil, ("line %d: %s"):format(state.node_line, wrong) end
  return state.nodes
end

-- ---- writing ----

local function quote(address)
  if address:find "^%a[%w.-]*:%d+$" or address:find "^%d+%.%d+%.%d+%.%d+:%d+$" then
    return address
  end
  return "'" .. address:gsub("'", "''") .. "'"
end

--- Writes a list of nodes as go-dqlite does, which reads it.
-- @tparam table list of nodes: id (or nil, which becomes 0, as in go-dqlite's own
-- list of nodes whose ids are not known yet), address, role (or nil: a voter)
-- @treturn string|nil
-- @treturn string|nil what cannot be written
function yaml.write(list)
  if #list == 0 then return "[]\n" end
  local parts = {}
  for i, each in ipairs(list) do
    if each.address:find "[^\33-\126]" then
      return nil, ("entry %d: the address is not ASCII"):format(i)
    end
    parts[i] = ("- Address: %s\n  ID: %s\n  Role: %d\n"):format(quote(each.address),
      each.id or "0", NUMBERS[each.role or "voter"])
  end
  return table.concat(parts)
end

return yaml
