--- Answers of HTTP/1.1, out of the pieces that a connection gives.
local http_answer = {}

local CLOSED = {} -- raised where the stream ends too early

-- ---- what is read, in the coroutine of one answer ----

local Input = {}
Input.__index = Input

-- Gets more bytes; false at the end of the stream.
local function receive(self)
  local bytes = coroutine.yield()
  self.bytes = self.bytes .. bytes
  return bytes ~= ""
end

local function need(self)
  if not receive(self) then error(CLOSED, 0) end
end

function Input:take(n)
  while #self.bytes < n do need(self) end
  local taken = self.bytes:sub(1, n)
  self.bytes = self.bytes:sub(n + 1)
  return taken
end

function Input:line()
  while not self.bytes:find("\r\n", 1, true) do need(self) end
  local length = self.bytes:find("\r\n", 1, true) - 1
  return self:take(length + 2):sub(1, length)
end

function Input:rest()
  repeat until not receive(self)
  return self:take(#self.bytes)
end

-- ---- an answer ----

local function read_headers(input)
  local headers = {}
  local line = input:line()
  while line ~= "" do
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    assert(name, "no header: " .. line)
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
    line = input:line()
  end
  return headers
end

local function read_size(input)
  local line = input:line()
  return assert(tonumber(line:match "^%x+" or "", 16), "no size of a chunk: " .. line)
end

local function read_chunks(input)
  local chunks, size = {}, read_size(input)
  while size > 0 do
    chunks[#chunks + 1] = input:take(size)
    assert(input:line() == "", "a chunk is longer than it says")
    size = read_size(input)
  end
  read_headers(input) -- trailers
  return table.concat(chunks)
end

local function read_body(input, method, status, headers)
  if method == "HEAD" or status == 204 or status == 304 then return "" end
  if (headers["transfer-encoding"] or ""):lower() == "chunked" then return read_chunks(input) end
  local length = tonumber(headers["content-length"])
  return length and input:take(length) or input:rest()
end

-- Those of 1xx, which announce the one to come, are passed over.
local function read_answer(input, method)
  local status, headers
  repeat
    local line = input:line()
    status = assert(tonumber(line:match "^HTTP/1%.%d (%d%d%d)"), "no status line: " .. line)
    headers = read_headers(input)
  until status >= 200
  return { status = status, headers = headers, body = read_body(input, method, status, headers) }
end

--- Begins to read an answer.
-- @tparam string method of the request
-- @tparam string bytes that are there already
-- @treturn function to be called without an argument first, then with bytes, or "" for
-- the end of the stream: answers nil (there is more to come), false (it ended too early),
-- or the answer and the bytes behind it; raises an error at what is no HTTP
function http_answer.reader(method, bytes)
  local input = setmetatable({ bytes = bytes, started = false }, Input)
  local routine = coroutine.create(function() return read_answer(input, method) end)
  return function(more)
    if coroutine.status(routine) == "dead" then return false end
    if input.started and not more then return nil end
    input.started = true
    local ok, answer = coroutine.resume(routine, more)
    if not ok and answer == CLOSED then return false end
    if not ok then error(answer, 0) end
    return answer, input.bytes
  end
end

return http_answer
