--- Numbers that look random and follow from a seed, the same on every Lua: the
-- generator of Park and Miller with the multiplier 48271 (Communications of the ACM
-- 36 (7), 1993). Products stay below 2^53.
local Random = {}
Random.__index = Random

local MODULUS, MULTIPLIER = 2147483647, 48271

--- A number from 0 up to, not including, 1.
function Random:number()
  self.state = self.state * MULTIPLIER % MODULUS
  return self.state / MODULUS
end

--- A whole number from 1 to n.
function Random:upto(n)
  self.state = self.state * MULTIPLIER % MODULUS
  return self.state % n + 1
end

--- One of a list.
function Random:pick(list)
  return list[self:upto(#list)]
end

--- True with a probability.
function Random:chance(probability)
  if probability <= 0 then return false end
  return self:number() < probability
end

--- Makes a generator.
-- @tparam number seed a whole number from 1 to 2^31 - 3
return function(seed)
  local self = setmetatable({ state = seed % (MODULUS - 1) + 1 }, Random)
  for _ = 1, 3 do self:number() end -- small seeds lie close together
  return self
end
