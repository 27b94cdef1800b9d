--- What the Lua that runs the specs can do. Where it cannot, a spec says what there is
-- instead.
return {
  -- Can a coroutine wait wherever the library does? Not inside of pcall, nor of an
  -- iterator, in Lua 5.1.
  waits = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil,
}
