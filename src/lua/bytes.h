/* Bytes of the core as Lua strings, and back. */
#ifndef DQL_BYTES_H
#define DQL_BYTES_H

#include "core/buf.h"
#include "lua/compat.h"

static inline void dql_push_bytes(lua_State *L, struct dqc_bytes bytes)
{
  lua_pushlstring(L, bytes.len ? (const char *)bytes.ptr : "", bytes.len);
}

/* The string at index, which must stay where it is. Any other value raises. */
static inline struct dqc_bytes dql_check_bytes(lua_State *L, int index)
{
  struct dqc_bytes bytes;
  bytes.ptr = (const uint8_t *)luaL_checklstring(L, index, &bytes.len);
  return bytes;
}

#endif
