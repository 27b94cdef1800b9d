-- Runs busted under the interpreter that runs this file; the command
-- `busted` would choose one by its own first line. Arguments are busted's.
require "spec.support.in_loop".install()
require "busted.runner"({ standalone = false })
