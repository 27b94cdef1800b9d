--- The handshake of TLS on a cosocket that has just been connected. OpenSSL, and whom it
-- trusts, are nginx' own: the directives lua_ssl_*.
-- @module dqlite.loop.handshake

local base = require "resty.core.base"
local core = require "dqlite.core"
local cosocket = require "dqlite.loop.cosocket"
local ffi = require "ffi"

local handshake = {}

-- ---- the client's certificate ----

local TOO_OLD = "a client certificate needs nginx' Lua module 0.10.22 or newer, with its"
  .. " lua-resty-core (0.1.24 or newer)"

-- Nobody parses at each connect: most sockets were kept.
local function parse(tls)
  local found, ssl = pcall(require, "ngx.ssl")
  if not found or not ssl.parse_pem_cert then return nil, "unsupported", TOO_OLD end
  local cert, wrong = ssl.parse_pem_cert(tls.cert)
  if not cert then return nil, "value", "tls.cert: " .. wrong end
  local key, no_key = ssl.parse_pem_priv_key(tls.key)
  if not key then return nil, "value", "tls.key: " .. no_key end
  return cert, key
end

local function show_certificate(sock, tls)
  if not tls.cert then return true end
  if not sock.setclientcert then return nil, "unsupported", TOO_OLD end
  local cert, key, reason = parse(tls)
  if not cert then return nil, key, reason end
  local set, err = sock:setclientcert(cert, key)
  if set then return true end
  return nil, "value", err
end

-- ---- what has gone wrong ----

-- Parts of what OpenSSL says where a chain does not end at a CA that it trusts.
local UNTRUSTED = {
  "issuer certificate", "self.signed certificate", "verify the first certificate",
  "not trusted", "chain too long",
}

local DISTRUST = "the server's certificate is not trusted (%s): nginx' directive"
  .. " lua_ssl_trusted_certificate names the file with the CAs, and lua_ssl_verify_depth says"
  .. " how many certificates may stand between"

local function is_untrusted(err)
  for _, part in ipairs(UNTRUSTED) do
    if err:find(part) then return true end
  end
  return false
end

local OTHER_NAME = "the server's certificate is not for '%s': the option tls.server_name says what"
  .. " name it has"

local FAILED = "the TLS handshake failed: does the server speak TLS, of a version that nginx'"
  .. " directive lua_ssl_protocols allows?"

local DOUBTS = {
  without = " Does it ask for a client certificate (tls.cert and tls.key)?",
  with = " Does it accept the client certificate (tls.cert)?",
}

local function about_certificate(tls)
  return DOUBTS[tls.cert and "with" or "without"]
end

local function failure(err, tls)
  local text = err:gsub("^%d+: ", "") -- the number may be that of an earlier failure
  if text == "timeout" then return nil, "timeout", "no end of the TLS handshake in time" end
  if text == "handshake failed" or text == "closed" then
    return nil, "connect", FAILED .. about_certificate(tls)
  elseif text == "certificate host mismatch" then
    return nil, "connect", OTHER_NAME:format(tls.server_name)
  elseif err:find "private key failed" then
    return nil, "value", "tls.key is not the key of tls.cert"
  elseif is_untrusted(err) then
    return nil, "connect", DISTRUST:format(err)
  end
  return nil, "connect", "the TLS handshake failed: " .. err
end

-- Where the whole handshake is done without a wait, ngx_lua 0.10.23 takes a certificate
-- that it refuses for one that it has accepted: it closes the socket, and lua-resty-core
-- answers true, or, when it is asked for the session as here, fails at an assertion. The
-- reason is left where it has looked for it.
local function shake(sock, tls)
  local ok, result, err = pcall(sock.sslhandshake, sock, nil, tls.server_name, tls.verify)
  if not ok and tostring(result):find("assertion failed", 1, true) then
    local text = base.get_errmsg_ptr()[0]
    return text ~= nil and ffi.string(text) or "closed"
  end
  if not ok then error(result, 0) end
  if not err and not sock:getreusedtimes() then return "closed" end
  return err
end

--- Shakes hands.
-- @param sock connected; to be closed by the caller where this fails
-- @tparam table tls what is asked for (dqlite.tls)
-- @tparam number deadline of core.now()
-- @treturn true|nil
-- @treturn string|nil the kind of the error
-- @treturn string|nil its reason
function handshake.run(sock, tls, deadline)
  if not sock.sslhandshake then
    return nil, "unsupported", "this nginx was built without TLS for its Lua module"
  end
  local shown, kind, reason = show_certificate(sock, tls)
  if not shown then return nil, kind, reason end
  local left = deadline - core.now()
  if left <= 0 then return failure("timeout", tls) end
  local ms = cosocket.milliseconds(left)
  sock:settimeouts(ms, ms, ms)
  local err = shake(sock, tls)
  if err then return failure(err, tls) end
  return true
end

--- What may be wrong where the server closes after a handshake: in TLS 1.3, and behind
-- nginx, that is how it refuses certificates.
-- @tparam table tls
-- @treturn string
function handshake.doubt(tls)
  return " after the TLS handshake." .. about_certificate(tls) .. " Is the node behind it up?"
end

return handshake
