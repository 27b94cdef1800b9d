--- Temporary directories, in memory where that is possible, that go away with
-- this process however it ends.
local nodes = require "spec.support.nodes"

local scratch = {}

local Scratch = {}
Scratch.__index = Scratch

-- A session of its own: what kills a whole group of processes leaves it alone.
-- While others on the way out still write there, rm fails.
local KEEPER = [[exec setsid sh -c '
  trap "" HUP INT TERM
  cat >/dev/null
  until rm -rf "$0"; do sleep 0.02; done' %s >/dev/null 2>&1]]

--- Makes a directory.
-- @treturn table its `path`
function scratch.new()
  local path = nodes.output_of [[
    base=${TMPDIR:-/tmp}
    [ -w /dev/shm ] && base=/dev/shm
    mktemp -d "$base/lua-dqlite.XXXXXX"]]:gsub("\n", "")
  return setmetatable({
    path = path,
    keeper = assert(io.popen(KEEPER:format(nodes.quote(path)), "w")),
    count = 0, -- of names given away
  }, Scratch)
end

--- A name in it that is not used yet.
function Scratch:fresh(title)
  self.count = self.count + 1
  return ("%s/%s%d"):format(self.path, title, self.count)
end

--- Removes it. Again does nothing.
function Scratch:close()
  if self.keeper then self.keeper:close() end
  self.keeper = nil
end

return scratch
