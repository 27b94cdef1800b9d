-- Where calls work in nginx, and what they say elsewhere.
local certificates = require "spec.support.certificates"
local cluster = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

-- A phase's directive around what writes down the outcome of a call. Where nothing can be
-- printed it is looked up afterwards.
local function try(phase, call)
  return ([[%s_by_lua_block { require "spec_try"("%s", function(dqlite, pool) return %s end) }]])
    :format(phase, phase, call or "pool:fetchval 'SELECT 1 + 1'")
end

local TRY = [[
  local dqlite = require "dqlite"
  local pool = require "spec_pool"
  return function(phase, call)
    local ok, value, err = pcall(call, dqlite, pool)
    ngx.shared.seen:set(phase, ok and tostring(value or err) or "raised: " .. tostring(value))
  end]]

local LOCATIONS = ([[
  location = /rewrite { %s content_by_lua_block { ngx.print "." } }
  location = /access { %s content_by_lua_block { ngx.print "." } }
  location = /set {
    set_by_lua_block $any {
      require "spec_try"("set", function(_, pool) return pool:fetchval "SELECT 2" end)
      return "."
    }
    content_by_lua_block { ngx.print(ngx.var.any) }
  }
  location = /header { content_by_lua_block { ngx.print "." } %s }
  location = /body { content_by_lua_block { ngx.print "." } %s }
  location = /log { content_by_lua_block { ngx.print "." } %s }
  location = /all {
    rewrite_by_lua_block {
      ngx.ctx.conn = assert(require "dqlite".connect(require "spec_where"))
      assert(ngx.ctx.conn:begin())
    }
    access_by_lua_block { ngx.ctx.value = ngx.ctx.conn:fetchval "SELECT 40 + 2" }
    content_by_lua_block {
      assert(ngx.ctx.conn:commit())
      assert(ngx.ctx.conn:set_keepalive())
      ngx.print(ngx.ctx.value)
    }
  }
  location = /inner { content_by_lua_block {
    ngx.print(require "spec_pool":fetchval "SELECT 42")
  } }
  location = /within { content_by_lua_block {
    local inner = ngx.location.capture "/inner"
    ngx.print(inner.body, ", ", require "spec_pool":fetchval "SELECT 43")
  } }
  location = /balancer { proxy_pass http://behind; }
]]):format(try "rewrite", try "access", try "header_filter", try "body_filter", try "log")

local HTTP = ([[
  lua_shared_dict seen 1m;
  upstream behind {
    server 0.0.0.1;
    %s
  }
  init_by_lua_block {
    require "spec_pool"
    local dqlite = require "dqlite"
    require "spec_try"("init", function(_, pool) return pool:fetchval "SELECT 2" end)
    require "spec_try"("init blocking", function()
      local conn = assert(dqlite.connect(require "spec_where", { loop = "blocking" }))
      local value = conn:fetchval "SELECT 'blocking'"
      conn:close()
      return value
    end)
    require "spec_try"("init nginx", function()
      return dqlite.connect(require "spec_where", { loop = "nginx" })
    end)
  }
  init_worker_by_lua_block {
    local dqlite = require "dqlite"
    require "spec_try"("init_worker", function(_, pool) return pool:fetchval "SELECT 2" end)
    require "spec_try"("init_worker blocking", function()
      local conn = assert(dqlite.connect(require "spec_where", { loop = "blocking" }))
      local value = conn:fetchval "SELECT 'blocking'"
      conn:close()
      return value
    end)
    ngx.timer.at(0, function()
      require "spec_try"("timer", function(_, pool) return pool:fetchval "SELECT 2" end)
    end)
  }
  exit_worker_by_lua_block {
    require "spec_try"("exit_worker", function(_, pool) return pool:fetchval "SELECT 2" end)
    ngx.log(ngx.WARN, "in exit_worker: ", ngx.shared.seen:get "exit_worker", " over")
  }
]]):format((try("balancer"):gsub("}$", "ngx.exit(503) }")))

-- A server that speaks TLS, on a socket of its own. Waits in ssl_client_hello and in
-- ssl_session_fetch need patches of nginx itself, which OpenResty has.
local TLS = [[
  server {
    listen unix:$dir/tls ssl;
    ssl_certificate $dir/one.pem;
    ssl_certificate_key $dir/one.key;
    $certificate
    location / { return 204; }
  }
]]

local function tls_server(dir)
  return (TLS:gsub("%$([%a_]+)", {
    dir = dir,
    certificate = try "ssl_certificate",
  }))
end

describe("a call", function()
  local server, inside, made

  setup(function()
    local one = cluster.start { nodes = 1 }
    made = certificates.new()
    made:authority "one"
    local to_tls = ("location = /tls { proxy_pass https://unix:%s/tls:/; }"):format(made.dir)
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one, {
      server = LOCATIONS .. to_tls, http = HTTP .. tls_server(made.dir),
      lua = {
        spec_try = TRY,
        spec_pool = "return assert(require 'dqlite'.create_pool(require 'spec_where'))",
      },
    })))
    inside = nginx_inside.of(server)
  end)
  teardown(function()
    nginx_cluster.stop_all()
    if made then made:close() end
  end)

  local function seen(name)
    return eventually(name .. " was seen", function()
      return inside(("return ngx.shared.seen:get %q"):format(name))
    end)
  end

  for path, phase in pairs { rewrite = "rewrite", access = "access" } do
    it("works in " .. phase, function()
      assert.equal(".", assert(server:get("/" .. path)).body)
      assert.equal("2", seen(phase))
    end)
  end

  it("works while TLS is begun", function()
    assert.equal(204, assert(server:get "/tls").status)
    assert.equal("2", seen "ssl_certificate")
  end)

  it("works on one connection in one phase after the other", function()
    for _ = 1, 3 do assert.equal("42", assert(server:get "/all").body) end
  end)

  it("works in requests within a request", function()
    for _ = 1, 3 do assert.equal("42, 43", assert(server:get "/within").body) end
  end)

  it("works in content, and in a timer that init_worker begins", function()
    assert.equal(2, inside "return require 'spec_pool':fetchval 'SELECT 1 + 1'")
    assert.equal("2", seen "timer")
  end)

  local REFUSING = {
    { "set", "/set", "rewrite_by_lua" },
    { "header_filter", "/header", "ngx.timer.at" },
    { "body_filter", "/body", "ngx.timer.at" },
    { "log", "/log", "ngx.timer.at" },
    { "balancer", "/balancer", "access_by_lua" },
    { "init_worker", nil, "ngx.timer.at" },
  }
  for _, each in ipairs(REFUSING) do
    local phase, path, remedy = each[1], each[2], each[3]
    it("raises in " .. phase .. ", and says what to do", function()
      if path then assert.is_number(assert(server:get(path)).status) end
      local text = seen(phase)
      assert.matches("^raised: ", text)
      assert.matches("in the phase " .. phase, text, 1, true)
      assert.matches(remedy, text, 1, true)
      assert.equal(2, inside "return require 'spec_pool':fetchval 'SELECT 1 + 1'")
    end)
  end

  it("blocks in init and init_worker where that is asked for", function()
    assert.equal("blocking", seen "init blocking")
    assert.equal("blocking", seen "init_worker blocking")
  end)

  it("raises in init by the loop of nginx", function()
    assert.matches("^raised: .*in the phase init: .*loop = \"blocking\"", seen "init nginx")
  end)

  it("of a pool that was made in init raises there, and works in each worker", function()
    assert.matches("^raised: .*in the phase init: ", seen "init")
    for _, pid in ipairs(server:workers()) do
      local conn = server:connection(pid)
      assert.equal(2,
        nginx_inside.of(server, conn) "return require 'spec_pool':fetchval 'SELECT 1 + 1'")
      conn:close()
    end
  end)

  it("on a connection of a request sends nothing in its log phase", function()
    local refusal, after = inside [[
      local conn = assert(dqlite.connect(where))
      local before = conn:fetchval "SELECT 1"
      local real = ngx.get_phase
      ngx.get_phase = function() return "log" end
      local refusal = raises(function() conn:execute "CREATE TABLE never (a)" end)
      local pending = conn.link.core:pending()
      ngx.get_phase = real
      local after = conn:fetchval "SELECT count(*) FROM sqlite_master WHERE name = 'never'"
      conn:close()
      return refusal, after + pending + before]]
    assert.matches("^inside:5: .*in the phase log", refusal)
    assert.equal(1, after)
  end)

  it("raises in exit_worker, when the workers end", function()
    server:reload()
    server:await_log "in exit_worker: raised: "
    local text = server:log():match "in exit_worker: (.-) over"
    assert.matches("in the phase exit_worker: .*loop = \"blocking\"", text)
    assert.equal(2, inside "return require 'spec_pool':fetchval 'SELECT 1 + 1'")
  end)
end)
