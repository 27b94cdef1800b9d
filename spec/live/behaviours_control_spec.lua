-- Control of the transaction as text, in every spelling, against what the server makes of
-- it: behaviour 32.
local control_texts = require "spec.support.control_texts"
local live = require "spec.support.live"

live.each("control of the transaction as text", function(server)
  local conn

  before_each(function()
    conn = server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a)")
  end)

  -- The server's word; what is open then is rolled back.
  local function is_open(text)
    local _, err = conn:execute "BEGIN"
    if err then
      assert.equal("cannot start a transaction within a transaction", err.message, text)
    end
    assert(conn:execute "ROLLBACK")
    return err ~= nil
  end

  local function check(expected, text)
    assert.equal(expected, conn:in_transaction(), text)
    assert.equal(expected, is_open(text), text)
  end

  it("behaviour 32: that begins is known to leave it open", function()
    for _, text in ipairs(control_texts.begins) do
      assert(conn:execute(text))
      check(true, text)
    end
  end)

  it("behaviour 32: that ends it is known to have done so", function()
    for _, text in ipairs(control_texts.ends) do
      assert(conn:script "BEGIN; SAVEPOINT a")
      assert(conn:execute(text))
      check(false, text)
    end
  end)

  it("behaviour 32: is told from what looks like it", function()
    for _, text in ipairs(control_texts.neither) do
      assert(conn:script "BEGIN; SAVEPOINT a")
      assert(conn:execute(text))
      check(true, text)
    end
  end)

  it("behaviour 32: in a script of several counts as well", function()
    for _, text in ipairs(control_texts.begins) do
      assert(conn:script(text .. "\n; SELECT ';COMMIT'; -- ; ROLLBACK"))
      check(true, text)
    end
  end)
end)
