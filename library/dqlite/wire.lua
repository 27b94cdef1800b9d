---@meta dqlite.wire

---A message of either direction. Its fields are those of `wire.messages`.
---@class dqlite.wire.Message
---@field name string
---@field number? integer
---@field schema? integer version of its layout
---@field [string] any

---What a message looks like: its number, and the names of its fields by schema.
---@class dqlite.wire.Layout
---@field number integer
---@field [integer] string[]

---What messages there are, by name.
---@class dqlite.wire.Messages
---@field requests table<string, dqlite.wire.Layout>
---@field responses table<string, dqlite.wire.Layout>

---Whose messages are read.
---@alias dqlite.wire.Direction
---| "request"
---| "response"

---Options of a decoder.
---@class dqlite.wire.DecoderOptions
---@field handshake? boolean false: the requests begin without the version word
---@field max? integer bytes of the largest frame (64 MiB)

---The codec alone: messages to bytes, and back.
---@class dqlite.wire
---@field HANDSHAKE string the eight bytes that a client sends first
---@field messages dqlite.wire.Messages
local wire = {}

---Encodes a message.
---@nodiscard
---@param name string
---@param fields? table what is left out is 0, empty or no list; `schema` selects the version
---@return string? frame
---@return dqlite.Error? err of kind "value"
function wire.encode(name, fields) end

---Makes a decoder of a stream of messages.
---@nodiscard
---@param direction dqlite.wire.Direction
---@param opts? dqlite.wire.DecoderOptions
---@return dqlite.wire.Decoder decoder
function wire.decoder(direction, opts) end

---Reads messages of bytes as they come.
---@class dqlite.wire.Decoder
local Decoder = {}

---Takes bytes, any number of them.
---@param bytes string
function Decoder:feed(bytes) end

---The next message; nil without an error when more bytes are wanted.
---@nodiscard
---@return dqlite.wire.Message? message
---@return dqlite.Error? err of kind "protocol", from then on every time
function Decoder:next() end

return wire
