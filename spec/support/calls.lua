--- Every public call of a connection, in the ways that wait differently, for
-- specs that disturb one of their waits after the other.
--
-- A call has `name`; `version` of the simulated server; `before(conn, server)`
-- that is not disturbed and gives what `run` gets beside the connection; `run`,
-- which answers as the call does; `right`, what an undisturbed run answers (by
-- its first value); `writes`, the texts that it applies; `partial` where an error
-- does not mean that none of them was; `own`, an error of its own; `closes` where it closes;
-- `busy` where it may end so.
local scripted = require "spec.support.scripted"

local calls = {}

local ALL, ONE = "SELECT a FROM t", "SELECT b FROM t"
local INSERT = "INSERT INTO t VALUES (1)"
local SECOND = "INSERT INTO t VALUES (2)"
local DELETE = "DELETE FROM t WHERE a = ?"
local RETURNING = "DELETE FROM t RETURNING a"

local function frame(value, more)
  return scripted.rows { columns = { "a" }, { value }, more = more }
end

--- What the server is told before anything else.
function calls.prepare(server)
  server:on(ALL, function() return { frame(1, true), frame(2, true), frame(3) } end)
end

local function busy_twice(text)
  return function(_, server)
    local locked = { scripted.failure(5, "database is locked") }
    server:sequence(text, locked, locked)
  end
end

local function sum(iterator)
  local total = 0
  for row in iterator do total = total + (row.a or row[1]) end
  return total
end

local function rows_of(list)
  local values = {}
  for i, row in ipairs(list) do values[i] = row.a or row[1] end
  return table.concat(values, " ")
end

local function first_error(results, err)
  if not results then return nil, err end
  for _, each in ipairs(results) do
    if each.error then return nil, each.error end
  end
  return #results
end

-- A helper whose answer is brought into a form to compare.
local function fetching(name, text, shape)
  return function(conn)
    local answer, err = conn[name](conn, text)
    if answer == nil then return nil, err end
    return shape and shape(answer) or answer
  end
end

local function executing(text)
  return function(conn)
    local answer, err = conn:execute(text)
    if not answer then return nil, err end
    return 1
  end
end

