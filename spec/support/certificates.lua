--- Certificates for specs, made by the command `openssl` in a directory that goes away
-- with this process.
local nodes = require "spec.support.nodes"
local scratch = require "spec.support.scratch"

local certificates = {}

local Certificates = {}
Certificates.__index = Certificates

local MAKE = [[cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
  -noenc -days 2 -subj '/CN=%s' -out '%s.pem' -keyout '%s.key' %s >'%s.log' 2>&1; echo $?]]

local function make(self, name, subject, more)
  local command = MAKE:format(nodes.quote(self.dir), subject, name, name, more, name)
  if nodes.output_of(command) == "0\n" then return end
  error(("openssl made no certificate '%s': %s"):format(name, nodes.read_file(
    ("%s/%s.log"):format(self.dir, name))))
end

--- Begins, without any.
-- @treturn table `dir`
function certificates.new()
  local place = scratch.new()
  return setmetatable({ place = place, dir = place.path }, Certificates)
end

--- Makes an authority that signs for itself.
-- @tparam string name
function Certificates:authority(name)
  make(self, name, name, "-addext basicConstraints=critical,CA:TRUE")
end

--- Makes a certificate, and its key.
-- @tparam string name of both
-- @tparam string by name of the authority
-- @tparam[opt] string host that it is for
function Certificates:issue(name, by, host)
  local more = ("-CA '%s.pem' -CAkey '%s.key' -addext basicConstraints=critical,CA:FALSE"):format(
    by, by)
  if host then more = ("%s -addext subjectAltName=DNS:%s"):format(more, host) end
  make(self, name, name, more)
end

--- The file of a certificate.
-- @tparam string name
-- @treturn string path
function Certificates:path(name)
  return ("%s/%s.pem"):format(self.dir, name)
end

--- The file of its key.
function Certificates:key_path(name)
  return ("%s/%s.key"):format(self.dir, name)
end

--- Removes them.
function Certificates:close()
  self.place:close()
end

return certificates
