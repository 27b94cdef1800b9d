--- Numeric addresses: from text to bytes and back. Only the usual spellings are
-- read: four decimal numbers without leading zeros; for IPv6 what RFC 4291 has.
-- @module dqlite.ip

local ip = {}

local WORDS = 8 -- of 16 bits, in an IPv6 address

local function read_v4(text)
  local bytes = { text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  if #bytes ~= 4 then return nil end
  for i, digits in ipairs(bytes) do
    if #digits > 3 or digits:find "^0%d" or tonumber(digits) > 255 then return nil end
    bytes[i] = tonumber(digits)
  end
  return bytes
end

-- Appends the words between colons; the last two may be an IPv4 address.
local function read_words(text, words)
  if text == "" then return true end
  local rest = text .. ":"
  while rest ~= "" do
    local part, after = rest:match "^([^:]*):(.*)$"
    local v4 = after == "" and read_v4(part)
    if v4 then
      words[#words + 1] = v4[1] * 256 + v4[2]
      words[#words + 1] = v4[3] * 256 + v4[4]
    elseif part:find "^%x%x?%x?%x?$" then
      words[#words + 1] = tonumber(part, 16)
    else
      return false
    end
    rest = after
  end
  return true
end

-- What is left out at "::" is one word of zero or more.
local function expand(head, tail)
  local missing = WORDS - #head - #tail
  if missing < 1 then return nil end
  for _ = 1, missing do head[#head + 1] = 0 end
  for _, word in ipairs(tail) do head[#head + 1] = word end
  return head
end

local function read_v6(text)
  local head, tail = {}, {}
  local at = text:find("::", 1, true)
  if not at then
    return read_words(text, head) and #head == WORDS and head or nil
  end
  local before = text:sub(1, at - 1)
  if before:find(".", 1, true) then return nil end
  if not read_words(before, head) or not read_words(text:sub(at + 2), tail) then return nil end
  return expand(head, tail)
end

--- Reads a numeric host.
-- @tparam string host without brackets; an IPv6 address may have a zone
-- @treturn table|nil its 4 or 16 bytes, numbers; nil for anything else
-- @treturn string|nil the zone: "eth0" of "fe80::1%eth0"
function ip.parse(host)
  if #host > 256 then return nil end
  if not host:find(":", 1, true) then return read_v4(host) end
  local text, zone = host:match "^([^%%]*)%%(.+)$"
  local words = read_v6(text or host)
  if not words then return nil end
  local bytes = {}
  for i, word in ipairs(words) do
    bytes[2 * i - 1] = math.floor(word / 256)
    bytes[2 * i] = word % 256
  end
  return bytes, zone
end

-- The first of the longest runs of two words of zero or more.
local function find_gap(words)
  local first, length, run = nil, 1, 0
  for i = 1, WORDS do
    run = words[i] == 0 and run + 1 or 0
    if run > length then first, length = i - run + 1, run end
  end
  return first, length
end

local function join(words, first, last)
  local parts = {}
  for i = first, last do parts[#parts + 1] = ("%x"):format(words[i]) end
  return table.concat(parts, ":")
end

--- Writes an address as RFC 5952 has it, so that equal ones look the same.
-- @tparam table bytes 4 or 16
-- @treturn string
function ip.format(bytes)
  if #bytes == 4 then return table.concat(bytes, ".") end
  local words = {}
  for i = 1, WORDS do words[i] = bytes[2 * i - 1] * 256 + bytes[2 * i] end
  local first, length = find_gap(words)
  if not first then return join(words, 1, WORDS) end
  return join(words, 1, first - 1) .. "::" .. join(words, first + length, WORDS)
end

--- Do the bytes begin with these?
-- @tparam table bytes
-- @tparam table prefix
-- @treturn boolean
function ip.begins(bytes, prefix)
  for i, byte in ipairs(prefix) do
    if bytes[i] ~= byte then return false end
  end
  return true
end

--- The last four bytes of an address.
-- @tparam table bytes
-- @treturn table
function ip.last(bytes)
  local n = #bytes
  return { bytes[n - 3], bytes[n - 2], bytes[n - 1], bytes[n] }
end

ip.MAPPED = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 } -- ::ffff:0:0/96

return ip
