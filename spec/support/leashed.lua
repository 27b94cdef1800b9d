--- Programs in processes of their own, by leash.sh: they are killed when this
-- process ends, however it does, even those that are frozen, and with them what they
-- have started.
local eventually = require "spec.support.eventually"
local nodes = require "spec.support.nodes"
local uv = require "luv"

local leashed = {}

local Leashed = {}
Leashed.__index = Leashed

-- The leash has a session of its own: what kills the group of this process leaves it
-- alone, since it has yet to kill that of the program.
local LEASH = "exec setsid bash spec/support/leash.sh %s %s"

--- Starts a program.
-- @tparam string command for the shell, not more than a program with arguments
-- @tparam string log what its files begin with
-- @treturn table its `pid`
function leashed.start(command, log)
  local self = setmetatable({
    log = log,
    pid = nil,
    leash = assert(io.popen(LEASH:format(nodes.quote(log), command), "w")),
    frozen = false,
  }, Leashed)
  eventually("the program has been started: " .. command, function()
    self.pid = tonumber(nodes.read_file(log .. ".pid"))
    return self.pid
  end)
  return self
end

--- What it has printed, and what to standard error.
function Leashed:output()
  return nodes.read_file(self.log .. ".out"), nodes.read_file(self.log .. ".err")
end

--- Is there such a process, frozen or not?
function Leashed:is_running()
  return self.leash ~= nil and uv.kill(self.pid, 0) == 0
end

-- The letters of all its threads' states.
local function states(pid)
  local list, letters = uv.fs_scandir(("/proc/%d/task"):format(pid)), {}
  local name = list and uv.fs_scandir_next(list)
  while name do
    local stat = nodes.read_file(("/proc/%d/task/%s/stat"):format(pid, name))
    letters[#letters + 1] = stat:match ".*%) (%a)"
    name = uv.fs_scandir_next(list)
  end
  return table.concat(letters)
end

--- Stops all of its threads where they are.
function Leashed:freeze()
  assert(uv.kill(self.pid, "sigstop"))
  self.frozen = true
  eventually("the process is frozen", function() return states(self.pid):match "^T+$" end)
end

function Leashed:thaw()
  assert(uv.kill(self.pid, "sigcont"))
  self.frozen = false
end

-- Waits for its end: the leash lives as long.
local function let_go(self)
  if self.leash then self.leash:close() end
  self.leash, self.frozen = nil, false
end

--- Ends it without a warning; it is gone when this returns.
function Leashed:kill()
  if self:is_running() then uv.kill(self.pid, "sigkill") end
  let_go(self)
end

--- Ends it in good order and waits for that.
-- @tparam string word "end": by the end of its input; or the name of a signal
function Leashed:stop(word)
  if self.frozen then self:thaw() end
  if self.leash then self.leash:write(word, "\n") end
  let_go(self)
end

return leashed
