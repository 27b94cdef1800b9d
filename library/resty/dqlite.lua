---@meta resty.dqlite

---Options of `db:connect`: host and port, a path, or a cluster.
---@class resty.dqlite.ConnectOptions
---@field host? string of any node, which is asked who leads
---@field port? integer
---@field path? string of a unix socket
---@field cluster? string[]|dqlite.Store|dqlite.Cluster some of whose nodes may be down
---@field database? string "default" if left out
---@field direct? boolean exactly that node
---@field compact_arrays? boolean rows by position
---@field pool? string a name; kept connections of another one are apart
---@field pool_size? integer sockets to that node and database that a worker keeps
---@field backlog? integer calls that wait where there are as many
---@field max_packet_size? integer bytes of a frame
---@field shared_dict? string the lua_shared_dict by which workers tell who leads
---@field array_mt? table metatable of lists of rows
---@field ssl? boolean speak TLS
---@field ssl_verify? boolean verify the server's certificate (true)
---@field ssl_server_name? string the name that it must have
---@field user? string ignored: dqlite has no users
---@field password? string ignored
---@field charset? string ignored

---What a statement without rows answers; 0 where it means nothing.
---@class resty.dqlite.Outcome
---@field affected_rows integer
---@field insert_id integer|string

---dqlite for OpenResty, with the names and units of lua-resty-mysql: times are milliseconds,
---whatever goes wrong answers `nil, err`, and `err` is a text.
---@class resty.dqlite
---@field _VERSION string
local resty = {}

---Makes an object, without a connection.
---@nodiscard
---@overload fun(self: any): resty.dqlite
---@return resty.dqlite db
function resty.new() end

---Connects to the leader, over a socket that nginx has kept if there is one.
---@async
---@param opts resty.dqlite.ConnectOptions
---@return integer? ok 1
---@return string? err
---@return integer? errcode
---@return string? name
function resty:connect(opts) end

---Sets how long connecting, sending and reading may take, each.
---@param ms number milliseconds; 0: the default, 15 seconds
---@return nil
---@return string? err
function resty:set_timeout(ms) end

---Sets how long each may take.
---@param connect number milliseconds; 0: the default
---@param send_ms number likewise
---@param read number likewise
---@return nil
---@return string? err
function resty:set_timeouts(connect, send_ms, read) end

---Should rows come by position?
---@param value boolean
function resty:set_compact_arrays(value) end

---Sends a statement without waiting for its answer, which `read_result` reads.
---@async
---@param text string one statement
---@param ... dqlite.Parameter|dqlite.Parameters one by one, or one table
---@return integer? bytes of the statement
---@return string? err
---@return integer? errcode
---@return string? name
function resty:send_query(text, ...) end

---Reads the answer to what `send_query` has sent.
---@async
---@return dqlite.Row[]|dqlite.Array[]|resty.dqlite.Outcome|nil result NULL is ngx.null
---@return string? err
---@return integer? errcode SQLite's, extended
---@return string? name "SQLITE_CONSTRAINT_UNIQUE"
function resty:read_result() end

---Runs a statement.
---@async
---@param text string one statement
---@param ... dqlite.Parameter|dqlite.Parameters one by one, or one table
---@return dqlite.Row[]|dqlite.Array[]|resty.dqlite.Outcome|nil result NULL is ngx.null
---@return string? err
---@return integer? errcode SQLite's, extended
---@return string? name "SQLITE_CONSTRAINT_UNIQUE"
function resty:query(text, ...) end

---Gives the socket to nginx for who connects next; the object can connect again.
---@async
---@param idle? number milliseconds that it is kept without use; 0: for ever
---@param size? integer how many are kept
---@return integer? ok 1
---@return string? err
function resty:set_keepalive(idle, size) end

---How often the socket was kept for somebody; 0 for a new one.
---@nodiscard
---@return integer? times
---@return string? err
function resty:get_reused_times() end

---Closes the connection.
---@return integer? ok 1
---@return string? err
function resty:close() end

---The error of the last call, if that failed, as the module `dqlite` has it.
---@nodiscard
---@return dqlite.Error? err
function resty:last_error() end

return resty
