local dump = require "spec.support.dump"
local vectors = require "spec.vectors.read"
local wire = require "dqlite.wire"

local function decoder_for(vector)
  return wire.decoder(vector.direction, { handshake = false })
end

-- The message of a vector, or the error; more than one message is a failure.
local function decode(vector)
  local decoder = decoder_for(vector)
  decoder:feed(vector.bytes)
  local message, err = decoder:next()
  if message then assert.is_nil((decoder:next())) end
  return message, err
end

local function decode_byte_by_byte(vector)
  local decoder = decoder_for(vector)
  for i = 1, #vector.bytes - 1 do
    decoder:feed(vector.bytes:sub(i, i))
    local early, err = decoder:next()
    if early or err then error("after byte " .. i .. " of " .. #vector.bytes) end
  end
  decoder:feed(vector.bytes:sub(-1))
  return decoder:next()
end

local function check_encoded(vector, message)
  local bytes, err = wire.encode(message.name, message)
  if vector.reencode == "refused" then
    assert.is_nil(bytes)
    assert.equal("value", err.kind)
  elseif vector.reencode == "no" then
    assert.not_equal(vector.bytes, bytes)
    local same = assert(decode { direction = vector.direction, bytes = bytes })
    assert.equal(vector.text, dump(same))
  else
    assert.equal(vector.bytes, bytes)
  end
end

local function check_all(name)
  for _, vector in ipairs(vectors.read(name)) do
    it(vector.name, function()
      local message = assert(decode(vector))
      assert.equal(vector.text, dump(message))
      assert.equal(vector.text, dump(assert(decode_byte_by_byte(vector))))
      check_encoded(vector, message)
    end)
  end
end

local function check_refused(vector)
  local decoder = decoder_for(vector)
  decoder:feed(vector.bytes)
  local message, err = decoder:next()
  assert.is_nil(message)
  assert.equal("protocol", err.kind)
  decoder:feed(("\0"):rep(64))
  message, err = decoder:next()
  assert.is_nil(message)
  assert.equal("protocol", err.kind)
end

describe("golden requests:", function() check_all("requests") end)
describe("golden responses:", function() check_all("responses") end)

describe("hostile frames:", function()
  for _, vector in ipairs(vectors.read("hostile")) do
    -- The others are wrong only in a conversation: spec/core/hostile_test.c.
    if vector.by == "codec" then
      it(vector.name, function() check_refused(vector) end)
    end
  end
end)

describe("golden requests in one stream", function()
  it("follow the version word", function()
    local decoder = wire.decoder("request")
    local vector = vectors.read("requests")[1]
    decoder:feed("\1\0\0\0\0\0\0")
    assert.is_nil((decoder:next()))
    decoder:feed("\0" .. vector.bytes)
    assert.same({ name = "HANDSHAKE", version = "1" }, (decoder:next()))
    assert.equal(vector.text, dump((decoder:next())))
  end)
end)

describe("golden responses in one stream", function()
  it("come out one by one, whatever the pieces", function()
    local all, expected = {}, {}
    for i, vector in ipairs(vectors.read("responses")) do
      all[i], expected[i] = vector.bytes, vector.text
    end
    all = table.concat(all)
    for _, size in ipairs { 7, 1000, #all } do
      local decoder, texts = wire.decoder("response"), {}
      for at = 1, #all, size do
        decoder:feed(all:sub(at, at + size - 1))
        local message, err = decoder:next()
        while message do
          texts[#texts + 1] = dump(message)
          message, err = decoder:next()
        end
        assert.is_nil(err)
      end
      assert.same(expected, texts)
    end
  end)
end)
