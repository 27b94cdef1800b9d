--- Sets of parameters (1, 'x'), (2, 'x'), ..., (last, 'x'), and at `k` the one
-- given.
return function(last, k, odd)
  local list = {}
  for i = 1, last do list[i] = { i, "x" } end
  if k then list[k] = odd end
  return list
end
