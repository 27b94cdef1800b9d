--- The transaction of a simulated server: what BEGIN, COMMIT, SAVEPOINT and the
-- others do to `in_transaction`, to the writes in `pending` and to `applied`,
-- those that are durable. A function for each verb, of the server and the text,
-- answers the frames.
local scripted = require "spec.support.scripted"

local function error_1(message)
  return { scripted.failure(1, message) }
end

local function done()
  return { scripted.result(0, 0) }
end

local function roll_back(self)
  self.in_transaction, self.pending, self.savepoints = false, {}, {}
end

local function keep(self)
  for _, text in ipairs(self.pending) do self.applied[#self.applied + 1] = text end
  roll_back(self)
end

local function find_savepoint(self, name)
  for i = #self.savepoints, 1, -1 do
    if self.savepoints[i].name == name then return i end
  end
end

local control = {}

function control.BEGIN(self)
  if self.in_transaction then
    return error_1 "cannot start a transaction within a transaction"
  end
  self.in_transaction = true
  return done()
end

function control.COMMIT(self)
  if not self.in_transaction then
    return error_1 "cannot commit - no transaction is active"
  end
  keep(self)
  return done()
end
control.END = control.COMMIT

function control.SAVEPOINT(self, text)
  local outermost = not self.in_transaction
  self.savepoints[#self.savepoints + 1] =
    { name = text:match "(%S+)$", at = #self.pending, outermost = outermost }
  self.in_transaction = true
  return done()
end

function control.RELEASE(self, text)
  local name = text:match "(%S+)$"
  local found = find_savepoint(self, name)
  if not found then return error_1("no such savepoint: " .. name) end
  local outermost = self.savepoints[found].outermost
  for i = #self.savepoints, found, -1 do self.savepoints[i] = nil end
  if outermost then keep(self) end
  return done()
end

local function roll_back_to(self, name)
  local found = find_savepoint(self, name)
  if not found then return error_1("no such savepoint: " .. name) end
  for i = #self.savepoints, found + 1, -1 do self.savepoints[i] = nil end
  for i = #self.pending, self.savepoints[found].at + 1, -1 do self.pending[i] = nil end
  return done()
end

function control.ROLLBACK(self, text)
  local name = text:upper():match "%sTO%s" and text:match "(%S+)$"
  if name then return roll_back_to(self, name) end
  if not self.in_transaction then
    return error_1 "cannot rollback - no transaction is active"
  end
  roll_back(self)
  return done()
end

--- The writes since BEGIN are gone.
control.roll_back = roll_back

return control
