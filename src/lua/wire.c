/* The codec alone: bytes of messages and messages of bytes, both directions.
 * Behind lua/dqlite/wire.lua. */
#include "lua/wire.h"

#include <string.h>

#include "core/le.h"
#include "core/message.h"
#include "core/session.h"
#include "core/status.h"
#include "lua/alloc.h"
#include "lua/bytes.h"
#include "lua/decode.h"
#include "lua/encode.h"
#include "lua/value.h"

static const char DECODER[] = "dqlite.decoder";
static const char BYTES[] = "dqlite.bytes";

/* ---- encode ---- */

/* A buffer that belongs to Lua, so that no error leaks it. */
static struct dqc_buf *new_buf(lua_State *L)
{
  struct dqc_buf *buf = dql_newuserdata(L, sizeof *buf, 0);
  dqc_buf_init(buf, dql_alloc(L));
  dql_setclass(L, BYTES);
  return buf;
}

static int buf_gc(lua_State *L)
{
  dqc_buf_free(dql_checkclass(L, 1, BYTES));
  return 0;
}

static const char *encode_problem(int rc, const struct dqc_message *message)
{
  const char *refusal = dqc_message_refusal(message);
  if (refusal) return refusal;
  if (rc == DQC_ETOOBIG) return "a message larger than 1 GiB";
  return "a value that the wire cannot carry";
}

/* encode(name, fields) -> bytes | nil, reason */
static int encode(lua_State *L)
{
  struct dqc_message message;
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct dqc_buf *buf = new_buf(L);
  dql_message_of(L, name, 2, &message);
  int rc = dqc_message_encode(buf, &message, DQC_FRAME_MAX);
  if (rc == DQC_ENOMEM) return luaL_error(L, "not enough memory");
  if (rc) {
    lua_pushnil(L);
    lua_pushstring(L, encode_problem(rc, &message));
    return 2;
  }
  dql_push_bytes(L, dqc_buf_view(buf));
  dqc_buf_free(buf);
  return 1;
}

/* ---- decode ---- */

struct decoder {
  struct dqc_buf in;
  size_t max;
  enum dqc_direction direction;
  uint8_t handshake; /* the version word comes first */
  uint8_t pushing; /* a message is being made of the bytes */
  const char *broken; /* why nothing more can be read */
};

/* decoder(to_server, handshake, max) */
static int new_decoder(lua_State *L)
{
  struct decoder *d = dql_newuserdata(L, sizeof *d, 0);
  memset(d, 0, sizeof *d);
  dqc_buf_init(&d->in, dql_alloc(L));
  dql_setclass(L, DECODER);
  d->direction = lua_toboolean(L, 1) ? DQC_TO_SERVER : DQC_TO_CLIENT;
  d->handshake = (uint8_t)lua_toboolean(L, 2);
  d->max = (size_t)luaL_checknumber(L, 3);
  return 1;
}

static struct decoder *check_decoder(lua_State *L)
{
  return dql_checkclass(L, 1, DECODER);
}

/* A finalizer that runs while a message is pushed must not move its bytes. */
static struct decoder *check_unread(lua_State *L)
{
  struct decoder *d = check_decoder(L);
  if (d->pushing) luaL_error(L, "the decoder is in use");
  return d;
}

static int decoder_gc(lua_State *L)
{
  dqc_buf_free(&check_decoder(L)->in);
  return 0;
}

static int decoder_feed(lua_State *L)
{
  struct decoder *d = check_unread(L);
  struct dqc_bytes bytes = dql_check_bytes(L, 2);
  if (dqc_buf_append(&d->in, bytes.ptr, bytes.len)) {
    return luaL_error(L, "not enough memory");
  }
  return 0;
}

static int broken(lua_State *L, struct decoder *d, const char *reason)
{
  d->broken = reason;
  lua_pushnil(L);
  lua_pushstring(L, reason);
  return 2;
}

static int next_handshake(lua_State *L, struct decoder *d)
{
  struct dqc_bytes input = dqc_buf_view(&d->in);
  if (input.len < DQC_WORD) return 0;
  lua_newtable(L);
  lua_pushliteral(L, "HANDSHAKE");
  lua_setfield(L, -2, "name");
  dql_push_id(L, dqc_load64(input.ptr));
  lua_setfield(L, -2, "version");
  dqc_buf_consume(&d->in, DQC_WORD);
  d->handshake = 0;
  return 1;
}

struct pushed {
  const struct dqc_message *message;
  int rc;
};

static int push_decoded(lua_State *L)
{
  struct pushed *pushed = lua_touserdata(L, 1);
  pushed->rc = dql_push_message(L, pushed->message, -1);
  return pushed->rc ? 0 : 1;
}

/* A lack of memory leaves the decoder as it was. */
static int push_protected(lua_State *L, struct decoder *d,
                          const struct dqc_message *message)
{
  struct pushed pushed = {message, 0};
  lua_pushcfunction(L, push_decoded);
  lua_pushlightuserdata(L, &pushed);
  d->pushing = 1;
  int failed = lua_pcall(L, 1, 1, 0);
  d->pushing = 0;
  return failed ? lua_error(L) : pushed.rc;
}

/* next() -> message | nothing: more bytes are wanted | nil, reason */
static int decoder_next(lua_State *L)
{
  struct decoder *d = check_unread(L);
  struct dqc_frame frame;
  struct dqc_message message;
  size_t need;
  if (d->broken) return broken(L, d, d->broken);
  if (d->handshake) return next_handshake(L, d);
  int rc = dqc_frame_next(dqc_buf_view(&d->in), d->max, &frame, &need);
  if (rc == DQC_WANT_READ) return 0;
  if (rc == DQC_ETOOBIG) return broken(L, d, "a frame above the limit");
  if (rc) return broken(L, d, "a frame without a body");
  rc = dqc_message_decode(&frame, d->direction, &message);
  if (!rc) rc = push_protected(L, d, &message);
  if (rc) return broken(L, d, "a message that cannot be read");
  dqc_buf_consume(&d->in, need);
  return 1;
}

/* ---- the table of messages ---- */

static void push_layout(lua_State *L, const struct dqc_layout *layout)
{
  lua_newtable(L);
  for (int i = 0; layout->fields[i].name; i++) {
    lua_pushstring(L, layout->fields[i].name);
    lua_rawseti(L, -2, i + 1);
  }
}

/* { NAME = { number =, [schema] = { field names } } } on the stack's top */
static void add_layout(lua_State *L, const struct dqc_layout *layout)
{
  lua_getfield(L, -1, layout->name);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushinteger(L, layout->number);
    lua_setfield(L, -2, "number");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, layout->name);
  }
  push_layout(L, layout);
  lua_rawseti(L, -2, layout->schema);
  lua_pop(L, 1);
}

static void push_layouts(lua_State *L, enum dqc_direction direction)
{
  lua_newtable(L);
  const struct dqc_layout *layout = dqc_layouts(direction);
  for (; layout->name; layout++) add_layout(L, layout);
}

void dql_register_wire(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"encode", encode}, {"decoder", new_decoder}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", decoder_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"feed", decoder_feed}, {"next", decoder_next}, {NULL, NULL}};
  static const luaL_Reg buf_metamethods[] = {{"__gc", buf_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  dql_newclass(L, DECODER, metamethods, methods);
  dql_newclass(L, BYTES, buf_metamethods, none);
  lua_pop(L, 2);
  dql_setfuncs(L, functions);
  push_layouts(L, DQC_TO_SERVER);
  lua_setfield(L, -2, "requests");
  push_layouts(L, DQC_TO_CLIENT);
  lua_setfield(L, -2, "responses");
}
