-- Captures golden frames: sends the requests below to real servers and prints
-- each request and each frame that came back as a block of spec/vectors.
--
--   lua5.4 spec/vectors/capture.lua VERSION ADDRESS1 ADDRESS2
--
-- VERSION is what the blocks name as their origin: a server does not tell it.
-- ADDRESS1 and ADDRESS2 are numeric host:port of two fresh nodes with the ids
-- 1 and 2, the second not joined; both are changed, and node 2 is the leader
-- in the end. Needs luv. The lines `text:` are not printed: they are the part
-- of a vector that is worked out independently (README.md).
local uv = require "luv"

-- Words, texts and values ---------------------------------------------------

-- n little-endian bytes of a whole number in -2^53 .. 2^53
local function le(n, v)
  local bytes = {}
  for i = 1, n do
    local byte = v % 256
    bytes[i] = string.char(byte)
    v = (v - byte) / 256
  end
  return table.concat(bytes)
end

local function u64(v) return le(8, v) end

local function pad(bytes)
  return bytes .. ("\0"):rep(-#bytes % 8)
end

local function text(s) return pad(s .. "\0") end
local function blob(s) return u64(#s) .. pad(s) end

local function hex(digits)
  return (digits:gsub("%s", ""):gsub("%x%x", function(two)
    return string.char(tonumber(two, 16))
  end))
end

-- Parameters as { code, bytes }
local function integer(v) return { 1, u64(v) } end
local function float(digits) return { 2, hex(digits) } end
local function text_param(s) return { 3, text(s) } end
local function blob_param(s) return { 4, blob(s) } end
local null = { 5, u64(0) }

local function params(schema, list)
  local types, values = {}, {}
  for i, param in ipairs(list) do
    types[i] = string.char(param[1])
    values[i] = param[2]
  end
  local head = le(schema == 0 and 1 or 4, #list) .. table.concat(types)
  return pad(head) .. table.concat(values)
end

local function repeated(n)
  local list = {}
  for i = 1, n do list[i] = integer(i) end
  return list
end

-- A connection ----------------------------------------------------------------

local function resume(co, ...)
  local ok, err = coroutine.resume(co, ...)
  if not ok then error(debug.traceback(co, err), 0) end
end

local function connect(address)
  local host, port = address:match("^(.*):(%d+)$")
  local co, tcp = coroutine.running(), uv.new_tcp()
  tcp:connect(host, tonumber(port), function(err) resume(co, err) end)
  assert(not coroutine.yield())
  tcp:nodelay(true)
  local conn = { tcp = tcp, buffer = "" }
  tcp:read_start(function(err, data)
    conn.buffer = conn.buffer .. (data or "")
    conn.closed = err or (not data and "closed by the server")
    if conn.reader then resume(conn.reader) end
  end)
  tcp:write(u64(1))
  return conn
end

local function take(conn, n)
  conn.reader = coroutine.running()
  while #conn.buffer < n do
    assert(not conn.closed, conn.closed)
    coroutine.yield()
  end
  conn.reader = nil
  local bytes = conn.buffer:sub(1, n)
  conn.buffer = conn.buffer:sub(n + 1)
  return bytes
end

local function take_frame(conn)
  local header = take(conn, 8)
  local b1, b2, b3 = header:byte(1, 3)
  return header .. take(conn, 8 * (b1 + 256 * b2 + 65536 * b3))
end

-- A ROWS frame that ends with this has others behind it.
local part = ("\238"):rep(8)

-- All frames of the answer to one request.
local function exchange(conn, frame)
  conn.tcp:write(frame)
  local frames = {}
  repeat
    local answer = take_frame(conn)
    frames[#frames + 1] = answer
  until answer:byte(5) ~= 7 or answer:sub(-8) ~= part
  return frames
end

-- Blocks ------------------------------------------------------------------------

local version

local function print_block(name, direction, frame)
  local words = frame:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    :gsub(("%x"):rep(16), "%0 "):gsub(" $", "")
  print("name: " .. name)
  print("origin: live " .. version)
  print("direction: " .. direction)
  print("hex: " .. words .. "\n")
end

-- Sends one request. Its block is printed under the name `request`, those of
-- its answer under the names that follow; without a name (false) they are not.
local function ask(conn, number, schema, body, request, ...)
  local frame = le(4, #body / 8) .. string.char(number, schema, 0, 0) .. body
  local frames = exchange(conn, frame)
  if request then print_block(request, "request", frame) end
  for i, answer in ipairs(frames) do
    local name = select(i, ...)
    if name then print_block(name, "response", answer) end
  end
  return frames
end

local function exec_sql(conn, sql, ...)
  return ask(conn, 8, 0, u64(0) .. text(sql), ...)
end

local function query_sql(conn, sql, ...)
  return ask(conn, 9, 0, u64(0) .. text(sql), ...)
end

-- What is asked -------------------------------------------------------------------

-- Frames of servers from 1.12 on: they refuse an unknown format.
local function is_modern(conn)
  local answer = ask(conn, 16, 0, u64(2), "cluster_format2",
    "cluster_format2_answer")
  return answer[1]:byte(5) == 0
end

local function ask_node(conn)
  ask(conn, 0, 0, u64(0), "leader", "server")
  ask(conn, 1, 0, u64(42), "client", "welcome")
  ask(conn, 16, 0, u64(0), "cluster_format0", "servers_format0")
  ask(conn, 16, 0, u64(1), "cluster_format1", "servers_format1")
  ask(conn, 18, 0, u64(0), "describe", "metadata")
  ask(conn, 19, 0, u64(7), "weight", "empty_weight")
  ask(conn, 18, 0, u64(0), nil, "metadata_weight")
  ask(conn, 10, 0, u64(0), "interrupt", "empty_interrupt")
  exec_sql(conn, "SELECT 1", nil, "failure_no_database")
end

local function open(conn, name, request, response)
  ask(conn, 3, 0, text(name) .. u64(0) .. u64(0), request, response)
end

local four = { integer(-2), text_param("hi"), float "000000000000f83f",
  blob_param "\1\2\3" }

local function ask_exec_sql(conn)
  exec_sql(conn, "CREATE TABLE t(i INT, s TEXT, f REAL, b BLOB)",
    "exec_sql_no_params", "result_ddl")
  ask(conn, 8, 0, u64(0) .. text "INSERT INTO t VALUES (?,?,?,?)"
    .. params(0, four), "exec_sql_v0_four_types", "result_insert")
  ask(conn, 8, 0, u64(0) .. text "INSERT INTO t(i) VALUES (5)"
    .. params(0, {}), "exec_sql_params_zero_word")
  exec_sql(conn, "INSERT INTO t(rowid, i) VALUES (-9223372036854775808, 9)",
    nil, "result_smallest_id")
  exec_sql(conn, "UPDATE t SET s = 'x'", nil, "result_update")
  exec_sql(conn, "SELEC", "exec_sql_syntax", "failure_syntax")
  exec_sql(conn, "", "exec_sql_empty_text")
end

-- Ids are finalized from the highest down and never used again: another use
-- kills a server (protocol.md 2.3).
local function ask_statements(conn)
  ask(conn, 4, 0, u64(0) .. text "SELECT i,s,f,b,NULL FROM t WHERE i=?",
    "prepare_v0", "stmt_v0")
  ask(conn, 4, 0, u64(0) .. text "INSERT INTO t(i) VALUES (?)",
    "prepare_v0_insert", "stmt_v0_second")
  ask(conn, 6, 0, le(4, 0) .. le(4, 0) .. params(0, { integer(-2) }),
    "query_v0", "rows_five_types")
  ask(conn, 5, 0, le(4, 0) .. le(4, 1) .. params(0, { null }),
    "exec_v0_null", "result_exec")
  ask(conn, 4, 0, u64(0) .. text "DELETE FROM t WHERE i = 5")
  ask(conn, 5, 0, le(4, 0) .. le(4, 2), "exec_v0_no_params")
  ask(conn, 4, 0, u64(0) .. text "SELECT 1 AS one")
  ask(conn, 6, 0, le(4, 0) .. le(4, 3), "query_v0_no_params", "rows_one")
  ask(conn, 4, 0, u64(0) .. text "", "prepare_empty", "failure_empty_text")
  ask(conn, 5, 0, le(4, 0) .. le(4, 99), nil, "failure_no_statement")
  ask(conn, 7, 0, le(4, 0) .. le(4, 3), "finalize_3", "empty_finalize")
  ask(conn, 4, 1, u64(0) .. text "INSERT INTO t(i) VALUES(?); SELECT 1",
    "prepare_v1", "prepare_v1_answer")
end

local function ask_schema_1(conn)
  ask(conn, 5, 1, le(4, 0) .. le(4, 1) .. params(1, { integer(11) }),
    "exec_v1", "result_exec_v1")
  ask(conn, 6, 1, le(4, 0) .. le(4, 0) .. params(1, { integer(-2) }),
    "query_v1")
  ask(conn, 8, 1, u64(0) .. text "INSERT INTO t VALUES (?,?,?,?)"
    .. params(1, four), "exec_sql_v1")
  ask(conn, 9, 1, u64(0) .. text "SELECT ?1+?300 AS s"
    .. params(1, repeated(300)), "query_sql_v1_300_params",
    "rows_300_params")
  query_sql(conn, "DELETE FROM t WHERE 0", nil, "rows_zero_columns")
end

local function ask_params(conn)
  ask(conn, 9, 0, u64(0) .. text "SELECT ?1+?255 AS s"
    .. params(0, repeated(255)), "query_sql_v0_255_params",
    "rows_255_params")
  ask(conn, 9, 0, u64(0) .. text "SELECT ?,?,?,?,?,?,?"
    .. params(0, { integer(1), float "0000000000000440", text_param "t",
      blob_param "b", null, { 10, text "2024-01-02" }, { 11, u64(1) } }),
    "query_sql_seven_types", "rows_seven_params")
  ask(conn, 9, 0, u64(0) .. text "SELECT ?" .. params(0, { { 9, u64(5) } }),
    "query_sql_unixtime", "failure_unixtime")
  ask(conn, 9, 0, u64(0) .. text "SELECT ?,?,?,?,?,?"
    .. params(0, { { 1, hex "0000000000000080" },
      { 1, hex "ffffffffffffff7f" }, { 1, hex "0100000000002000" },
      { 1, hex "ffffffffffffdfff" }, integer(-1), integer(0) }),
    "query_sql_int64", "rows_int64")
  ask(conn, 9, 0, u64(0) .. text "SELECT ?,?,?,?,?"
    .. params(0, { float "0000000000000080", float "000000000000f07f",
      float "000000000000f0ff", float "0100000000000000",
      float "ffffffffffffef7f" }), "query_sql_floats", "rows_floats")
  ask(conn, 9, 0, u64(0) .. text "SELECT ?,?,?,?,?,?"
    .. params(0, { text_param "", blob_param "", text_param "1234567",
      text_param "12345678", blob_param "12345678",
      text_param "\255\254\"\\\n" }), "query_sql_texts", "rows_texts")
end

local function ask_shapes(conn)
  query_sql(conn, "SELECT 1 AS one", "query_sql_no_params")
  query_sql(conn, "SELECT i FROM t WHERE 0", nil, "rows_none")
  query_sql(conn, "SELECT 1 AS a, 2 AS a, 3 AS ''", nil, "rows_same_names")
  query_sql(conn, "SELECT 1 AS a, 'x' AS b UNION ALL SELECT NULL, 2.5",
    nil, "rows_two_by_two")
  query_sql(conn, "SELECT 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", nil,
    "rows_16_columns")
  query_sql(conn, "SELECT 1,2,3,'d',5,6,7,8,9,10,11,12,13,14,15,16,'q'", nil,
    "rows_17_columns")
  query_sql(conn, "SELECT printf('%.*c', 400, 'Z') AS z")
  query_sql(conn, "SELECT 'Z' AS t, x'0102' AS b", nil, "rows_stale_padding")
  query_sql(conn, "SELECT 1 AS i, printf('%.*c', 4040, 'x') AS t", nil,
    "rows_part", "rows_empty_done")
end

-- Only integers, texts and NULL: others in such columns kill a server when
-- they are read (protocol.md 2.5).
local function ask_declared(conn)
  exec_sql(conn, "CREATE TABLE d(b BOOLEAN, t DATETIME, u DATETIME)")
  exec_sql(conn, "INSERT INTO d VALUES"
    .. " (1, '2024-01-02 03:04:05+00:00', 1700000000),"
    .. " (NULL, NULL, NULL), (0, '', -1), (5, '2024', 0)")
  query_sql(conn, "SELECT * FROM d WHERE rowid = 1", nil, "rows_declared")
  query_sql(conn, "SELECT * FROM d WHERE rowid = 2", nil,
    "rows_declared_null")
  query_sql(conn, "SELECT +b, +t FROM d WHERE rowid = 2", nil, "rows_null")
  query_sql(conn, "SELECT * FROM d WHERE rowid = 3", nil,
    "rows_declared_zero")
  query_sql(conn, "SELECT b FROM d WHERE rowid = 4", nil, "rows_boolean_5")
end

-- RETURNING only inside a transaction: outside of one it breaks old servers.
local function ask_failures(conn)
  exec_sql(conn, "CREATE TABLE p(a INTEGER PRIMARY KEY)")
  exec_sql(conn, "INSERT INTO p VALUES (1)")
  exec_sql(conn, "INSERT INTO p VALUES (1)", nil, "failure_unique")
  exec_sql(conn, "BEGIN")
  query_sql(conn, "INSERT INTO p VALUES (1) RETURNING a", nil,
    "failure_polluted_unique")
  exec_sql(conn, "ROLLBACK")
  local least = "SELECT abs(column1) AS a FROM (VALUES (1), (2),"
    .. " (-9223372036854775808))"
  query_sql(conn, least, nil, "failure_polluted_rows")
  query_sql(conn, "SELECT 'text' AS t, abs(column1) AS a FROM (VALUES (7),"
    .. " (-9223372036854775808))", nil, "failure_polluted_texts")
  query_sql(conn, "SELECT abs(x) AS a, printf('%.*c', y, 'x') AS t FROM"
    .. " (SELECT 1 AS x, 4040 AS y UNION ALL SELECT 2, 3"
    .. " UNION ALL SELECT -9223372036854775808, 3)", nil,
    false, "failure_polluted_later")
  open(conn, "test.db", nil, "failure_open_twice")
end

local function ask_dump(address)
  local conn = connect(address)
  open(conn, "small", nil, nil)
  exec_sql(conn, "PRAGMA user_version = 1")
  ask(conn, 15, 0, text "small", "dump", "files")
  ask(conn, 15, 0, text "unknown.db", nil, "dump_unknown_answer")
  conn.tcp:close()
end

local function ask_cluster(conn, address, second)
  ask(conn, 12, 0, u64(2) .. text(address), "add", "empty_add")
  ask(conn, 12, 0, hex "be55318c1571dc2d" .. text "127.0.0.1:9003",
    "add_large_id")
  ask(conn, 13, 0, u64(2) .. u64(2), "assign_spare", "failure_role")
  ask(conn, 13, 0, u64(2) .. u64(1), "assign_standby", "empty_assign")
  ask(conn, 16, 0, u64(1), nil, "servers_three_roles")
  ask(conn, 16, 0, u64(0), nil, "servers_three")
  ask(conn, 14, 0, hex "be55318c1571dc2d", "remove", "empty_remove")
  ask(conn, 13, 0, u64(2), "assign_promote", "empty_promote")
  exec_sql(second, "SELECT 1", nil, "failure_not_leader")
  ask(conn, 17, 0, u64(2), "transfer", "empty_transfer")
end

local function capture(first, second)
  local conn, joining = connect(first), connect(second)
  ask(joining, 0, 0, u64(0), nil, "server_unknown")
  ask(joining, 16, 0, u64(1), nil, "servers_none")
  ask_node(conn)
  open(conn, "test.db", "open", "db")
  ask_exec_sql(conn)
  ask_statements(conn)
  if is_modern(conn) then ask_schema_1(conn) end
  ask_params(conn)
  ask_shapes(conn)
  ask_declared(conn)
  ask_failures(conn)
  ask_dump(first)
  ask_cluster(conn, second, joining)
  conn.tcp:close()
  joining.tcp:close()
end

local usage = "usage: capture.lua VERSION ADDRESS1 ADDRESS2"
version = assert(arg[1], usage)
local first, second = assert(arg[2], usage), assert(arg[3], usage)
resume(coroutine.create(function() capture(first, second) end))
uv.run()
