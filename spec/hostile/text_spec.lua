-- Texts that would forge, hide or flood lines of a log: visible and capped in
-- what is printed, kept in `raw`.
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"

local SIZE = 64 * 1024
-- Bytes: every one of 1,024 escaped, and our words around them.
local RAW, SHOWN = 4096, 4 * 1024 + 64

-- What may not be in a printed text, by name.
local TEXTS = {
  { name = "escapes", text = "\27[2J\27]0;owned\7" },
  { name = "CR and LF", text = "no such table\r\n2026-11-22 INFO all is well\n" },
  { name = "bidi", text = "\226\128\174txt.exe\226\128\172\226\129\166\226\129\169\216\156" },
  { name = "zero width", text = "a\226\128\139b\226\128\141c\239\187\191d\226\129\160" },
  { name = "line separators", text = "a\226\128\168b\226\128\169" },
  { name = "C1", text = "\194\133\194\155\194\159" },
  { name = "every control", text = (function()
    local bytes = {}
    for i = 1, 31 do bytes[i] = string.char(i) end
    return table.concat(bytes) .. "\127"
  end)() },
  { name = "cut in the middle of a sequence", text = "\226\128\174" },
  { name = "formats and patterns", text = "%s%d%n%%(%1)%z[" },
}

local FORBIDDEN = { "[%z\1-\31\127]", "\194[\128-\159]", "\226\128[\139-\143\168-\174]",
  "\226\129[\160-\175]", "\216\156", "\239\187\191" }

local function full(text)
  return text:rep(math.ceil(SIZE / #text)):sub(1, SIZE)
end

local function check_shown(shown)
  assert(type(shown) == "string" and #shown > 0)
  for _, pattern in ipairs(FORBIDDEN) do
    local at = shown:find(pattern)
    if at then error(("%q is shown"):format(shown:sub(at, at + 4)), 0) end
  end
end

local function check_error(err, text)
  assert(type(err) == "table", "no error")
  if err.message ~= "" then check_shown(err.message) end
  check_shown(tostring(err))
  check_shown("text: " .. err)
  assert(#err.message <= SHOWN, "it is not capped: " .. #err.message)
  assert(#tostring(err) <= SHOWN + 200)
  if text then assert.equal(text:sub(1, RAW), err.raw) end
end

local CALLS = {
  { name = "execute", call = function(conn) return conn:execute "INSERT INTO t VALUES (1)" end },
  { name = "fetch", call = function(conn) return conn:fetch "SELECT a FROM t" end },
  { name = "prepare", call = function(conn) return conn:prepare "SELECT a FROM t" end },
  { name = "script", call = function(conn) return conn:script "DELETE FROM t; DELETE FROM t" end },
  { name = "rows", call = function(conn)
    local _, err = pcall(conn.rows, conn, "SELECT a FROM t")
    return nil, err
  end },
  { name = "pipeline", call = function(conn)
    return nil, conn:pipeline({ { "DELETE FROM t" } })[1].error
  end },
}

local function each_text(also)
  return hostile.list(function(add)
    for _, each in ipairs(TEXTS) do
      for _, with in ipairs(also or { { name = "connect" } }) do
        add { name = with.name .. ", " .. each.name, text = full(each.text), call = with.call }
      end
    end
  end)
end

hostile.describe("texts of a server", function()
  it("are shown harmlessly in errors of calls", function()
    hostile.each(each_text(CALLS), function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "send", scripted.failure(1, case.text) },
        { "await", 1 }, { "send", scripted.rows { columns = { "a" }, { 42 } } }))
      local conn = hostile.connect()
      local result, err = case.call(conn)
      assert.is_nil(result)
      assert.equal("sql", err.kind)
      check_error(err, case.text)
      hostile.usable(conn)
      conn:close()
    end)
  end)

  it("are shown harmlessly in the cause of a lost connection", function()
    hostile.each(each_text(), function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "send", scripted.failure(10506, case.text) }))
      local conn = hostile.connect()
      local _, err = conn:execute "INSERT INTO t VALUES (1)"
      hostile.fails({ kind = "not_leader", fatal = true, ambiguous = true }, nil, err)
      check_error(err, case.text)
      local _, again = conn:execute "INSERT INTO t VALUES (1)"
      check_error(hostile.ended("closed", false, nil, again))
      conn:close()
    end)
  end)

  it("are shown harmlessly when a connection is refused", function()
    hostile.each(each_text(), function(case)
      for place = 1, 3 do
        local opening = hostile.opening()
        local ahead = place == 1 and 0 or place == 2 and #opening - 32 or #opening - 16
        hostile.script { { "await", 3 }, { "send", opening:sub(1, ahead) },
          { "send", scripted.failure(1, case.text) } }
        local _, err = hostile.try()
        hostile.fails({ kind = "sql" }, nil, err)
        check_error(err, case.text)
      end
    end)
  end)

  it("are no way to the leader, which is asked for again", function()
    hostile.each(each_text(), function(case)
      hostile.script { { "await", 3 },
        { "send", scripted.frame("SERVER", { id = "1", address = case.text }) } }
      local conn = assert(hostile.try { direct = false })
      hostile.usable(conn)
      conn:close()
    end)
  end)

  it("are what they are as names and values", function()
    hostile.each(each_text(), function(case)
      hostile.script(hostile.opened({ "await", 1 },
        { "send", scripted.rows { columns = { case.text }, { case.text } } }))
      local conn = hostile.connect()
      assert.same({ { [case.text] = case.text } }, conn:fetch "SELECT a FROM t")
      conn:close()
    end)
  end)

  it("may be empty, or large", function()
    local texts = { { name = "empty", text = "" },
      { name = "512 KiB", text = ("\226\128"):rep(2 ^ 18) } }
    hostile.each(texts, function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "send", scripted.failure(1, case.text) }))
      local conn = hostile.connect()
      local _, err = conn:execute "INSERT INTO t VALUES (1)"
      hostile.fails({ kind = "sql", fatal = false }, nil, err)
      check_error(err, case.text)
      conn:close()
    end)
  end)
end)
