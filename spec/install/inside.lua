-- inside.lua PREFIX SCRIPT: runs the script with what is installed below PREFIX, and
-- sees that neither it nor the interpreter looks for modules anywhere else.
local prefix, script = arg[1] .. "/", arg[2]

local function is_inside(path)
  return path:sub(1, #prefix) == prefix
end

local function look_inside()
  for template in (package.path .. ";" .. package.cpath):gmatch "[^;]+" do
    assert(is_inside(template), "modules are looked for in " .. template)
  end
end

look_inside()
dofile(script)
look_inside()
local source = debug.getinfo(require "dqlite".connect, "S").source
assert(is_inside((source:gsub("^@", ""))), "dqlite comes from " .. source)
