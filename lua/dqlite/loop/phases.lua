--- The phases of nginx' Lua module: in which of them a call can wait, and what to do
-- in the others.
-- @module dqlite.loop.phases

local phases = {}

local function here()
  return rawget(_G, "ngx")
end

-- Where the module has cosockets (ngx_lua's documentation, ngx.socket.tcp).
local WITH_COSOCKETS = {
  rewrite = true, server_rewrite = true, access = true, precontent = true, content = true,
  timer = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
  proxy_ssl_cert = true, proxy_ssl_verify = true, preread = true,
}

-- Where nothing is served yet, or any more: who blocks there stops nobody.
local OUTSIDE_OF_REQUESTS = { init = true, init_worker = true, exit_worker = true }

local IN_A_TIMER = "do it in a timer: ngx.timer.at(0, function() ... end)"
local REMEDIES = {
  init = "connect in the workers, where a request needs it, or with loop = \"blocking\" for what"
    .. " has to be done before they start",
  exit_worker = "with loop = \"blocking\" a call blocks until it is done",
  set = "do it in rewrite_by_lua or access_by_lua",
  balancer = "do it in access_by_lua, and pass the result on in ngx.ctx",
}

--- The phase that runs.
-- @treturn string|nil as ngx.get_phase; nil where this is not nginx
function phases.current()
  local ngx = here()
  return ngx and ngx.get_phase and ngx.get_phase()
end

--- Why no cosocket can be used here, and what to do instead.
-- @treturn string|nil nil where one can
function phases.refusal()
  local phase = phases.current()
  if not phase then return "the loop \"nginx\" needs nginx with its Lua module" end
  if WITH_COSOCKETS[phase] then return nil end
  return ("nginx has no sockets in the phase %s: %s"):format(phase,
    REMEDIES[phase] or IN_A_TIMER)
end

--- Would a call that blocks hold up what nginx serves?
-- @treturn boolean
function phases.is_serving()
  local phase = phases.current()
  return phase ~= nil and not OUTSIDE_OF_REQUESTS[phase]
end

return phases
