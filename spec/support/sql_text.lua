--- What a simulated server has to know of a text. It is read here by other
-- means than the library's, so that a slip of the scanner shows: literals,
-- quoted names and comments are blanked, then plain words are looked for.
local sql_text = {}

local CLOSES = { ["'"] = "'", ['"'] = '"', ["`"] = "`", ["["] = "]" }

-- Where the literal, name or comment that begins at `at` ends; nil: there is
-- none.
local function opaque_end(text, at)
  local two = text:sub(at, at + 1)
  if two == "--" then return (text:find("\n", at, true) or #text) end
  if two == "/*" then
    local _, last = text:find("*/", at + 2, true)
    return last or #text
  end
  local close = CLOSES[two:sub(1, 1)]
  if close then return text:find(close, at + 1, true) or #text end
end

--- The text with everything opaque replaced by one character; names in quotes
-- stay words, since a PRAGMA may be spelt so.
local function plain(text, keep_names)
  local out, at = {}, 1
  while at <= #text do
    local last = opaque_end(text, at)
    if not last then
      out[#out + 1] = text:sub(at, at)
      last = at
    elseif text:find("^[-/]", at) then
      out[#out + 1] = " "
    else
      out[#out + 1] = keep_names and " " .. text:sub(at + 1, last - 1) .. " " or "'"
    end
    at = last + 1
  end
  return table.concat(out)
end

--- Is a bare word in it?
function sql_text.has_word(text, word)
  return (" " .. plain(text):upper() .. " "):find("[^%w_]" .. word .. "[^%w_]") ~= nil
end

--- Do its columns follow the schema: is there a bare `*`?
function sql_text.has_star(text)
  local words = " " .. plain(text):upper()
  for before in words:gmatch "([^*]*)%*" do
    local last = before:match "(%S+)%s*$" or ""
    if last:find "[,.]$" or last == "SELECT" or last == "DISTINCT" or last == "ALL"
      or last == "RETURNING" then
      return true
    end
  end
  return false
end

--- Its first word in capitals; the one behind WITH's list for a WITH.
function sql_text.verb(text)
  local words = plain(text):upper()
  local first = words:match "^[%s;]*(%a+)" or ""
  if first ~= "WITH" then return first end
  return words:gsub("%b()", "()"):match "%)%s*(%a+)" or first
end

--- How many values it takes, numbered as SQLite does.
function sql_text.count_params(text)
  local highest, names = 0, {}
  for mark, name in plain(text):gmatch "([?:@$])([%w_]*)" do
    local number = mark == "?" and tonumber(name)
    if number then
      highest = math.max(highest, number)
    elseif mark == "?" and name == "" then
      highest = highest + 1
    elseif name ~= "" and not names[mark .. name] then
      names[mark .. name], highest = true, highest + 1
    end
  end
  return highest
end

-- The last two write while they yield rows.
local ANY_FORM = { WAL_CHECKPOINT = true, BUSY_TIMEOUT = true, READ_UNCOMMITTED = true,
  LOCKING_MODE = true, OPTIMIZE = true, INCREMENTAL_VACUUM = true }
local SETTER = { JOURNAL_MODE = true, PAGE_SIZE = true, WAL_AUTOCHECKPOINT = true,
  SYNCHRONOUS = true }

local function bad_pragma(text)
  local words = (" " .. plain(text, true) .. " "):upper():gsub("%s+", " ")
  if words:find "[^%w_]PRAGMA_OPTIMIZE[^%w_]" then return true end
  local behind = words:match "PRAGMA (.*)$"
  if not behind then return false end
  local name, rest = behind:gsub("^[%w_]+ ?%. ?", ""):match "^ ?([%w_]+) ?(.*)$"
  return ANY_FORM[name] or SETTER[name] and rest:find "^[=(]" ~= nil
end

--- Why a real server must not get it; nil: it may.
function sql_text.danger(text)
  local words = plain(text)
  local verb = sql_text.verb(text)
  if verb == "" then return "an empty statement" end
  if sql_text.has_word(text, "ATTACH") and not sql_text.has_word(text, "CREATE") then
    return "ATTACH"
  end
  if bad_pragma(text) then return "a PRAGMA that takes the node down" end
  if verb == "CREATE" and sql_text.has_word(text, "TRIGGER") then return nil end
  if words:find(";", 1, true) then return "a second statement, or what is behind one" end
end

return sql_text
