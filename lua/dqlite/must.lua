--- What the value of an option must be: functions that answer nil, or what it should have
-- been.
-- @module dqlite.must

local later = require "dqlite.later"

local policy = later.require "dqlite.policy"

local must = {}

local MIB = 1024 * 1024

function must.seconds(value)
  if type(value) ~= "number" or not (value > 0) then
    return "a positive number of seconds"
  end
end

function must.seconds_or_none(value)
  if type(value) ~= "number" or not (value >= 0) then
    return "a number of seconds, 0 for none"
  end
end

function must.count_or_none(value)
  if type(value) ~= "number" or value < 0 or value % 1 ~= 0 then
    return "a whole number, 0 for none"
  end
end

function must.bytes(value)
  if type(value) ~= "number" or value < 8 or value % 1 ~= 0 then
    return "a whole number of bytes"
  end
end

function must.frame_bytes(value)
  if must.bytes(value) or value > 1024 * MIB then
    return "a whole number of bytes up to 1 GiB"
  end
end

function must.count(value)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 then
    return "a positive whole number"
  end
end

function must.text(value)
  if type(value) ~= "string" then return "a string" end
end

function must.flag(value)
  if type(value) ~= "boolean" then return "true or false" end
end

function must.metatable(value)
  if type(value) ~= "table" then return "a table" end
end

function must.fn(value)
  if type(value) ~= "function" then return "a function" end
end

function must.redirect(value)
  local _, wanted = policy.of(value)
  return wanted
end

local in_nginx = rawget(_G, "ngx") ~= nil

function must.shared_dict(value)
  if type(value) ~= "string" or not in_nginx then
    return "the name of a lua_shared_dict of nginx"
  end
end

local function under_nginx(check)
  return function(value)
    if in_nginx then return check(value) end
    return "left out: nginx alone keeps connections"
  end
end

must.kept_text = under_nginx(must.text)
must.kept_count = under_nginx(must.count)
must.kept_count_or_none = under_nginx(must.count_or_none)

function must.anything() end

function must.one_of(...)
  local names = { ... }
  return function(value)
    for _, name in ipairs(names) do
      if value == name then return nil end
    end
    return "one of \"" .. table.concat(names, "\", \"") .. "\""
  end
end

local int64_policy = must.one_of("string", "cdata", "number", "string-all")

function must.int64(value)
  if value == "cdata" and not rawget(_G, "jit") then
    return "another policy: cdata needs LuaJIT"
  end
  return int64_policy(value)
end

function must.loop(value)
  if type(value) == "table" then
    if value.connect and value.now and value.sleep then return nil end
    return "a table with connect, now and sleep"
  end
  return must.one_of("blocking", "luv", "nginx", "cqueues")(value)
end

return must
