--- The definitions for editors (library/), and how specs compare them with the code.
local assert = require "luassert"
local luacats = require "spec.support.luacats"

local definitions = {}

local function read()
  local files, pipe = {}, assert(io.popen "find library -name '*.lua' | sort")
  for path in pipe:lines() do files[#files + 1] = luacats.read(path) end
  pipe:close()
  return luacats.join(files)
end

definitions.library = read()

--- The fields of a class, its parents' too.
function definitions.fields(name)
  return luacats.fields(definitions.library, name)
end

--- The words that an alias stands for, as a set.
function definitions.words(alias)
  local words = {}
  for _, word in ipairs(definitions.library.types[alias].literals) do words[word] = true end
  return words
end

--- All keys of some tables, as a set.
function definitions.union(...)
  local all = {}
  for _, each in ipairs { ... } do
    for name in pairs(each) do all[name] = true end
  end
  return all
end

--- Adds what is in only one of two sets of names to the problems.
-- @tparam table problems list
-- @tparam table code set
-- @tparam string where that is, in words
-- @tparam table written set
-- @tparam string there
function definitions.compare(problems, code, where, written, there)
  for name in pairs(code) do
    if written[name] == nil then
      problems[#problems + 1] = ("%s has '%s', which is missing in %s"):format(where, name, there)
    end
  end
  for name in pairs(written) do
    if code[name] == nil then
      problems[#problems + 1] = ("%s has '%s', which is not in %s"):format(there, name, where)
    end
  end
end

--- Asserts that there are none, and shows all that there are.
function definitions.none(problems)
  table.sort(problems)
  assert.equal("", table.concat(problems, "\n"))
end

return definitions
