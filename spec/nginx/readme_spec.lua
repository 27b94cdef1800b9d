-- What the README shows for nginx does what it says.
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nodes = require "spec.support.nodes"

local ADDRESSES = '{ "10.0.0.1:9001", "10.0.0.2:9001" }'

describe("the handler in the README", function()
  teardown(nginx_cluster.stop_all)

  it("answers a row, and that there is none", function()
    local one = cluster.start { nodes = 1 }
    local conn = assert(dqlite.connect(one.nodes[1].address))
    assert(conn:script [[CREATE TABLE greetings (id INTEGER PRIMARY KEY, text TEXT);
      INSERT INTO greetings VALUES (7, 'ho')]])
    conn:close()
    local source = nodes.read_file "README.md":match "```lua\n(%-%- greetings%.lua\n.-)```"
    local from, to = source:find(ADDRESSES, 1, true)
    source = source:sub(1, from - 1) .. 'require "spec_where"' .. source:sub(to + 1)
    local server = nginx.start(nginx_cluster.options(one, {
      http = "lua_shared_dict dqlite 1m;",
      lua = { greetings = source },
      locations = { ["/"] = 'require "greetings".answer()' },
    }))
    for _ = 1, 10 do
      local answer = assert(server:get "/?id=7")
      assert.same({ 200, "ho\n" }, { answer.status, answer.body })
    end
    assert.equal(404, assert(server:get "/?id=8").status)
    assert.same({}, server:errors())
  end)
end)
