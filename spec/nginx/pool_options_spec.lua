-- The options of dqlite.connect for what nginx keeps: `pool`, `pool_size`, `backlog`.

local cluster = require "spec.support.cluster"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx = require "spec.support.nginx"

describe("under nginx", function()
  local server

  setup(function()
    local members = cluster.start { nodes = 1 }
    server = nginx.start(nginx_cluster.options(members, {
      workers = 1,
      lua = {
        spec_connect = [[
          local dqlite, where = require "dqlite", require "spec_where"
          return function(opts) return dqlite.connect(where, opts) end]],
      },
      locations = {
        ["= /kept"] = [[
          local connect = require "spec_connect"
          local args = ngx.req.get_uri_args()
          local conn = assert(connect { pool = args.pool, database = args.database })
          ngx.print(conn:get_reused_times(), " ", conn:fetchval [=[
            SELECT group_concat(name) FROM sqlite_schema]=] or "nothing")
          if args.table then assert(conn:execute("CREATE TABLE " .. args.table .. " (n)")) end
          assert(conn:set_keepalive())]],
        ["= /crowd"] = [[
          local connect, now = require "spec_connect", require "dqlite.core".now
          local first = assert(connect { pool_size = 1, backlog = 0 })
          local began = now()
          local second, err = connect { pool_size = 1, backlog = 0 }
          ngx.say(second, " ", err.kind, " ", err.retryable, " ", now() - began < 0.5)
          first:close()
          ngx.say(connect { pool_size = 1, backlog = 0 }:fetchval "SELECT 'room'")]],
        ["= /queue"] = [[
          local connect = require "spec_connect"
          local first = assert(connect { pool_size = 1, backlog = 1 })
          local waits = ngx.thread.spawn(function()
            local conn = assert(connect { pool_size = 1, backlog = 1 })
            ngx.say(conn:fetchval "SELECT 'after'", " ", conn:get_reused_times())
          end)
          ngx.say "before"
          assert(first:set_keepalive())
          ngx.thread.wait(waits)]],
        ["= /wrong"] = [[
          local connect = require "spec_connect"
          for name, value in pairs { pool = 1, pool_size = 0, backlog = -1 } do
            ngx.say(select(2, pcall(connect, { [name] = value })))
          end
          ngx.say(select(2, pcall(require "dqlite".create_pool, "a:1", { pool_size = 1 })))]],
      },
    }))
  end)
  teardown(nginx_cluster.stop_all)

  local function get(path) return assert(server:get(path)).body end

  it("a pool's name keeps connections apart, and never brings databases together", function()
    assert.equal("0 nothing", get "/kept?pool=shop&database=one&table=first")
    assert.equal("0 nothing", get "/kept?pool=shop&database=two&table=second")
    assert.equal("1 first", get "/kept?pool=shop&database=one")
    assert.equal("1 second", get "/kept?pool=shop&database=two")
    assert.equal("0 first", get "/kept?pool=other&database=one")
    assert.equal("0 first", get "/kept?database=one")
  end)

  it("names that look like each other's parts are different pools", function()
    assert.equal("0 nothing", get "/kept?pool=b&database=a&table=short")
    assert.equal("0 nothing", get "/kept?database=a:leader:::0:b&table=long")
    assert.equal("1 short", get "/kept?pool=b&database=a")
  end)

  it("where all are in use and nobody may wait the answer comes at once", function()
    assert.equal("nil pool true true\nroom\n", get "/crowd")
  end)

  it("as many as the backlog says wait for one that is given back", function()
    assert.equal("before\nafter 1\n", get "/queue")
  end)

  it("wrong values raise", function()
    local body = get "/wrong"
    assert.truthy(body:find("option 'pool' must be a string", 1, true))
    assert.truthy(body:find("option 'pool_size' must be a positive whole number", 1, true))
    assert.truthy(body:find("option 'backlog' must be a whole number, 0 for none", 1, true))
    assert.truthy(body:find("option 'pool_size' means nothing under nginx", 1, true))
  end)
end)

it("elsewhere they raise", function()
  for name, value in pairs { pool = "a", pool_size = 1, backlog = 1 } do
    local ok, raised = pcall(require "dqlite".connect, "127.0.0.1:1", { [name] = value })
    assert.is_false(ok)
    assert.truthy(raised:find("nginx alone keeps connections", 1, true))
  end
end)
