-- The library runs on Lua 5.1 to 5.4 and LuaJIT: only what all of them have.
std = "min"
-- What only some of them have; the code asks before it uses these.
read_globals = {
  "jit",
  "ngx",
  "unpack",
  math = { fields = { "mininteger", "maxinteger", "tointeger", "type" } },
  table = { fields = { "pack", "unpack" } },
}
max_line_length = 100
cache = false
-- `not (x > y)`: unlike `x <= y`, it is true for NaN, which must be refused.
ignore = { "581" }

files["examples/openresty"] = { globals = { "ngx" } }
files["spec"] = { std = "min+busted" }
files["config.ld"] = { std = "ldoc" }
-- What wrk calls and offers.
files["**/wrk*.lua"] = { globals = { "init", "request", "response", "setup", "done", "delay" },
  read_globals = { "wrk" } }
-- Definitions for editors: functions without a body, types on one line each.
files["library"] = { unused_args = false, max_comment_line_length = false, ignore = { "241" } }
