--- A directory for a spec's files, which is gone afterwards.
local temporary = {}

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

--- Makes a directory.
function temporary.directory()
  return assert(output_of("mktemp -d"):match "^(/.+)\n$")
end

--- Removes it with all that is in it.
function temporary.remove(directory)
  output_of("rm -rf '" .. directory .. "'")
end

--- Runs a shell command in it: what it prints.
function temporary.run(directory, command)
  return output_of(("cd '%s' && %s"):format(directory, command))
end

--- All names in it, hidden ones too, sorted.
function temporary.names(directory)
  local names = {}
  for name in temporary.run(directory, "ls -A"):gmatch "[^\n]+" do names[#names + 1] = name end
  return names
end

--- Writes a file.
function temporary.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Reads one.
function temporary.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

return temporary
