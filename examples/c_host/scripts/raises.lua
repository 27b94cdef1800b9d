-- Has sold a lamp, and then fails; the transaction is never committed.
local address = ...
local dqlite = require "dqlite"

local conn = assert(dqlite.connect(address))
assert(conn:execute "BEGIN IMMEDIATE")
assert(conn:execute "UPDATE stock SET pieces = 0")
local receipt = nil
print(receipt.number)
