---@meta _

---Where to connect to: an address ("host:port", "[::1]:9001", "/path/to/socket",
---"@abstract"), a list of those, a store, or a cluster.
---@alias dqlite.Where string|string[]|dqlite.Store|dqlite.Cluster

---How calls wait.
---@alias dqlite.Loop
---| "blocking" # waits as a plain script does
---| "luv" # others run meanwhile, under luv's loop
---| "nginx" # cosockets of nginx' Lua module
---| "cqueues" # likewise, in the controllers of cqueues
---| dqlite.host.Host
---| dqlite.CustomLoop

---What an INTEGER becomes that a number does not hold (Lua 5.1, 5.2, LuaJIT).
---@alias dqlite.Int64Mode
---| "string" # decimal digits
---| "cdata" # an int64_t of LuaJIT
---| "number" # loses digits
---| "string-all" # on every Lua: decimal digits where it is above 10^14, for JSON

---What a BLOB becomes.
---@alias dqlite.BlobMode
---| "string"
---| "wrap" # a dqlite.Blob, which is bound as a BLOB again

---What the empty text becomes that older servers send for a NULL in a date column.
---@alias dqlite.DateMode
---| "null"
---| "raw" # the empty text

---How a read makes sure that it sees the latest writes.
---@alias dqlite.Consistency
---| "leader" # asks the node that leads, as far as is known
---| "linearizable" # behind a barrier through the log: four round trips, and the write lock

---How a transaction begins.
---@alias dqlite.TransactionMode
---| "immediate" # BEGIN IMMEDIATE: takes the write lock
---| "deferred" # BEGIN: takes it at the first write
---| "exclusive" # BEGIN EXCLUSIVE
---| "read" # BEGIN, and writes are refused

---What becomes of a transaction in which a call has failed and nobody cared.
---@alias dqlite.OnError
---| "rollback"
---| "commit" # keeps what did not fail

---What all calls understand.
---@class dqlite.CommonOptions
---@field timeout? number seconds for the whole call (15); of `rows` for each frame
---@field busy_timeout? number seconds to wait for another writer (5); 0: none
---@field null? any stands for NULL in rows, in place of nil and `dqlite.null`
---@field int64? dqlite.Int64Mode "string" if left out
---@field blobs? dqlite.BlobMode "string" if left out
---@field dates? dqlite.DateMode "null" if left out
---@field array_mt? table metatable of lists of rows, for encoders of JSON

---Options of calls whose result is fetched as a whole.
---@class dqlite.BufferedOptions: dqlite.CommonOptions
---@field max_rows? integer rows of a result; left out: no limit
---@field max_result_bytes? integer bytes of a result (256 MiB)

---Options of a call.
---@class dqlite.CallOptions: dqlite.BufferedOptions
---@field row_types? boolean `query` gives the types of each row

---Options of `execute`, `query` and the calls that fetch.
---@class dqlite.FetchOptions: dqlite.CallOptions
---@field consistency? dqlite.Consistency "leader" if left out

---Options of `rows`.
---@class dqlite.RowsOptions: dqlite.CommonOptions
---@field consistency? dqlite.Consistency "leader" if left out
---@field arrays? boolean rows by position
---@field reuse? boolean one table for all rows

---Options of `pipeline`.
---@class dqlite.PipelineOptions: dqlite.BufferedOptions
---@field arrays? boolean rows by position

---Options of a connection.
---@class dqlite.ConnectOptions: dqlite.BufferedOptions
---@field database? string "default" if left out
---@field connect_timeout? number seconds to reach one node and ask it who leads (2)
---@field statement_cache? integer texts that are kept prepared (64); 0: none
---@field loop? dqlite.Loop left out: the one that runs where the call is made
---@field max_message_size? integer bytes of a request or a frame, up to 1 GiB (64 MiB)
---@field direct? boolean talk to exactly the node that is given, whoever leads
---@field redirect? string[]|dqlite.Policy which addresses may be dialled
---@field dial? fun(address: string, deadline: number): dqlite.Stream?, string?, string? a stream in place of a socket, or nil, a kind of error and a reason
---@field translate? fun(address: string): string? the address to dial for one of the cluster's
---@field on_event? fun(event: dqlite.Event) called when something happens; must not wait
---@field slow_query? number seconds from which on a call is told as slow (1)
---@field shared_dict? string nginx: the lua_shared_dict by which workers tell who leads
---@field pool? string nginx: a name; kept connections of another one are apart
---@field pool_size? integer nginx: connections to that node and database that are kept
---@field backlog? integer nginx: calls that wait for a connection; 0: none
---@field tls? boolean|dqlite.TlsOptions nginx: for nodes behind proxies that end TLS

---How TLS is spoken.
---@class dqlite.TlsOptions
---@field verify? boolean must the certificate be good? (true)
---@field server_name? string the host that it must be for; left out: the one that is dialled
---@field cert? string PEM text of a certificate of the client's own
---@field key? string PEM text of its key, not encrypted

---Options of a cluster, and of `dqlite.connect`.
---@class dqlite.ClusterOptions: dqlite.ConnectOptions
---@field refresh? boolean what the leader says of its nodes is written to the store

---Options of a pool that a cluster makes.
---@class dqlite.ClusterPoolOptions: dqlite.ConnectOptions
---@field min_size? integer connections that are made at once, and kept when idle (1)
---@field max_size? integer connections (10); nginx: in each worker
---@field acquire_timeout? number seconds to wait for a connection; left out: `timeout`
---@field idle_timeout? number seconds without use, after which one is closed (300)
---@field max_lifetime? number seconds, after which one is closed (3600)
---@field init? async fun(conn: dqlite.Connection): any, any called with each new connection; `nil, err` refuses it
---@field setup? async fun(conn: dqlite.Connection): any, any called at each acquire; `nil, err` refuses it
---@field retries? integer how often a transaction runs again (3)
---@field multiplex? boolean reads of many coroutines share two connections
---@field debug? boolean reports of a leak say where the connection was acquired

---Options of a pool.
---@class dqlite.PoolOptions: dqlite.ClusterPoolOptions, dqlite.ClusterOptions

---Options of a transaction.
---@class dqlite.TransactionOptions
---@field mode? dqlite.TransactionMode "immediate" if left out
---@field on_error? dqlite.OnError "rollback" if left out

---Options of a transaction of a pool.
---@class dqlite.PoolTransactionOptions: dqlite.TransactionOptions
---@field retries? integer how often it runs again; left out: as the pool has it

---Options of `acquire`, `with` and `once` of a pool.
---@class dqlite.AcquireOptions
---@field timeout? number seconds

---Options of `dqlite.retry`.
---@class dqlite.RetryOptions
---@field timeout? number seconds: no try begins later (15)
---@field retries? integer how many more tries; left out: no limit
---@field loop? dqlite.Loop left out: the one that runs where the call is made
