-- What wrk runs: requests for one location, each with a key of its own, and the results
-- as numbers. With KEYS=n the keys are 1 to n.
local path, keys = os.getenv "BENCH_PATH", tonumber(os.getenv "BENCH_KEYS")

local requests, at = {}, 0

function init()
  for key = 1, keys do requests[key] = wrk.format("GET", path .. "?id=" .. key) end
end

function request()
  at = at % keys + 1
  return requests[at]
end

-- Seconds, answers, those that were none or not 2xx, p50 and p99 in microseconds.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(("measured %g %d %d %g %g\n"):format(summary.duration / 1e6, summary.requests,
    failed, latency:percentile(50), latency:percentile(99)))
end
