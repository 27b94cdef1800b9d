---@meta dqlite.session

---Raw sessions: single messages to one node.
---@class dqlite.session
local session = {}

---Dials one node.
---@async
---@nodiscard
---@param address string
---@param opts? dqlite.ConnectOptions `timeout`, `loop` and `max_message_size` matter
---@return dqlite.session.Session? session
---@return dqlite.Error? err
function session.connect(address, opts) end

---A session with one node.
---@class dqlite.session.Session
---@field address string
local Session = {}

---Queues a request; it leaves with the next receive.
---@param name string
---@param fields? table
---@return true? done
---@return dqlite.Error? err
function Session:send(name, fields) end

---Receives the next reply; a FAILURE is a message like others.
---@async
---@param timeout? number seconds
---@return dqlite.wire.Message? message `last` tells whether its request is finished
---@return dqlite.Error? err after which the session is dead
function Session:receive(timeout) end

---Sends one request and waits for its whole answer.
---@async
---@param name string
---@param fields? table
---@param timeout? number seconds
---@return dqlite.wire.Message? message
---@return dqlite.Error? err also the one that a FAILURE stands for
function Session:request(name, fields, timeout) end

---Closes. Again does nothing.
---@return true done
function Session:close() end

return session
