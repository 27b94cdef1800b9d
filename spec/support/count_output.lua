-- A busted output handler: the plain one, and at the end the line
-- `N passed, N failed` that run_suites.sh adds up. A pending spec has not
-- been run, so it counts as failed.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)

  busted.subscribe({ "exit" }, function()
    local failed = handler.failuresCount + handler.errorsCount
      + handler.pendingsCount
    print(("%d passed, %d failed"):format(handler.successesCount, failed))
    return nil, true
  end)

  return handler
end
