/* lua-dqlite inside of a C program that hosts Lua: after luadqlite_preload,
 * `require "dqlite"` works in that state without a file on disk, whatever
 * package.path and package.cpath are.
 *
 *     lua_State *L = luaL_newstate();
 *     luaL_openlibs(L);
 *     luadqlite_preload(L);
 *     if (luaL_dostring(L, "local dqlite = require 'dqlite' ...")) ...
 *
 * Link libluadqlite.a before Lua itself, and before libdqlite where
 * luadqlite_preload_node is called:
 *
 *     cc app.c -lluadqlite -llua5.4 -lm
 *     cc app.c -lluadqlite -ldqlite -lsqlite3 -ldl -llua5.4 -lm   (with a node)
 *
 * The archive is made for one Lua (`make static LUA=lua5.4`) and fits no other,
 * but that LuaJIT and Lua 5.1 may use each other's. It is C without -fexceptions:
 * for a Lua that was compiled as C++ add that to CFLAGS.
 *
 * Each function below is a lua_CFunction without arguments and results. Called
 * as it is, it leaves the stack as it was and needs no free slot there, and like
 * most of Lua's API it may raise: a lack of memory, or a Lua of another version
 * than the archive was made for. A program that has no lua_pcall around it calls
 * it by way of one:
 *
 *     lua_pushcfunction(L, luadqlite_preload);
 *     int status = lua_pcall(L, 0, 0, 0);
 *
 * Memory comes from the state's own allocator and goes with lua_close, the rest
 * (sockets, nodes) with the garbage collector, at lua_close at the latest. The
 * library keeps no state of its own between Lua states: several threads can use
 * it at once, each with a state of its own. It starts no thread, installs no
 * signal handler and never ends the process (a node does the first, and ignores
 * a SIGPIPE that would end the process: see dqlite.node).
 *
 * A state needs the standard libraries base, package, string, table, math,
 * coroutine, and of io and debug what is meant for a script: without io.open
 * stores in files do not work, and debug.traceback and debug.getinfo must be
 * there. `dqlite.run` needs the module luv, which is the program's to provide
 * (luaopen_luv in package.preload, required outside of any coroutine). */
#ifndef LUADQLITE_H
#define LUADQLITE_H

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;

/* Puts the client into package.preload: "dqlite", all "dqlite.*" of the rock
 * lua-dqlite and its C core. Nothing is loaded before it is required. In a state
 * that has these already it replaces the entries, not what is loaded. Error
 * messages and tracebacks call the files "dqlite/pool.lua". "resty.dqlite" is not
 * among them: it is for nginx, which hosts Lua by itself.
 *
 * In Lua 5.1 and LuaJIT the library `package` must be open (luaL_openlibs), or it
 * raises; later ones can open it afterwards. */
int luadqlite_preload(struct lua_State *L);

/* The same for the embedded node: "dqlite.node", "dqlite.node.*" and their C part.
 * It needs the client, too: call both, in any order. Only a program that calls
 * this needs libdqlite. Archives that were built without <dqlite.h> lack it. */
int luadqlite_preload_node(struct lua_State *L);

/* The C parts alone, for a program that brings the Lua files of the same version
 * by itself. As lua_CFunctions for package.preload["dqlite.core"] and
 * ["dqlite.node_core"]; they leave the module on the stack. */
int luaopen_dqlite_core(struct lua_State *L);
int luaopen_dqlite_node_core(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
