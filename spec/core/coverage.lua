-- coverage.lua BUILD: which lines of src/core were run by what wrote its counts
-- below BUILD. Needs gcov. Prints a table and the lines that were not run.
-- Checks: more than 95 % were run; each line that was not has its reason in
-- spec/core/uncovered.txt; what is listed there is true. The last line is
-- `N passed, N failed`.
local LEAST = 95
local REASONS = "spec/core/uncovered.txt"

local build = assert(arg[1], "usage: coverage.lua BUILD")

-- What gcov says about a line: a count, "-" for no code, or never run.
local NEVER = { ["#####"] = true, ["====="] = true }

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  assert(pipe:close(), command)
  return text
end

local function read_line(file, count, number, text)
  local line = file[number] or { text = text, hit = false, branches = {} }
  line.hit = line.hit or not NEVER[count]
  file[number] = line
  return line
end

local function read_branch(line, row)
  local index, taken = row:match("^branch +(%d+) (.+)$")
  if not index then return end
  local was = tonumber((taken:match("^taken (%d+)"))) or 0
  line.branches[index] = line.branches[index] or was > 0
end

-- { path = { [number] = { text =, hit = boolean, branches = { [n] = boolean } } } }
-- gcov shows a line again for each object file, and a line of a header for each
-- file that includes it.
local function read_lines(report)
  local files, file, line = {}, nil, nil
  for row in report:gmatch("[^\n]+") do
    local count, number, text = row:match("^ *([^:]+): *(%d+):(.*)$")
    if number == "0" then
      local path = text:match("^Source:(src/core/.*)$")
      if path then files[path] = files[path] or {} end
      if text:find("^Source:") then file = files[path] end
    elseif number and file and count ~= "-" then
      line = read_line(file, count, tonumber(number), text)
    elseif number then
      line = nil
    elseif line then
      read_branch(line, row)
    end
  end
  return files
end

-- Functions begin at the first column, as clang-format lays them out.
local function name_functions(path, lines)
  local number, name = 0, "-"
  for text in io.lines(path) do
    number = number + 1
    if text:find("^%a") and text:find("%(") then name = text:match("([%w_]+)%(") end
    if lines[number] then lines[number].where = name end
  end
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- { ["src/core/x.c function: code"] = { why = text } }
local function read_reasons()
  local reasons, keys = {}, {}
  for row in io.lines(REASONS) do
    local key = row:match("^(src/core/.+)$")
    if key then
      reasons[key] = {}
      keys[#keys + 1] = key
    elseif row:find("^  %S") then
      for _, k in ipairs(keys) do reasons[k].why = row:sub(3) end
    elseif row == "" then
      keys = {}
    elseif row:sub(1, 1) ~= "#" then
      error(REASONS .. ": " .. row)
    end
  end
  return reasons
end

-- What a line is called in the list: its number would change too often.
local function key_of(path, line)
  return ("%s %s: %s"):format(path, line.where, (line.text:gsub("^%s+", "")))
end

local function new_counts()
  return { lines = 0, hit = 0, branches = 0, taken = 0 }
end

local function count(counts, line)
  counts.lines = counts.lines + 1
  counts.hit = counts.hit + (line.hit and 1 or 0)
  for _, taken in pairs(line.branches) do
    counts.branches = counts.branches + 1
    counts.taken = counts.taken + (taken and 1 or 0)
  end
end

local function percent(hit, all)
  return all > 0 and 100 * hit / all or 0
end

local function print_row(path, counts)
  local branches = counts.branches == 0 and "" or ("%5d branches %6.2f %%"):format(
    counts.branches, percent(counts.taken, counts.branches))
  print(("%-20s %5d lines %6.2f %%  %s"):format(path, counts.lines,
    percent(counts.hit, counts.lines), branches))
end

-- Counts a file, into the whole as well, and prints that.
local function look_at(path, lines, whole)
  local own = new_counts()
  for _, line in pairs(lines) do
    count(own, line)
    count(whole, line)
  end
  print_row(path, own)
end

local passed, failed = 0, 0

local function check(ok, about)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAIL  " .. about)
  end
end

-- Prints the lines of a file that were not run, and checks their reasons.
-- { [key] = "run" or "not run" }
local function check_lines(path, lines, reasons, seen)
  for _, number in ipairs(sorted_keys(lines)) do
    local line = lines[number]
    local key = key_of(path, line)
    if line.hit then
      seen[key] = seen[key] or "run"
    else
      seen[key] = "not run"
      print(("%s:%d: %s"):format(path, number, line.text))
      check(reasons[key] and reasons[key].why, REASONS .. " has no reason for\n" .. key)
    end
  end
end

local function check_reasons(reasons, seen)
  for _, key in ipairs(sorted_keys(reasons)) do
    local why = reasons[key].why or ""
    local ok = seen[key] == "not run" or (seen[key] == "run" and why:find("^May run: "))
    check(ok, REASONS .. ": was run, or is not there:\n" .. key)
  end
end

local function main()
  local objects = run("find '" .. build .. "' -path '*/core/*.gcda' ! -path '*/spec/*'")
  local files = read_lines(run("gcov -t -b -c " .. objects:gsub("\n", " ")))
  local whole, reasons, seen = new_counts(), read_reasons(), {}
  local paths = sorted_keys(files)
  for _, path in ipairs(paths) do
    name_functions(path, files[path])
    look_at(path, files[path], whole)
  end
  print_row("src/core", whole)
  for _, path in ipairs(paths) do check_lines(path, files[path], reasons, seen) end
  check_reasons(reasons, seen)
  check(percent(whole.hit, whole.lines) > LEAST, "not above 95 % of the lines")
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0)
end

main()
