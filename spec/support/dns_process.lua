-- lua dns_process.lua PORT NAME ADDRESS
--
-- Answers questions for the IPv4 address of one name, on UDP, and denies that there are
-- others. Prints "ready".
local dns_answer = require "spec.support.dns_answer"
local uv = require "luv"

local port, name, address = tonumber(arg[1]), arg[2], arg[3]
local names = { [name] = { A = { dns_answer.bytes(address) } } }

local socket = uv.new_udp()
assert(socket:bind("127.0.0.1", port))
socket:recv_start(function(err, message, from)
  assert(not err, err)
  local answer = message and dns_answer.to(message, names)
  if answer then socket:send(answer, from.ip, from.port, function() end) end
end)
io.stdout:write "ready\n"
io.stdout:flush()
uv.run()
