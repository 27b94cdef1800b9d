-- Tables of options: each option has a checker, which answers the value as
-- node_core takes it (decimal text for numbers), or nil and what it expected.

local errors = require "dqlite.error"

local WORD32_MAX = 4294967295
local INT_MAX = 2147483647
local WORD64_MAX = "18446744073709551615"
local EXACT_MAX = 9007199254740992 -- 2^53

local STRATEGIES = { static = "0", dynamic = "1" }
local ROLES = { voter = "0", standby = "1", spare = "2" }

local options = {}

-- Values ------------------------------------------------------------------

-- A whole number as decimal text; on Lua 5.4 integers of any size are exact.
local function whole(value)
  if type(value) ~= "number" then return nil end
  if math.type and math.type(value) == "integer" then
    return string.format("%d", value)
  end
  if value % 1 ~= 0 or value > EXACT_MAX or value < -EXACT_MAX then
    return nil
  end
  return string.format("%.0f", value)
end

-- Digits that fit 64 bits, without leading zeros; nil for anything else.
local function word64(value)
  local text = type(value) == "string" and value or whole(value)
  local digits = text and text:match "^0*(%d+)$"
  if not digits or #digits > #WORD64_MAX then return nil end
  if #digits == #WORD64_MAX and digits > WORD64_MAX then return nil end
  return digits
end

local function failure_domain(value)
  local digits = word64(value)
  if digits then return digits end
  return nil, "a whole number below 2^64, as a decimal string above 2^53"
end

local function id(value)
  local digits = word64(value)
  if digits and digits ~= "0" then return digits end
  return nil, "a whole number from 1, below 2^64, as a decimal string above 2^53"
end

local function integer(low, high)
  local expected = string.format("a whole number from %d to %.0f", low, high)
  return function(value)
    local text = whole(value)
    if not text or value < low or value > high then return nil, expected end
    return text
  end
end

-- Seconds to the whole milliseconds that libdqlite counts in.
local function milliseconds(low, high)
  local expected = string.format("seconds from %g to %d", low, high)
  return function(value)
    if type(value) ~= "number" or not (value >= low and value <= high) then
      return nil, expected
    end
    return string.format("%.0f", value * 1000)
  end
end

local function boolean(value)
  if type(value) ~= "boolean" then return nil, "a boolean" end
  return value and "1" or "0"
end

local function text(value)
  if type(value) ~= "string" then return nil, "a string" end
  return value
end

local function block_size(value)
  for exponent = 9, 18 do
    if value == 2 ^ exponent then return whole(value) end
  end
  return nil, "a power of two from 512 to 262144 (bytes)"
end

local function strategy(value)
  if STRATEGIES[value] then return STRATEGIES[value] end
  return nil, "'static' or 'dynamic'"
end

local function role(value)
  if ROLES[value] then return ROLES[value] end
  return nil, "'voter', 'standby' or 'spare'"
end

-- Tables ------------------------------------------------------------------

local function shown(value)
  if type(value) == "number" then return tostring(value) end
  if type(value) == "string" then return string.format("%q", value:sub(1, 40)) end
  return type(value)
end

-- Answers the checked values; raises where one is wrong or unknown.
local function check(where, values, checkers)
  if type(values) ~= "table" then
    errors.misuse(string.format("%s: a table expected, got %s", where, type(values)))
  end
  local checked = {}
  for name, value in pairs(values) do
    local checker = checkers[name]
    if not checker then
      errors.misuse(string.format("%s: unknown option '%s'", where, tostring(name)))
    end
    local good, expected = checker(value)
    if good == nil then
      errors.misuse(string.format("%s: option '%s' must be %s, got %s",
        where, name, expected, shown(value)))
    end
    checked[name] = good
  end
  return checked
end

local function require_all(where, checked, names)
  for _, name in ipairs(names) do
    if checked[name] == nil then
      errors.misuse(string.format("%s: option '%s' is missing", where, name))
    end
  end
end

local SNAPSHOT = {
  threshold = integer(1, WORD32_MAX),
  trailing = integer(4, WORD32_MAX),
  strategy = strategy,
}

-- The defaults are libdqlite's own, and so is the rule (src/server.c).
local function snapshot(value)
  local where = "dqlite.node.new: option 'snapshot'"
  local checked = check(where, value, SNAPSHOT)
  checked.threshold = checked.threshold or "1024"
  checked.trailing = checked.trailing or "8192"
  if tonumber(checked.trailing) < tonumber(checked.threshold) then
    errors.misuse(where .. ": trailing must be at least threshold")
  end
  return checked
end

local MEMBER = { id = id, address = text, role = role }

local function members(value)
  if type(value) ~= "table" or #value == 0 then
    return nil, "a list of members"
  end
  local checked = {}
  for i, member in ipairs(value) do
    local where = string.format("dqlite.node.recover: members[%d]", i)
    checked[i] = check(where, member, MEMBER)
    require_all(where, checked[i], { "id", "address" })
    checked[i].role = checked[i].role or ROLES.voter
  end
  return checked
end

local NEW = {
  id = id,
  address = text,
  bind_address = text,
  dir = text,
  latency = milliseconds(0.001, 3600),
  failure_domain = failure_domain,
  snapshot = snapshot,
  snapshot_compression = boolean,
  block_size = block_size,
  target_voters = integer(1, INT_MAX),
  target_standbys = integer(0, INT_MAX),
  role_management = boolean,
  auto_recovery = boolean,
  busy_timeout = milliseconds(0, 4294967),
}

local RECOVER = { id = id, address = text, dir = text, members = members }

options.VOTER = ROLES.voter

function options.check_new(values)
  local where = "dqlite.node.new"
  local checked = check(where, values, NEW)
  require_all(where, checked, { "address", "dir" })
  return checked
end

function options.check_recover(values)
  local where = "dqlite.node.recover"
  local checked = check(where, values, RECOVER)
  require_all(where, checked, { "id", "address", "dir", "members" })
  return checked
end

return options
