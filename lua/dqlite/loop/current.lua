--- Which loop of a host (dqlite.host) takes a step at this moment.
-- @module dqlite.loop.current

return {
  loop = nil, -- nil between steps
}
