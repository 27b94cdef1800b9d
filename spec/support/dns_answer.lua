--- What a name server answers (RFC 1035, 4.1): addresses of the names that it knows, and
-- that there are no others.

local HEADER = 12 -- bytes of a message in front of its question
local KINDS = { [1] = "A", [28] = "AAAA" }

local dns_answer = {}

-- The name that is asked for, the kind of its addresses, and where the question ends.
local function question_of(message)
  local labels, at = {}, HEADER + 1
  while message:byte(at) > 0 do
    labels[#labels + 1] = message:sub(at + 1, at + message:byte(at))
    at = at + 1 + message:byte(at)
  end
  return table.concat(labels, "."):lower(), KINDS[message:byte(at + 2)], at + 4
end

-- A record that points back at the question.
local function record(kind, bytes)
  return "\xC0\x0C\0" .. string.char(kind == "A" and 1 or 28) .. "\0\1\0\0\0\1\0"
    .. string.char(#bytes) .. bytes
end

--- The four bytes of "127.0.0.1".
function dns_answer.bytes(address)
  return (address:gsub("(%d+)%.?", function(n) return string.char(tonumber(n)) end))
end

--- Answers a message.
-- @tparam string message of a client
-- @tparam table names by name: `A`, `AAAA`, lists of addresses as bytes; false to say nothing
-- of that kind
-- @treturn string|nil nil where nothing is to be said
function dns_answer.to(message, names)
  if #message <= HEADER then return nil end
  local name, kind, last = question_of(message)
  local known = names[name]
  local found = known and known[kind]
  if found == false then return nil end
  local records = {}
  for i, bytes in ipairs(found or {}) do records[i] = record(kind, bytes) end
  -- the id, an answer without an error (or "no such name"), the question
  return message:sub(1, 2) .. (known and "\x81\x80" or "\x81\x83") .. "\0\1\0"
    .. string.char(#records) .. "\0\0\0\0" .. message:sub(HEADER + 1, last) .. table.concat(records)
end

return dns_answer
