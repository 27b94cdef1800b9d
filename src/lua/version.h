/* Of the C modules, each of which tells it as _VERSION. The Lua files want their
 * own, native.VERSION of lua/dqlite/native.lua. */
#ifndef DQL_VERSION_H
#define DQL_VERSION_H

#define DQL_VERSION "0.1.0"

#endif
