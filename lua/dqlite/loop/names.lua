--- Addresses of host names by cqueues' own resolver, which nobody else waits for: it reads
-- /etc/hosts and asks the name servers of /etc/resolv.conf, or of what a program has given to
-- cqueues.dns.setpool. The pool itself is not used: with 32 look-ups at once the next one
-- never ends (cqueues 20200726).
-- @module dqlite.loop.names

local core = require "dqlite.core"
local dns = require "cqueues.dns"
local errno = require "cqueues.errno"
local resolver = require "cqueues.dns.resolver"

local names = {}

local now = core.now

-- Seconds that an answer about the one kind of addresses is still waited for once there are
-- some of the other (RFC 8305, 3), and of one poll: a resolver asks again by itself.
local MORE, LONGEST = 0.05, 1

local KINDS = { "A", "AAAA" }

-- RFC 1035, 2.3.4. The resolver never comes to an end with some that break it.
local function is_valid(host)
  local name = host:gsub("%.$", "")
  if #name > 253 then return false end
  for label in (name .. "."):gmatch "(.-)%." do
    if #label < 1 or #label > 63 then return false end
  end
  return true
end

-- What a resolver has found out, if anything yet: its addresses, or why it has none.
local function fetch(question)
  local answer, code = question.resolver:fetch()
  if not answer and code == errno.EAGAIN then return end
  question.is_done = true
  if not answer then
    question.reason = errno.strerror(code)
    return
  end
  for record in answer:grep { section = "ANSWER", type = question.kind } do
    question.ips[#question.ips + 1] = record:addr()
  end
end

local function ask(host, kind)
  local pool = dns.getpool()
  local question = { kind = kind, ips = {}, is_done = false }
  local made, code = resolver.new(pool.resconf, pool.hosts, pool.hints)
  if not made then return nil, errno.strerror(code) end
  question.resolver = made
  local begun
  begun, code = made:submit(host, kind, "IN")
  if begun then return question end
  made:close()
  return nil, errno.strerror(code)
end

-- Until both have answered, or one of them long enough ago.
local function wait(questions, deadline, poll)
  local first, second = questions[1], questions[2]
  while true do
    for _, each in ipairs(questions) do
      if not each.is_done then fetch(each) end
    end
    if first.is_done and second.is_done then return true end
    local has_some = #first.ips + #second.ips > 0
    if has_some then deadline = math.min(deadline, now() + MORE) end
    local left = deadline - now()
    if left <= 0 then return true end
    local polled, kind, reason = poll(math.min(left, LONGEST),
      not first.is_done and first.resolver or nil, not second.is_done and second.resolver or nil)
    if not polled then return nil, kind, reason end
  end
end

local function ask_all(host)
  local questions = {}
  for i, kind in ipairs(KINDS) do
    local question, reason = ask(host, kind)
    if not question then
      if i == 2 then questions[1].resolver:close() end
      return nil, reason
    end
    questions[i] = question
  end
  return questions
end

local function outcome(questions)
  local ips, reason, is_known = {}, nil, true
  for _, each in ipairs(questions) do
    for _, ip in ipairs(each.ips) do ips[#ips + 1] = ip end
    is_known = is_known and each.is_done
    reason = reason or each.reason
  end
  if ips[1] then return ips end
  if not is_known then return nil, "timeout", "its name was not found in time" end
  return nil, "connect", "the name was not found" .. (reason and " (" .. reason .. ")" or "")
end

--- Looks a name up.
-- @tparam string host
-- @tparam number deadline of core.now()
-- @tparam function poll `(seconds, object, other)`: true, or nil with the kind of an error
-- and its reason
-- @treturn table|nil a list of numeric addresses
-- @treturn string|nil the kind of the error
-- @treturn string|nil its reason
function names.look_up(host, deadline, poll)
  if not is_valid(host) then return nil, "connect", "this is no host name" end
  local questions, wrong = ask_all(host)
  if not questions then return nil, "connect", "the name cannot be looked up: " .. wrong end
  local waited, kind, reason = wait(questions, deadline, poll)
  for _, each in ipairs(questions) do each.resolver:close() end
  if not waited then return nil, kind, reason end
  return outcome(questions)
end

return names
