--- Finds a local variable of a module by its name, behind the functions of it.

local find

local function find_below(value, name, seen)
  if type(value) ~= "table" or seen[value] then return find(value, name, seen) end
  seen[value] = true
  for _, each in pairs(value) do
    local found = find(each, name, seen)
    if found then return found end
  end
end

function find(fn, name, seen)
  if type(fn) ~= "function" or seen[fn] then return nil end
  seen[fn] = true
  for i = 1, 255 do
    local each, value = debug.getupvalue(fn, i)
    if not each then return nil end
    local found = each == name and value or find_below(value, name, seen)
    if found then return found end
  end
end

--- Raises where there is none.
-- @tparam table module
-- @tparam string name
return function(module, name)
  return find_below(module, name, {}) or error("no local variable " .. name .. " is used there", 2)
end
