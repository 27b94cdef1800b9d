-- make bench-nginx: what an nginx answers in a second that asks for a value, by this
-- library and by the client of Redis that Debian has, beside what it answers without
-- asking. wrk measures each location in turn, round after round, so that what disturbs
-- the machine disturbs all of them alike; what is compared is what there was in the same
-- round. What a call costs the workers stands beside what it costs under luv.
local argparse = require "argparse"
local client = require "bench.client"
local machine = require "bench.machine"
local markdown = require "bench.markdown"
local nodes = require "spec.support.nodes"
local place = require "bench.nginx.place"
local statistics = require "bench.statistics"

local PACKAGES = "nginx libnginx-mod-http-lua libluajit2-5.1-2 libdqlite0 redis-server"
  .. " lua-nginx-redis wrk"

local function numbers(text)
  local list = {}
  for word in text:gmatch "%d+" do list[#list + 1] = tonumber(word) end
  return list
end

local function read_options()
  local parser = argparse("make bench-nginx BENCH=...", "Measures locations of an nginx.")
  parser:option("--rounds", "How often everything is measured."):convert(tonumber):default "7"
  parser:option("--seconds", "Of one measurement."):convert(tonumber):default "3"
  parser:option("--build", "Where make builds."):default "build"
  parser:option("--connections", "How many wrk opens."):convert(numbers):default "16,64"
  return parser:parse()
end

-- ---- measuring ----

local TICKS = 100 -- of a second, in /proc

-- Seconds of processor time that the workers have had.
local function time_of(server)
  local ticks = 0
  for _, pid in ipairs(server:workers()) do
    local user, system = nodes.read_file(("/proc/%d/stat"):format(pid))
      :match "%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
    ticks = ticks + user + system
  end
  return ticks / TICKS
end

local WRK = "BENCH_PATH=/%s BENCH_KEYS=%d wrk -t 1 -c %d -d %ds -s bench/nginx/wrk.lua http://%s/"

local function measure(here, location, connections, seconds)
  place.check(here, location)
  local before = time_of(here.nginx)
  local output = machine.output_of(WRK:format(location.name, place.KEYS, connections, seconds,
    here.nginx.address))
  local time = time_of(here.nginx) - before
  local words = {}
  for word in output:match "measured (.+)$":gmatch "%S+" do words[#words + 1] = tonumber(word) end
  if words[3] > 0 then error(("%s: %d requests failed"):format(location.name, words[3]), 0) end
  return { rate = words[2] / words[1], p50 = words[4], p99 = words[5], cpu = time / words[2] * 1e6 }
end

local LUV = 0 -- connections to nginx

local function add(samples, connections, name, sample)
  samples[connections] = samples[connections] or {}
  local list = samples[connections][name] or {}
  samples[connections][name], list[#list + 1] = list, sample
end

-- The same SELECT, by 64 coroutines that call a pool under luv.
local function measure_luv(here, options)
  local run = { build = options.build, sizes = { seconds = options.seconds } }
  local sample = client.run(run, { lua = "luajit", loop = "luv" }, { name = "value" },
    here.node.address, "")
  return { call = sample.cpu * 1e6 }
end

local function measure_round(here, options, samples)
  add(samples, LUV, "luv", measure_luv(here, options))
  for _, connections in ipairs(options.connections) do
    local now = {}
    for _, location in ipairs(place.locations) do
      now[location.name] = measure(here, location, connections, options.seconds)
    end
    for name, sample in pairs(now) do
      sample.ratio = sample.rate / now.redis.rate
      sample.call = sample.cpu - now.ok.cpu
      add(samples, connections, name, sample)
    end
  end
end

-- samples[connections][name]: a list
local function measure_all(here, options)
  local samples = {}
  place.start(here)
  for round = 1, options.rounds do
    io.stderr:write(("round %d of %d\n"):format(round, options.rounds))
    measure_round(here, options, samples)
  end
  local errors = here.nginx:errors()
  if errors[1] then error("nginx has logged " .. errors[1], 0) end
  return samples
end

-- ---- the table ----

local function spread(list, field, shown)
  local least, most = statistics.spread(statistics.column(list, field))
  return ("%s (%s-%s)"):format(shown(statistics.median_of(list, field)), shown(least), shown(most))
end

local function line(connections, location, list)
  return markdown.row {
    location.name, connections,
    spread(list, "rate", markdown.thousands),
    spread(list, "ratio", markdown.number),
    spread(list, "p50", markdown.thousands),
    spread(list, "p99", markdown.thousands),
    spread(list, "cpu", markdown.number),
  }
end

-- What a request takes the workers beyond one that asks nobody.
local function table_of_calls(samples, options)
  local head = { "us of processor time for a call" }
  for _, connections in ipairs(options.connections) do
    head[#head + 1] = connections .. " connections"
  end
  local lines = { markdown.header(head) }
  for _, location in ipairs(place.locations) do
    local cells = { location.name .. " less ok" }
    for _, connections in ipairs(options.connections) do
      cells[#cells + 1] = spread(samples[connections][location.name], "call", markdown.number)
    end
    if location.name ~= "ok" then lines[#lines + 1] = markdown.row(cells) end
  end
  return table.concat(lines, "\n") .. ("\n\nThe same SELECT of a pool takes LuaJIT under luv %s us,"
    .. " with 64 coroutines."):format(spread(samples[LUV].luv, "call", markdown.number))
end

local function text_of(samples, options)
  local lines = { machine.about(options, PACKAGES) .. "\n", markdown.header { "location",
    "connections", "requests/s", "to redis", "p50 in us", "p99 in us", "workers' us a request" } }
  for _, connections in ipairs(options.connections) do
    for _, location in ipairs(place.locations) do
      lines[#lines + 1] = line(connections, location, samples[connections][location.name])
    end
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = table_of_calls(samples, options) .. "\n"
  for _, location in ipairs(place.locations) do
    lines[#lines + 1] = ("* `%s`: %s"):format(location.name, location.what)
  end
  return table.concat(lines, "\n")
end

local function main()
  local options, here = read_options(), {}
  local ok, samples = xpcall(measure_all, debug.traceback, here, options)
  place.stop(here)
  if not ok then error(samples, 0) end
  print(text_of(samples, options))
end

main()
