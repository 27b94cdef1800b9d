-- Headers that lie: each response with every type, every schema and lengths at
-- their extremes; and every bit of every response turned over.
local cases = require "spec.support.hostile_case"
local hostile = require "spec.support.hostile"
local wire = require "dqlite.wire"

local FAILURE = 0
local MIB = 1024 * 1024

local function word(n)
  local bytes = {}
  for i = 1, 4 do
    bytes[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(bytes)
end

local function with_words(bytes, n) return word(n) .. bytes:sub(5) end
local function with_type(bytes, n) return bytes:sub(1, 4) .. string.char(n) .. bytes:sub(6) end
local function with_schema(bytes, n) return bytes:sub(1, 5) .. string.char(n) .. bytes:sub(7) end

local function words_of(bytes) return #bytes / 8 - 1 end

-- Cases with `bad`, made by fn(case, bytes, add) from one case of each response.
local function each_response(fn)
  return hostile.list(function(add)
    for _, case in ipairs(cases.one_of_each()) do
      fn(case, case.bytes, function(what, bad)
        add(cases.like(case, what, { bad = bad }))
      end)
    end
  end)
end

local function spoil(case) return cases.spoil(case, case.bad, "fin") end

-- What cannot be read leaves the same doubt as what is lost.
local function check_each(list, kind)
  hostile.each_of_many(list, spoil, function(case) cases.check(case, kind) end)
end

local function decodes(bytes)
  local decoder = wire.decoder "response"
  decoder:feed(bytes)
  return (decoder:next())
end

hostile.describe("headers", function()
  it("may announce no body, or one that no message has", function()
    check_each(each_response(function(_, bytes, add)
      for _, n in ipairs { 0, 64 * MIB / 8 + 1, 2 ^ 27, 2 ^ 27 + 1, 2 ^ 29, 2 ^ 31 - 1, 2 ^ 31,
        2 ^ 31 + 1, 2 ^ 32 - 1 } do
        add(n .. " words", with_words(bytes, n))
      end
    end), "protocol")
  end)

  it("may announce a word less than there is", function()
    check_each(each_response(function(_, bytes, add)
      local n = words_of(bytes) - 1
      add(n .. " words", with_words(bytes, n))
    end), "protocol")
  end)

  it("may announce more than comes", function()
    check_each(each_response(function(_, bytes, add)
      for _, n in ipairs { words_of(bytes) + 1, 2 ^ 16, 64 * MIB / 8 } do
        add(n .. " words", with_words(bytes, n))
      end
    end), "closed")
  end)

  it("may announce a word behind the message", function()
    check_each(each_response(function(_, bytes, add)
      -- a FAILURE is read from its end
      if bytes:byte(5) == FAILURE then return end
      add("and a word", with_words(bytes, words_of(bytes) + 1) .. ("\0"):rep(8))
    end), "protocol")
  end)

  it("may have another type", function()
    check_each(each_response(function(_, bytes, add)
      for n = 0, 255 do
        local bad = with_type(bytes, n)
        local failure = n == FAILURE and decodes(bad)
        if n ~= bytes:byte(5) and not failure then add("type " .. n, bad) end
      end
    end), "protocol")
  end)

  it("may have another schema", function()
    check_each(each_response(function(_, bytes, add)
      for n = 0, 255 do
        if n ~= bytes:byte(6) then add("schema " .. n, with_schema(bytes, n)) end
      end
    end), "protocol")
  end)

  it("may have any bit wrong", function()
    hostile.each_of_many(each_response(function(_, bytes, add)
      for i = 1, #bytes do
        for bit = 0, 7 do
          local byte, value = bytes:byte(i), 2 ^ bit
          local flipped = byte + (byte % (2 * value) < value and value or -value)
          add(("bit %d of byte %d"):format(bit, i),
            bytes:sub(1, i - 1) .. string.char(flipped) .. bytes:sub(i + 1))
        end
      end
    end), spoil, function(case)
      local conn = cases.connect(case.talk)
      local answer, err = case.talk.call(conn)
      if answer == nil and err then
        assert(err.kind, err)
        if not case.talk.raw then assert.equal(not err.fatal, conn:is_open(), tostring(err)) end
      end
      conn:close()
    end)
  end)
end)

hostile.describe("headers of an opening", function()
  local FRAMES = { "SERVER", "WELCOME", "DB" }

  local function split(bytes)
    local frames = {}
    while #bytes > 0 do
      local size = 8 + 8 * bytes:byte(1)
      frames[#frames + 1], bytes = bytes:sub(1, size), bytes:sub(size + 1)
    end
    return frames
  end

  local function check(fn)
    hostile.each(hostile.list(function(add)
      for i, name in ipairs(FRAMES) do
        fn(split(hostile.opening())[i], function(what, bad)
          add { name = name .. ", " .. what, place = i, bad = bad }
        end)
      end
    end), function(case)
      local frames = split(hostile.opening())
      frames[case.place] = case.bad
      hostile.script { { "await", 3 }, { "send", table.concat(frames) }, { "fin" } }
      hostile.ended("protocol", false, hostile.try())
    end)
  end

  it("may announce what no message has", function()
    check(function(bytes, add)
      for _, n in ipairs { 0, 2 ^ 31, 2 ^ 32 - 1 } do add(n .. " words", with_words(bytes, n)) end
    end)
  end)

  it("may have another type", function()
    check(function(bytes, add)
      for n = 0, 255 do
        local bad = with_type(bytes, n)
        local failure = n == FAILURE and decodes(bad)
        if n ~= bytes:byte(5) and not failure then add("type " .. n, bad) end
      end
    end)
  end)

  it("may have another schema", function()
    check(function(bytes, add)
      for n = 1, 255 do add("schema " .. n, with_schema(bytes, n)) end
    end)
  end)

  it("may name a database other than 0, or a leader without an id", function()
    check(function(bytes, add)
      if bytes:byte(5) == 4 then add("database 1", bytes:sub(1, 8) .. word(1) .. word(0)) end
      if bytes:byte(5) == 1 then add("id 0", bytes:sub(1, 8) .. ("\0"):rep(8) .. bytes:sub(17)) end
    end)
  end)
end)
