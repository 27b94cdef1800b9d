-- What the checker of chaos finds in histories that are made up.
local checker = require "spec.chaos.checker"
local history = require "spec.chaos.history"

local WRITES = 4 -- acknowledged in the good history

-- Two accounts of 100, of which 30 went from the first to the second, and 5 back.
local function good()
  local function op(number, kind, outcome, values)
    return { begun = number, ended = number + 0.5, worker = 1, number = number, kind = kind,
      outcome = outcome, timeout = 4, values = values or {}, error = "" }
  end
  return {
    broken = {},
    setup = { { seed = 1, seconds = 9, interpreter = "Lua 5.4", accounts = 2, balance = 100 } },
    op = {
      op(1, "insert", "ok"),
      op(2, "once", "ok"),
      op(3, "transfer", "ok", { 1, 2, 30 }),
      op(4, "transfer", "ok", { 2, 1, 5 }),
      op(5, "read", "ok", { 200 }),
      op(6, "insert", "unapplied"),
      op(7, "transfer", "unapplied", { 1, 2, 1 }),
      op(8, "once", "unapplied"),
      op(9, "read", "failed"),
      op(10, "insert", "ambiguous"),
      op(11, "insert", "ambiguous"),
      op(12, "transfer", "ambiguous", { 1, 2, 2 }),
    },
    nemesis = { { time = 3, action = "cut: all" } },
    item = {
      { worker = 1, number = 1 }, { worker = 1, number = 2 }, { worker = 1, number = 11 },
    },
    ledger = {
      { worker = 1, number = 3, source = 1, target = 2, amount = 30 },
      { worker = 1, number = 4, source = 2, target = 1, amount = 5 },
    },
    balance = { { account = 1, balance = 75 }, { account = 2, balance = 125 } },
    ["end"] = { {} },
  }
end