local list = {}
local function add(name, call)
  call.name = name
  list[#list + 1] = call
end

-- ---- one statement ----

for _, version in ipairs { "1.18.6", "1.14", "1.11.1" } do
  add("execute " .. version, {
    version = version,
    run = executing(INSERT), right = 1, writes = { INSERT },
  })
  add("RETURNING " .. version, {
    version = version,
    run = fetching("fetch", RETURNING, rows_of), right = "1", writes = { RETURNING },
  })
  for times = 1, 3 do
    add(("fetch, seen %d times, %s"):format(times, version), {
      version = version,
      before = function(conn) for _ = 1, times do assert(conn:fetch(ALL)) end end,
      run = fetching("fetch", ALL, rows_of), right = "1 2 3",
    })
  end
end
add("execute of DDL", { run = executing "CREATE TABLE u (a)", right = 1,
  writes = { "CREATE TABLE u (a)" } })
add("execute of a query", { run = executing(ALL), right = 1 })
add("execute of RETURNING *", { run = executing "DELETE FROM t RETURNING *", right = 1,
  writes = { "DELETE FROM t RETURNING *" } })
add("execute of OR FAIL", { run = executing "INSERT OR FAIL INTO t VALUES (1)", right = 1,
  writes = { "INSERT OR FAIL INTO t VALUES (1)" } })
add("execute while it is BUSY", { before = busy_twice(INSERT), run = executing(INSERT),
  busy = true, right = 1, writes = { INSERT } })
add("fetch", { run = fetching("fetch", ALL, rows_of), right = "1 2 3" })
add("fetch of *", { run = fetching("fetch", "SELECT * FROM t", rows_of), right = "1" })
add("fetchall", { run = fetching("fetchall", ALL, rows_of), right = "1 2 3" })
add("fetchone", { run = fetching("fetchone", ALL, function(row) return row.a end), right = 1 })
add("fetchval", { run = fetching("fetchval", ALL), right = 1 })
add("fetchcol", { run = fetching("fetchcol", ALL, table.concat), right = "123" })
add("query", { run = fetching("query", ALL, rows_of), right = "1 2 3" })

local many, marks = {}, {}
for i = 1, 300 do many[i], marks[i] = i, "?" end
local WIDE = "SELECT " .. table.concat(marks, ", ")
for _, version in ipairs { "1.18.6", "1.14" } do
  add("fetch of 300 parameters " .. version, {
    version = version,
    run = function(conn)
      local answer, err = conn:fetchval(WIDE, many)
      return answer, err
    end,
    right = 1,
  })
end

-- ---- rows ----

add("rows", { run = function(conn) return sum(conn:rows(ALL)) end, right = 6 })
add("rows by position", {
  run = function(conn) return sum(conn:rows(ALL, {}, { arrays = true, reuse = true })) end,
  right = 6,
})
add("rows of *", { run = function(conn) return sum(conn:rows "SELECT * FROM t") end, right = 1 })
add("rows of RETURNING", { run = function(conn) return sum(conn:rows(RETURNING)) end, right = 1,
  writes = { RETURNING } })
add("rows while they are BUSY", { before = busy_twice(ONE), busy = true,
  run = function(conn) return sum(conn:rows(ONE)) end, right = 1 })
add("a call behind rows that are left", {
  before = function(conn) conn:rows(ALL)() end,
  run = executing(INSERT), right = 1, writes = { INSERT },
})
add("rows that are left in a transaction", {
  run = function(conn)
    local done, err = conn:transaction(function()
      conn:rows(ALL)()
      return conn:execute(INSERT)
    end)
    if not done then return nil, err end
    return 1
  end,
  right = 1, writes = { INSERT },
})

-- ---- statements ----

add("prepare", {
  run = function(conn)
    local statement, err = conn:prepare(DELETE)
    if not statement then return nil, err end
    return statement.nparams
  end,
  right = 1,
})
add("prepare 1.14", { version = "1.14", run = list[#list].run, right = 1 })

local function prepared(text)
  return function(conn) return assert(conn:prepare(text)) end
end

add("statement:execute", {
  before = prepared(DELETE),
  run = function(_, statement)
    local answer, err = statement:execute(1)
    if not answer then return nil, err end
    return 1
  end,
  right = 1, writes = { DELETE },
})
add("statement:fetch", {
  before = prepared(ALL),
  run = function(_, statement)
    local answer, err = statement:fetch()
    if not answer then return nil, err end
    return rows_of(answer)
  end,
  right = "1 2 3",
})
add("statement:rows", {
  before = prepared(ALL), run = function(_, statement) return sum(statement:rows()) end, right = 6,
})
add("statement:executemany", {
  before = prepared(DELETE),
  run = function(_, statement)
    local answer, err = statement:executemany { { 1 }, { 2 } }
    if not answer then return nil, err end
    return answer.rows_affected
  end,
  right = 2, writes = { DELETE, DELETE },
})
add("a call behind statement:close", {
  before = function(conn) assert(conn:prepare(DELETE)):close() end,
  run = executing(INSERT), right = 1, writes = { INSERT },
})

-- ---- many statements ----

local function inserting(sets, text)
  return function(conn)
    local list_or_iterator = type(sets) == "function" and sets() or sets
    local answer, err = conn:executemany(text or DELETE, list_or_iterator)
    if not answer then return nil, err end
    return answer.rows_affected
  end
end

for _, version in ipairs { "1.18.6", "1.14", "1.11.1" } do
  add("executemany " .. version, {
    version = version,
    run = inserting { { 1 }, { 2 }, { 3 } }, right = 3, writes = { DELETE, DELETE, DELETE },
  })
end
add("executemany of an iterator", {
  run = inserting(function()
    local i = 0
    return function()
      i = i + 1
      return i <= 3 and { i } or nil
    end
  end),
  right = 3, writes = { DELETE, DELETE, DELETE },
})
add("executemany of RETURNING", {
  run = inserting({ { 1 }, { 2 } }, DELETE .. " RETURNING a"), right = 2,
  writes = { DELETE .. " RETURNING a", DELETE .. " RETURNING a" },
})
add("executemany in a transaction", {
  run = function(conn)
    local done, err = conn:transaction(function() return inserting { { 1 }, { 2 } }(conn) end)
    return done, err
  end,
  right = 2, writes = { DELETE, DELETE },
})
add("a pipeline of writes", {
  run = function(conn)
    return first_error(conn:pipeline { { INSERT }, { SECOND }, { DELETE, 1 } })
  end,
  right = 3, writes = { INSERT, SECOND, DELETE }, partial = true,
})
add("a pipeline of queries", {
  run = function(conn) return first_error(conn:pipeline { { ALL }, { ONE }, { ALL } }) end,
  right = 3,
})
add("a pipeline in a transaction", {
  run = function(conn)
    local done, err = conn:transaction(function()
      return first_error(conn:pipeline { { INSERT }, { ALL }, { SECOND } })
    end)
    return done, err
  end,
  right = 3, writes = { INSERT, SECOND },
})
add("a script", {
  run = function(conn) return conn:script(INSERT .. ";" .. SECOND) end,
  right = 2, writes = { INSERT, SECOND }, partial = true,
})
add("a script with a transaction", {
  run = function(conn) return conn:script("BEGIN;" .. INSERT .. ";" .. ALL .. ";COMMIT") end,
  right = 4, writes = { INSERT },
})

-- ---- transactions ----

local function inside(fn, opts)
  return function(conn) return conn:transaction(fn, opts) end
end

local function insert_both(conn)
  local done, err = conn:execute(INSERT)
  if not done then return nil, err end
  done, err = conn:execute(SECOND)
  if not done then return nil, err end
  return 1
end

add("transaction", { run = inside(insert_both), right = 1, writes = { INSERT, SECOND } })
add("transaction that reads", {
  run = inside(function(conn) return conn:fetchval(ALL) end, { mode = "read" }), right = 1,
})
add("transaction that is refused", {
  run = inside(function(conn)
    local done, err = conn:execute(INSERT)
    if not done then return nil, err end
    return nil, "no"
  end),
  own = "no",
})
add("transaction in which something is raised", {
  run = inside(function(conn)
    local done, err = conn:execute(INSERT)
    error(done and "no" or err, 0)
  end),
  own = "no",
})
add("transactions inside of each other", {
  run = inside(function(conn)
    local done, err = conn:transaction(insert_both)
    if not done then return nil, err end
    conn:transaction(function()
      conn:execute(DELETE, 1)
      return nil, "undone"
    end)
    return 1
  end),
  right = 1, writes = { INSERT, SECOND },
})
add("transaction that is BUSY", { before = busy_twice "BEGIN IMMEDIATE", run = inside(insert_both),
  busy = true, right = 1, writes = { INSERT, SECOND } })
add("begin and commit", {
  run = function(conn)
    local tx, err = conn:begin()
    if not tx then return nil, err end
    local done, failed = insert_both(conn)
    if not done then return nil, failed end
    done, failed = tx:commit()
    if not done then return nil, failed end
    return 1
  end,
  right = 1, writes = { INSERT, SECOND },
})
add("rollback", {
  before = function(conn)
    local tx = assert(conn:begin())
    assert(conn:execute(INSERT))
    return tx
  end,
  run = function(_, tx) return tx:rollback() end,
  right = true,
})
add("commit", {
  before = function(conn)
    assert(conn:begin())
    assert(conn:execute(INSERT))
  end,
  run = function(conn) return conn:commit() end,
  right = true, writes = { INSERT },
})

-- ---- the connection ----

add("ping", { run = function(conn) return conn:ping() end, right = true })
for _, version in ipairs { "1.18.6", "1.14", "1.11.1" } do
  add("features " .. version, {
    version = version,
    run = function(conn)
      local found, err = conn:features()
      if not found then return nil, err end
      return found.params_32bit
    end,
    right = version ~= "1.11.1",
  })
end
add("close with rows that are left", {
  before = function(conn) conn:rows(ALL)() end,
  run = function(conn) return conn:close() end, right = true, closes = true,
})
add("close with rows that are left in a transaction", {
  before = function(conn)
    assert(conn:begin())
    conn:rows(ALL)()
  end,
  run = function(conn) return conn:close() end, right = true, closes = true,
})

calls.list = list

-- ---- judging what became of one ----

--- Runs it: an error of an iterator is raised, the others are returned.
-- @return its answer; or nil and the error
function calls.run(call, conn, state)
  local ok, answer, err = pcall(call.run, conn, state)
  if ok then return answer, err end
  return nil, answer
end

local function is_error(err)
  return type(err) == "table" and err.kind ~= nil and err.message ~= nil
end

-- How many of its writes are durable.
local function applied(call, server, from)
  local count, left = 0, {}
  for _, text in ipairs(call.writes or {}) do left[text] = (left[text] or 0) + 1 end
  for i = from + 1, #server.applied do
    local text = server.applied[i]
    if (left[text] or 0) > 0 then
      count, left[text] = count + 1, left[text] - 1
    end
  end
  return count
end

--- What is wrong with the outcome of a disturbed call, in words; nil if nothing.
-- @tparam table call
-- @tparam table server simulated
-- @tparam table about `from` (how much had been applied before), `kinds` (set of
-- the kinds of error that the disturbance may give), `sent` (was a byte of it?)
-- @param answer of the call
-- @param err of the call
function calls.wrong(call, server, about, answer, err)
  local count = applied(call, server, about.from)
  if answer ~= nil then
    if answer ~= call.right then return "wrong answer: " .. tostring(answer) end
    if count ~= #(call.writes or {}) then return "success, and not everything was applied" end
    return nil
  end
  if err == nil then return "neither an answer nor an error" end
  if err == call.own then return count > 0 and "refused, and yet applied" or nil end
  if not is_error(err) then return "not an error value: " .. tostring(err) end
  if err.kind == "busy" and call.busy then return count > 0 and "BUSY, and yet applied" or nil end
  if not about.kinds[err.kind] then return "kind " .. err.kind .. ": " .. tostring(err) end
  if not err.fatal then return "not fatal: " .. tostring(err) end
  if err.ambiguous == err.retryable then return "ambiguous and retryable: " .. tostring(err) end
  if err.ambiguous and not call.writes then return "a read that is ambiguous" end
  if err.ambiguous and not about.sent then return "ambiguous, and nothing was sent" end
  if not err.ambiguous and count > 0 and not call.partial then
    return "not ambiguous, and yet applied: " .. tostring(err)
  end
end

return calls
