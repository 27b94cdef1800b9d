--- Types of annotations, as lua-language-server reads them, and no looser: a recursive
-- descent over the text behind a tag.

local Reader = {}
Reader.__index = Reader

local types = {}

--- A reader of one annotation.
-- @tparam string text
-- @tparam function name called with each name of a type
function types.reader(text, name)
  return setmetatable({ text = text, at = 1, name = name, wrong = nil }, Reader)
end

function Reader:blanks()
  self.at = self.text:match("^%s*()", self.at)
end

--- Takes what the pattern says, if it comes next.
function Reader:take(pattern)
  self:blanks()
  local found, behind = self.text:match("^(" .. pattern .. ")()", self.at)
  if found then self.at = behind end
  return found
end

function Reader:fail(wanted)
  error({ ("%s wanted at '%s'"):format(wanted, self.text:sub(self.at)) }, 0)
end

function Reader:need(pattern, wanted)
  return self:take(pattern) or self:fail(wanted or pattern)
end

--- What is left of the line: a description.
function Reader:rest()
  self:blanks()
  return self.text:sub(self.at)
end

function Reader:list(close, each)
  local count = 0
  if self:take(close) then return count end
  repeat
    each(self)
    count = count + 1
  until not self:take ","
  self:need(close)
  return count
end

local function parameter(self)
  local name = self:take "%.%.%." or self:need("[%a_][%w_]*", "the name of a parameter")
  self:take "%?"
  if self:take ":" then self:type() elseif name ~= "..." then self:fail "a type" end
end

-- What an answer of `fun(): a, b` is; in parentheses lua-language-server takes it for the
-- whole list.
local function answer(self)
  self:blanks()
  if self.text:sub(self.at, self.at) == "(" then self:fail "a type without parentheses" end
  self:type()
end

local function function_type(self)
  self:need "%("
  self:list("%)", parameter)
  if not self:take ":" then return end
  repeat answer(self) until not self:take ","
end

local function member(self)
  if self:take "%[" then
    self:type()
    self:need "%]"
  else
    self:need("[%a_][%w_]*", "the name of a field")
  end
  self:take "%?"
  self:need ":"
  self:type()
end

local function named(self, name)
  if name == "async" then
    self:need "fun"
    return function_type(self)
  end
  if name == "fun" then return function_type(self) end
  self.name(name)
  if self:take "<" then self:list(">", Reader.type) end
end

local function unit(self)
  local literal = self:take '"[^"]*"' or self:take "%-?%d+" or self:take "%.%.%."
  if literal then
    if literal:sub(1, 1) == '"' then self.literals[#self.literals + 1] = literal:sub(2, -2) end
  elseif self:take "{" then
    self:list("}", member)
  elseif self:take "%(" then
    self:type()
    self:need "%)"
  else
    named(self, self:need("[%a_][%w_.]*", "a type"))
  end
  while self:take "%[%]" do end
end

--- Reads a type. Literal texts in it are kept in `literals`.
-- @treturn boolean may it be nil?
function Reader:type()
  self.literals = self.literals or {}
  repeat unit(self) until not self:take "|"
  return self:take "%?" ~= nil
end

return types
