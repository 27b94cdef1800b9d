--- Policies for the option `redirect`: which of the addresses that servers name
-- may be dialled. A policy is a function that is given an address and answers true,
-- or false and perhaps a reason.
-- @module dqlite.policy

local core = require "dqlite.core"
local errors = require "dqlite.error"
local ip = require "dqlite.ip"
local member = require "dqlite.member"
local members = require "dqlite.members"

local policy = {}

local WANTED = "a function or a list of addresses"

-- ---- a list ----

local function of_list(list)
  local count, wrong = members.count(list)
  if not count then return nil, wrong end
  local allowed = {}
  for i = 1, count do
    local address, reason = member.address(rawget(list, i))
    if not address then return nil, ("entry %d: %s"):format(i, reason) end
    allowed[member.canonical(address)] = true
  end
  return function(address)
    if allowed[member.canonical(address)] then return true end
    return false, "it is not in the list"
  end
end

--- Makes a policy that allows these addresses and no others. Raises what is no
-- address.
-- @tparam table list of addresses: "DB:9001" is the same as "db:9001", but a name is not
-- its number
-- @treturn function a policy
function policy.allow(list)
  if type(list) ~= "table" then
    errors.misuse("allow takes a list of addresses, not a " .. type(list))
  end
  local allows, wrong = of_list(list)
  if not allows then errors.misuse("the list of allowed addresses: " .. wrong) end
  return allows
end

-- ---- by the kind of address ----

local LOOPBACK, PRIVATE = "a loopback address", "a private address"
local NAME, NO_NAME = "a name", "no host name"

-- By the first bytes: from, to.
local V4 = {
  { { 0, 0 }, { 0, 255 }, "an address of no host" },
  { { 10, 0 }, { 10, 255 }, PRIVATE },
  { { 100, 64 }, { 100, 127 }, PRIVATE },
  { { 127, 0 }, { 127, 255 }, LOOPBACK },
  { { 169, 254 }, { 169, 254 }, "a link-local address" },
  { { 172, 16 }, { 172, 31 }, PRIVATE },
  { { 192, 168 }, { 192, 168 }, PRIVATE },
  { { 224, 0 }, { 239, 255 }, "a multicast address" },
  { { 240, 0 }, { 255, 255 }, "a reserved address" },
}
local V6 = {
  { { 0xfc, 0 }, { 0xfd, 0xff }, PRIVATE },
  { { 0xfe, 0x80 }, { 0xfe, 0xbf }, "a link-local address" },
  { { 0xfe, 0xc0 }, { 0xfe, 0xff }, PRIVATE }, -- "site-local", once
  { { 0xff, 0 }, { 0xff, 0xff }, "a multicast address" },
}

local function range_of(bytes, ranges)
  local word = bytes[1] * 256 + bytes[2]
  for _, range in ipairs(ranges) do
    local from, to = range[1], range[2]
    if word >= from[1] * 256 + from[2] and word <= to[1] * 256 + to[2] then return range[3] end
  end
end

local ZEROS = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
local TRANSLATED = { 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0 } -- ::ffff:0:0:0/96
local NAT64 = { 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0 } -- 64:ff9b::/96
local SIX_TO_FOUR = { 0x20, 0x02 } -- 2002::/16
local TEREDO = { 0x20, 0x01, 0, 0 } -- 2001::/32

-- The IPv4 address that packets to this IPv6 address come to in the end.
local function embedded(bytes)
  for _, prefix in ipairs { ip.MAPPED, ZEROS, TRANSLATED, NAT64 } do
    if ip.begins(bytes, prefix) then return ip.last(bytes) end
  end
  if ip.begins(bytes, SIX_TO_FOUR) then return { bytes[3], bytes[4], bytes[5], bytes[6] } end
  if not ip.begins(bytes, TEREDO) then return nil end
  local client = ip.last(bytes)
  for i = 1, 4 do client[i] = 255 - client[i] end
  return client
end

local function kind_of_number(bytes)
  if #bytes == 4 then return range_of(bytes, V4) end
  if ip.format(bytes) == "::1" then return LOOPBACK end
  local v4 = embedded(bytes)
  return v4 and range_of(v4, V4) or range_of(bytes, V6)
end

