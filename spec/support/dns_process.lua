-- lua dns_process.lua PORT NAME ADDRESS
--
-- Answers questions for the IPv4 address of one name, on UDP, and denies that there are
-- others. Prints "ready".
local uv = require "luv"

local port, name, address = tonumber(arg[1]), arg[2], arg[3]

local HEADER = 12 -- bytes of a message in front of its question

-- The labels of a question, and where it ends.
local function question_of(message)
  local labels, at = {}, HEADER + 1
  while message:byte(at) > 0 do
    labels[#labels + 1] = message:sub(at + 1, at + message:byte(at))
    at = at + 1 + message:byte(at)
  end
  return table.concat(labels, "."), at + 4
end

-- RFC 1035, 4.1: the id, an answer without an error (or "no such name"), the question and
-- one record that points back at it.
local function answer(message)
  local asked, last = question_of(message)
  local known = asked:lower() == name
  local head = message:sub(1, 2) .. (known and "\x81\x80" or "\x81\x83")
    .. "\0\1" .. (known and "\0\1" or "\0\0") .. "\0\0\0\0" .. message:sub(HEADER + 1, last)
  if not known then return head end
  local bytes = address:gsub("(%d+)%.?", function(n) return string.char(tonumber(n)) end)
  return head .. "\xC0\x0C\0\1\0\1\0\0\0\1\0\4" .. bytes
end

local socket = uv.new_udp()
assert(socket:bind("127.0.0.1", port))
socket:recv_start(function(err, message, from)
  assert(not err, err)
  if message and #message > HEADER then
    socket:send(answer(message), from.ip, from.port, function() end)
  end
end)
io.stdout:write "ready\n"
io.stdout:flush()
uv.run()
