--- The canonical text of a decoded message, as the line `text` of a golden
-- frame has it (spec/vectors/README.md).
-- luacheck: read globals math.frexp string.pack
local wire = require "dqlite.wire"

-- Fields whose strings are texts; a string in another field is a number that
-- Lua cannot hold.
local texts = {
  database = true, vfs = true, sql = true, address = true, message = true,
}

local function whole(value)
  if type(value) == "string" then return value end
  if type(value) == "boolean" then return value and "1" or "0" end
  return ("%d"):format(value)
end

local function escape(byte)
  return ("\\x%02x"):format(byte:byte())
end

local function quoted(s)
  return '"' .. s:gsub('["\\]', escape):gsub("[^ -~]", escape) .. '"'
end

local function hex(s)
  return (s:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- The two halves of a double's bits, by arithmetic: no Lua before 5.3 can
-- tell them.
local function halves(real)
  local sign = (real < 0 or 1 / real < 0) and 2 ^ 31 or 0
  real = math.abs(real)
  if real == 0 then return sign, 0 end
  if real == math.huge then return sign + 2047 * 2 ^ 20, 0 end
  local mantissa, exponent = math.frexp(real)
  local field = exponent + 1022
  if field > 0 then
    mantissa = (mantissa * 2 - 1) * 2 ^ 52
  else
    mantissa, field = mantissa * 2 ^ (exponent + 1074), 0
  end
  local low = mantissa % 2 ^ 32
  return sign + field * 2 ^ 20 + (mantissa - low) / 2 ^ 32, low
end

local function bits(real)
  if string.pack then return "0x" .. hex(string.pack(">d", real)) end
  return ("0x%08x%08x"):format(halves(real))
end

local function tail(digits)
  return digits == "" and "" or " " .. digits
end

local shown = {
  INTEGER = whole, UNIXTIME = whole, BOOLEAN = whole,
  FLOAT = bits, TEXT = quoted, ISO8601 = quoted, BLOB = hex,
  NULL = function() return "" end,
}

local function tuple(values)
  local list = {}
  for i = 1, values.n do
    local name = values.types[i]
    list[i] = name .. tail(shown[name](values[i]))
  end
  return "[" .. table.concat(list, ", ") .. "]"
end

local function each(list, n, show)
  local result = {}
  for i = 1, n do result[i] = show(list[i]) end
  return "[" .. table.concat(result, ", ") .. "]"
end

local lists = {}

function lists.params(params) return "params=" .. tuple(params) end

function lists.rows(rows)
  return "columns=" .. each(rows.columns, #rows.columns, quoted)
    .. " rows=" .. each(rows, rows.n, tuple)
    .. " end=" .. (rows.more and "PART" or "DONE")
end

function lists.servers(servers)
  return "servers=" .. each(servers, #servers, function(server)
    return server.id .. " " .. quoted(server.address)
      .. (server.role and " " .. whole(server.role) or "")
  end)
end

function lists.files(files)
  return "files=" .. each(files, #files, function(file)
    return quoted(file.name) .. tail(hex(file.content))
  end)
end

-- `params` of STMT is a count.
local function field(name, value)
  if type(value) == "table" then return lists[name](value) end
  return name .. "=" .. (texts[name] and quoted(value) or whole(value))
end

--- Shows a message of dqlite.wire.
-- @tparam table message
-- @treturn string one line
return function(message)
  local schemas = wire.messages.requests[message.name]
    or wire.messages.responses[message.name]
  local words = { message.name .. "/" .. message.schema }
  for _, name in ipairs(schemas[message.schema]) do
    local value = message[name]
    -- ASSIGN's role may be absent.
    if value ~= nil then words[#words + 1] = field(name, value) end
  end
  return table.concat(words, " ")
end
