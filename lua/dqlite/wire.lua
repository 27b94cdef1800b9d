--- The codec alone, for tools: messages of either direction to bytes and back.
--
-- A message is a table with `name`, `number`, `schema` and its fields, as
-- `wire.messages` lists them. Node ids are decimal strings; other numbers are
-- numbers where Lua holds them exactly, else decimal strings. `params` and each
-- row are lists with `n` and `types`; NULL is dqlite.null.
-- @module dqlite.wire

local core = require "dqlite.native".load "dqlite.core"
local errors = require "dqlite.error"

local wire = {}

local DEFAULT_MAX = 64 * 1024 * 1024
local FRAME_MAX = 1024 * 1024 * 1024

--- The eight bytes that a client sends before its first request.
-- @field HANDSHAKE
wire.HANDSHAKE = "\1\0\0\0\0\0\0\0"

--- What messages there are: for each name its `number` and, for each schema version, the
-- list of its fields.
-- @table messages
-- @tfield table requests
-- @tfield table responses
wire.messages = { requests = core.requests, responses = core.responses }

--- Encodes a message.
-- @tparam string name as in wire.messages
-- @tparam[opt] table fields what is left out is 0, empty or no list; `schema`
-- selects the version
-- @treturn string|nil the frame
-- @treturn dqlite.error|nil an error of kind "value": what harms servers, a text
-- with a NUL, more parameters than the schema counts
function wire.encode(name, fields)
  local ok, bytes, reason = pcall(core.encode, name, fields or {})
  if not ok then errors.raised(bytes) end
  if bytes then return bytes end
  return nil, errors.new { kind = "value", message = reason }
end

local Decoder = {}
Decoder.__index = Decoder

local function check_options(opts)
  for name in pairs(opts) do
    if name ~= "max" and name ~= "handshake" then
      errors.misuse(("unknown option '%s'"):format(tostring(name)))
    end
  end
  local max = opts.max
  if max ~= nil and (type(max) ~= "number" or not (max >= 8 and max <= FRAME_MAX)) then
    errors.misuse("option 'max' must be a number of bytes up to 1 GiB")
  end
  return opts
end

--- Makes a decoder of a stream of messages.
-- @tparam string direction "request" or "response"
-- @tparam[opt] table opts `handshake = false`: the requests begin without the
-- version word, else it comes out first as a message HANDSHAKE; `max`: bytes of
-- the largest frame, 64 MiB
-- @treturn Decoder
function wire.decoder(direction, opts)
  opts = check_options(opts or {})
  if direction ~= "request" and direction ~= "response" then
    errors.misuse("a decoder is for \"request\" or \"response\"")
  end
  local requests = direction == "request"
  local handshake = requests and opts.handshake ~= false
  local decoder = core.decoder(requests, handshake, opts.max or DEFAULT_MAX)
  return setmetatable({ core = decoder }, Decoder)
end

--- A decoder, by @{decoder}.
-- @type Decoder

--- Takes bytes as they come.
-- @tparam string bytes any number of them
function Decoder:feed(bytes)
  if type(bytes) ~= "string" then errors.misuse("feed takes a string") end
  self.core:feed(bytes)
end

--- The next message.
--
-- SERVERS does not say whether its entries have roles: both are tried.
-- @treturn table|nil nil when more bytes are wanted
-- @treturn dqlite.error|nil an error of kind "protocol", from then on every time
function Decoder:next()
  local message, reason = self.core:next()
  if message or not reason then return message end
  return nil, errors.new { kind = "protocol", message = reason, fatal = true }
end

return wire