-- The titles of the checks that found something, and what they found.
local function found(all, demanded)
  local titles, problems = {}, {}
  for _, result in ipairs(checker.check(all, demanded or WRITES)) do
    if #result.problems > 0 then
      titles[#titles + 1] = result.title
      for _, problem in ipairs(result.problems) do problems[#problems + 1] = problem end
    end
  end
  return titles, table.concat(problems, "\n")
end

describe("the checker of chaos", function()
  it("passes what is as it should be", function()
    assert.same({}, (found(good())))
    assert.is_true(#checker.check(good(), WRITES) > 10)
  end)

  it("passes ambiguous writes that are there, and those that are not", function()
    local all = good()
    table.insert(all.item, { worker = 1, number = 10 })
    table.insert(all.ledger, { worker = 1, number = 12, source = 1, target = 2, amount = 2 })
    all.balance = { { account = 1, balance = 73 }, { account = 2, balance = 127 } }
    table.remove(all.item, 3)
    assert.same({}, (found(all)))
  end)

  -- Each spoils a good history; `title` is of the one check that is to find it.
  local VIOLATIONS = {
    { "an acknowledged insert that is missing", "what was acknowledged is there",
      function(all) table.remove(all.item, 1) end, "insert 1/1" },
    { "an acknowledged insert of once that is missing", "what was acknowledged is there",
      function(all) table.remove(all.item, 2) end, "once 1/2" },
    { "an acknowledged insert that is there twice", "nothing is there twice",
      function(all) table.insert(all.item, { worker = 1, number = 1 }) end, "2 times: insert 1/1" },
    { "an insert of once that is there twice", "nothing is there twice",
      function(all) table.insert(all.item, { worker = 1, number = 2 }) end, "2 times: once 1/2" },
    { "an ambiguous insert that is there twice", "nothing is there twice",
      function(all) table.insert(all.item, { worker = 1, number = 11 }) end,
      "2 times: insert 1/11" },
    { "an unapplied insert that is there", "what was certainly not applied is not there",
      function(all) table.insert(all.item, { worker = 1, number = 6 }) end, "insert 1/6" },
    { "an unapplied insert of once that is there",
      "what was certainly not applied is not there",
      function(all) table.insert(all.item, { worker = 1, number = 8 }) end, "once 1/8" },
    { "an item that nobody wrote", "nothing is there that nobody wrote",
      function(all) table.insert(all.item, { worker = 2, number = 1 }) end, "item 2/1" },
    { "an item that only a transfer has the number of", "nothing is there that nobody wrote",
      function(all) table.insert(all.item, { worker = 1, number = 3 }) end, "item 1/3" },
    { "a read of another sum", "no read sees another sum of balances",
      function(all) all.op[5].values = { 199 } end, "read 1/5" },
    { "a read of no sum", "no read sees another sum of balances",
      function(all) all.op[5].values = {} end, "read 1/5" },
    { "balances that the ledger does not account for", "balances are the sums of the ledger",
      function(all) all.balance[1].balance, all.balance[2].balance = 74, 126 end, "account 1" },
    { "an account that is missing", "balances are the sums of the ledger",
      function(all) table.remove(all.balance) end, "1 accounts" },
    { "an ambiguous once before its time is over", "once is ambiguous only when its time is over",
      function(all) all.op[8].outcome = "ambiguous" end, "once 1/8" },
    { "a call that outlasts its time", "no call outlasts its time",
      function(all) all.op[9].ended = all.op[9].begun + 7 end, "read 1/9" },
    { "an operation that raised",
      "operations have outcomes that there are, and no operation is there twice",
      function(all) all.op[6].outcome = "raised" end, "insert 1/6" },
    { "a write that failed like a read",
      "operations have outcomes that there are, and no operation is there twice",
      function(all) all.op[6].outcome = "failed" end, "insert 1/6" },
    { "an operation that is there twice",
      "operations have outcomes that there are, and no operation is there twice",
      function(all) all.op[13] = all.op[9] end, "twice: read 1/9" },
    { "a line that is no record", "the history is whole",
      function(all) all.broken[1] = "op\t1" end, "op" },
    { "a final state that breaks off", "the history is whole",
      function(all) all["end"] = {} end, "no end" },
  }

  for _, violation in ipairs(VIOLATIONS) do
    local what, title, spoil, about = violation[1], violation[2], violation[3], violation[4]
    it("finds " .. what, function()
      local all = good()
      spoil(all)
      local titles, problems = found(all)
      assert.same({ title }, titles)
      assert.is_truthy(problems:find(about, 1, true), problems)
    end)
  end

  it("finds transfers that are missing, in the ledger and the balances", function()
    local all = good()
    table.remove(all.ledger, 1)
    assert.same({ "what was acknowledged is there", "balances are the sums of the ledger" },
      (found(all)))
  end)

  it("finds transfers that are there twice, once in the balances", function()
    local all = good()
    table.insert(all.ledger, all.ledger[1])
    assert.same({ "nothing is there twice", "balances are the sums of the ledger" }, (found(all)))
  end)

  it("finds transfers that are there twice, in the balances as well", function()
    local all = good()
    table.insert(all.ledger, all.ledger[1])
    all.balance = { { account = 1, balance = 45 }, { account = 2, balance = 155 } }
    assert.same({ "nothing is there twice" }, (found(all)))
  end)

  it("finds transfers that are there though they were certainly not applied", function()
    local all = good()
    table.insert(all.ledger, { worker = 1, number = 7, source = 1, target = 2, amount = 1 })
    all.balance = { { account = 1, balance = 74 }, { account = 2, balance = 126 } }
    assert.same({ "what was certainly not applied is not there" }, (found(all)))
  end)

  it("finds transfers of another amount", function()
    local all = good()
    all.ledger[1].amount = 31
    all.balance = { { account = 1, balance = 74 }, { account = 2, balance = 126 } }
    assert.same({ "transfers are there as they were asked for" }, (found(all)))
  end)

  it("finds that too few writes were acknowledged", function()
    assert.same({ "enough writes were acknowledged" }, (found(good(), WRITES + 1)))
  end)

  it("passes nothing of a history without a beginning", function()
    local all = good()
    all.setup = {}
    assert.equal(#checker.check(all, WRITES), #found(all))
  end)

  it("counts acknowledged writes and the longest time without one", function()
    local all = good()
    assert.equal(WRITES, checker.acknowledged(all))
    assert.equal(1, checker.longest_pause(all))
    all.op[4].ended = 7
    assert.equal(3.5, checker.longest_pause(all))
  end)
end)

describe("the file of a history", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(all)
    local writer = history.create(path)
    for _, what in ipairs { "setup", "op", "nemesis", "item", "ledger", "balance", "end" } do
      for _, record in ipairs(all[what]) do writer:add(what, record) end
    end
    writer:close()
  end

  it("holds what was written", function()
    write(good())
    assert.same(good(), history.read(io.lines(path)))
  end)

  it("has a line for each record, whatever a text holds", function()
    local all = good()
    all.op[6].error = "sql: a\tb\nc"
    write(all)
    assert.equal("sql: a b c", history.read(io.lines(path)).op[6].error)
    assert.same({}, (found(history.read(io.lines(path)))))
  end)

  it("keeps lines that are no record", function()
    local lines = { "setup\t1", "", "another", "item\t1\t2" }
    local i = 0
    local all = history.read(function()
      i = i + 1
      return lines[i]
    end)
    assert.same({ "setup\t1", "", "another" }, all.broken)
    assert.same({ { worker = 1, number = 2 } }, all.item)
  end)
end)
