-- What wrk runs for spec/nginx/wrk_spec.lua: each request carries an id of its own, and
-- each answer is looked at. Ids that are even go one way, the odd ones the other. The
-- answers are written to WRK_RESULTS, a line for each:
--
--    WAY ID WORKER SECONDS done
--    WAY ID WORKER SECONDS failed STEP KIND retryable|ambiguous|final MESSAGE
--    wrong STATUS BODY
local ways = { [0] = "pool", "connect" }

local last, pending, results = 0, {}, nil

function init()
  results = assert(io.open(os.getenv "WRK_RESULTS", "w"))
end

function request()
  last = last + 1
  pending[last] = true
  return wrk.format("GET", ("/%s?id=%d"):format(ways[last % 2], last))
end

-- Is it the answer to a request that has none yet, with the value that belongs there?
local function is_right(status, body)
  local way, id, value, rest = body:match "^(%a+) (%d+) %d+ [%d.]+ {(.-)} (.+)$"
  id = tonumber(id)
  if not id or not pending[id] or way ~= ways[id % 2] then return false end
  pending[id] = nil
  if status == 200 then return rest == "done" and value == ("value %d"):format(id % 100) end
  return status == 503 and rest:find "^failed %a+ [%a_]+ %a+ " ~= nil
end

function response(status, _, body)
  if is_right(status, body) then
    results:write((body:gsub(" {.-}", "")), "\n")
  else
    results:write(("wrong %s %s\n"):format(status, body))
  end
end

function done(summary)
  local errors = summary.errors
  io.write(("connect %d, read %d, write %d, timeout %d\n"):format(errors.connect, errors.read,
    errors.write, errors.timeout))
end
