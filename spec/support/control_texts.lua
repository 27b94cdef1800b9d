--- Texts that control a transaction, in the spellings that SQLite takes, and texts that
-- only look so.
local control_texts = {}

--- Each begins a transaction, or a savepoint that does.
control_texts.begins = {
  "BEGIN", "begin", "Begin Deferred", "BEGIN IMMEDIATE TRANSACTION", "BEGIN EXCLUSIVE",
  "  \t\n BEGIN", ";;BEGIN", "BEGIN;", "BEGIN -- COMMIT", "/* COMMIT; */ BEGIN /* ROLLBACK */ ;",
  "-- ROLLBACK\nBEGIN", "/**/BEGIN/**/IMMEDIATE", "\239\187\191BEGIN",
  "SAVEPOINT a", "savepoint A;", 'SAVEPOINT "a;b"', "SAVEPOINT 'COMMIT'", "SAVEPOINT [ROLLBACK]",
  "SAVEPOINT `-- a`", 'SAVEPOINT "ROLLBACK TO a"', "SAVEPOINT \195\164\195\182",
  "SAVEPOINT/* END */a", "-- a\nSAVEPOINT--b\na",
}

--- Each ends one.
control_texts.ends = {
  "COMMIT", "commit transaction;", "END", "END TRANSACTION", "ROLLBACK", "rollback transaction",
  "/* TO a */ ROLLBACK -- TO a", "ROLLBACK/* TO */", ";END;", "\239\187\191COMMIT",
  "-- BEGIN\nCOMMIT",
}

--- None of these ends one that a savepoint a is in; there is a table t.
control_texts.neither = {
  "SELECT 1", "SELECT 'COMMIT'", 'SELECT 1 AS "ROLLBACK"', "/* COMMIT */ SELECT 1 -- COMMIT",
  "EXPLAIN COMMIT", "EXPLAIN QUERY PLAN ROLLBACK", "ROLLBACK TO a", "rollback\tto a",
  "ROLLBACK TRANSACTION TO SAVEPOINT a", "ROLLBACK/**/TO/**/a", "ROLLBACK TO 'a'",
  "RELEASE a", "RELEASE SAVEPOINT a", "DELETE FROM t",
}

return control_texts
