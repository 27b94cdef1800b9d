-- dqlite.retry, and by which rule something runs again.
local dqlite = require "dqlite"
local errors = require "dqlite.error"
local retry = require "dqlite.retry"
local scripted = require "spec.support.scripted"

describe("dqlite.retry", function()
  local server

  before_each(function() server = scripted.server() end)

  local function with_fields(fields)
    fields.kind, fields.message = fields.kind or "closed", "of the spec"
    return errors.new(fields)
  end

  it("answers what the function answers, all of it", function()
    local values = { dqlite.retry(function() return 1, nil, 3 end, { loop = server.loop }) }
    assert.same({ 1, nil, 3 }, values)
    assert.equal(0, server.slept)
    assert.equal(0, select("#", dqlite.retry(function() end, { loop = server.loop })))
  end)

  local function counted(outcomes, opts)
    opts = opts or {}
    opts.loop = server.loop
    local tries = 0
    local results = { pcall(dqlite.retry, function()
      tries = tries + 1
      local outcome = outcomes[tries] or outcomes[#outcomes]
      if outcome.raise then error(outcome.raise, 0) end
      return outcome[1], outcome[2]
    end, opts) }
    return tries, results
  end

  it("runs again what is retryable, answered or raised", function()
    local again = with_fields { retryable = true }
    local tries, results = counted { { nil, again }, { raise = again }, { nil, again }, { "done" } }
    assert.equal(4, tries)
    assert.same({ true, "done" }, results)
    assert.is_true(server.slept > 0)
  end)

  it("never runs again what is ambiguous, or certain, or no error of the library", function()
    for _, problem in ipairs {
      with_fields { ambiguous = true },
      with_fields { ambiguous = true, retryable = true },
      with_fields { fatal = true },
      "a text",
      { retryable = true },
    } do
      local tries, results = counted { { nil, problem } }
      assert.same({ 1, true }, { tries, results[1] })
      assert.equal(problem, results[3])
      tries, results = counted { { raise = problem } }
      assert.same({ 1, false }, { tries, results[1] })
      assert.equal(problem, results[2])
    end
  end)

  it("ends with the last error when the time or the tries are over", function()
    local again = with_fields { retryable = true }
    local began = server.time
    local tries, results = counted({ { nil, again } }, { timeout = 2 })
    assert.equal(again, results[3])
    assert.is_true(tries > 10 and tries < 1000)
    assert.is_true(server.time < began + 2)
    tries, results = counted({ { raise = again } }, { retries = 4 })
    assert.same({ 5, false }, { tries, results[1] })
    assert.equal(again, results[2])
    assert.equal(1, (counted({ { nil, again } }, { retries = 0 })))
  end)

  it("raises for what makes no sense", function()
    local ok, message = pcall(dqlite.retry, 5)
    assert.is_false(ok)
    assert.matches("retry_spec.lua", message, 1, true)
    ok, message = pcall(dqlite.retry, print, { tries = 5 })
    assert.is_false(ok)
    assert.matches("unknown option 'tries'", message, 1, true)
  end)

  it("has a rule for calls, and one for transactions", function()
    local lost = with_fields { retryable = true, fatal = true }
    local busy = with_fields { kind = "busy", retryable = true, code = 5 }
    local snapshot = with_fields { kind = "busy", retryable = true, code = 517 }
    local doubtful = with_fields { ambiguous = true, fatal = true }
    local function verdicts(err) return { retry.is_lost(err), retry.is_undone(err) } end
    assert.same({ true, true }, verdicts(lost))
    assert.same({ false, false }, verdicts(busy))
    assert.same({ false, true }, verdicts(snapshot))
    assert.same({ false, false }, verdicts(doubtful))
    assert.same({ false, false }, verdicts "a text")
  end)
end)
