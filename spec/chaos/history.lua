--- The history of a run of chaos: a text file, a record to a line, its fields parted by
-- tabs. The first field says what it is:
--
--    setup    seed, seconds, interpreter, accounts, balance of each at first
--    op       begun, ended (seconds), worker, kind, number, outcome, timeout, values, error
--    nemesis  time, what it did
--    item     worker, number              of these three: the final state
--    ledger   worker, number, source, target, amount
--    balance  account, balance
--    end      the last line: the final state is whole
--
-- Kinds are "insert", "once", "transfer" (values: source, target, amount) and "read"
-- (values: the sum of all balances). Outcomes: "ok"; of writes "unapplied" and
-- "ambiguous", of reads "failed", as the error's flags say; "raised".
local history = {}

local FIELDS = {
  setup = { "seed", "seconds", "interpreter", "accounts", "balance" },
  op = { "begun", "ended", "worker", "kind", "number", "outcome", "timeout", "values", "error" },
  nemesis = { "time", "action" },
  item = { "worker", "number" },
  ledger = { "worker", "number", "source", "target", "amount" },
  balance = { "account", "balance" },
  ["end"] = {},
}

local TEXTS = { kind = true, outcome = true, error = true, action = true, interpreter = true }

-- ---- writing ----

local Writer = {}
Writer.__index = Writer

--- Begins a file.
-- @tparam string path
-- @treturn table
function history.create(path)
  return setmetatable({ file = assert(io.open(path, "w")) }, Writer)
end

local TIMES = { begun = true, ended = true, time = true }

local function shown(name, value)
  if value == nil then return "" end
  if name == "values" then return table.concat(value, " ") end
  if type(value) == "string" then return (value:gsub("[\t\r\n]", " ")) end
  return (TIMES[name] and "%.6f" or "%.14g"):format(value)
end

--- Writes a record, for good: what is there when the program ends early can be read.
-- @tparam string what it is
-- @tparam[opt] table fields
function Writer:add(what, fields)
  local words = { what }
  for i, name in ipairs(FIELDS[what]) do words[i + 1] = shown(name, fields[name]) end
  assert(self.file:write(table.concat(words, "\t"), "\n"))
  if what ~= "op" then assert(self.file:flush()) end
end

function Writer:close()
  assert(self.file:close())
end

-- ---- reading ----

local function read_field(name, word)
  if name == "values" then
    local values = {}
    for each in word:gmatch "%S+" do values[#values + 1] = tonumber(each) end
    return values
  end
  if TEXTS[name] then return word end
  return tonumber(word)
end

local function read_line(line)
  local words = {}
  for word in (line .. "\t"):gmatch "([^\t]*)\t" do words[#words + 1] = word end
  local names = FIELDS[words[1]]
  if not names or #words ~= #names + 1 then return nil end
  local record = {}
  for i, name in ipairs(names) do record[name] = read_field(name, words[i + 1]) end
  return words[1], record
end

--- Reads lines.
-- @param lines an iterator of them
-- @treturn table a list of records for each `what`; `broken`: lines that are none
function history.read(lines)
  local all = { broken = {} }
  for what in pairs(FIELDS) do all[what] = {} end
  for line in lines do
    local what, record = read_line(line)
    local list = what and all[what] or all.broken
    list[#list + 1] = record or line
  end
  return all
end

return history