local LOCAL_NAMES = { "localhost", "localhost.localdomain", "localhost4", "localhost6",
  "localhost4.localdomain4", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback" }
for _, name in ipairs(LOCAL_NAMES) do LOCAL_NAMES[name] = true end

-- Of a name in lower case. A resolver takes 127.1, 0x7f.1 and 2130706433 for
-- numbers. Letters are not %a, which depends on the locale.
local function kind_of_name(name)
  local last = name:match "[^.]*$"
  if last:find "^%d+$" or last:find "^0x%x*$" then return "an odd spelling of a number" end
  if name:find "[^0-9a-z._-]" or ("." .. name .. "."):find("..", 1, true) then return NO_NAME end
  if LOCAL_NAMES[name] or name:find "%.localhost$" then return LOOPBACK end
  return NAME
end

-- nil for an address that nothing speaks against.
local function kind_of(address)
  local kind, host = core.parse_address(address)
  if kind ~= "tcp" then return LOOPBACK end
  host = host:lower():gsub("(.)%.$", "%1")
  local bytes = ip.parse(host)
  if bytes then return kind_of_number(bytes) end
  return host:find(":", 1, true) and NO_NAME or kind_of_name(host)
end

local SAFE = { private = true, loopback = false, names = true }

local function with_defaults(opts)
  local settings = {}
  for name, value in pairs(SAFE) do settings[name] = value end
  for name, value in pairs(opts) do
    if SAFE[name] == nil then errors.misuse(("unknown option '%s'"):format(tostring(name))) end
    if type(value) ~= "boolean" then
      errors.misuse(("option '%s' must be true or false"):format(name))
    end
    settings[name] = value
  end
  return settings
end

--- Makes a policy against servers that name addresses which are none of theirs: it
-- refuses this machine (loopback, names like "localhost", unix sockets) and what is
-- link-local, unspecified, multicast or reserved, also as an IPv4 address in an IPv6
-- one (mapped, 6to4, Teredo, NAT64), and odd spellings of numbers. It does not know
-- what a name stands for: with names from servers that are not trusted, `names =
-- false`.
-- @tparam[opt] table opts `private` (true: 10/8, 172.16/12, 192.168/16, 100.64/10
-- and fc00::/7 may be dialled), `loopback` (false: this machine may not), `names`
-- (true: other host names may)
-- @treturn function a policy
function policy.safe(opts)
  if opts ~= nil and type(opts) ~= "table" then
    errors.misuse("options are a table, not a " .. type(opts))
  end
  local settings = with_defaults(opts or {})
  local allowed = { [LOOPBACK] = settings.loopback, [PRIVATE] = settings.private,
    [NAME] = settings.names }
  return function(address)
    local valid, wrong = member.address(address)
    if not valid then return false, wrong end
    local kind = kind_of(address)
    if not kind or allowed[kind] then return true end
    return false, "it is " .. kind
  end
end

-- ---- using them ----

--- The policy that the option `redirect` stands for.
-- @param option a function, or a list of addresses for policy.allow
-- @treturn function|nil
-- @treturn string|nil what it must be
-- @local
function policy.of(option)
  if type(option) == "function" then return option end
  if type(option) ~= "table" then return nil, WANTED end
  local allows, wrong = of_list(option)
  if not allows then return nil, ("%s (%s)"):format(WANTED, wrong) end
  return allows
end

local function refusal(address, reason)
  local shown = errors.visible(address)
  local message = "the policy refuses " .. shown
  if reason ~= nil then
    message = message .. ": " .. errors.visible(errors.describe(reason))
  end
  return errors.new { kind = "policy", message = message, address = shown, fatal = true }
end

--- Asks a policy. Nothing but true allows: one that raises, or answers something
-- else, refuses.
-- @tparam function fn
-- @tparam string address
-- @treturn boolean|nil true
-- @treturn dqlite.error|nil an error of kind "policy", fatal and not retryable; `address`
-- is made safe to print, as it may be a server's text
-- @local
function policy.ask(fn, address)
  local ok, allowed, reason = pcall(fn, address)
  if not ok then return nil, refusal(address, "it raised: " .. errors.describe(allowed)) end
  if allowed == true then return true end
  if allowed and reason == nil then reason = "it answered a " .. type(allowed) .. ", not true" end
  return nil, refusal(address, reason)
end

return policy
