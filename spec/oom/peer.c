/* "oom.peer": the other end of a socket, which never waits. */
#define _DEFAULT_SOURCE

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lua/compat.h"
#include "oom/module.h"

static const char CLASS[] = "oom.peer";

struct peer {
  int listener, fd; /* -1: none */
};

static struct peer *check(lua_State *L)
{
  return dql_checkclass(L, 1, CLASS);
}

static int peer_close(lua_State *L)
{
  struct peer *peer = check(L);
  if (peer->fd >= 0) close(peer->fd);
  if (peer->listener >= 0) close(peer->listener);
  peer->fd = peer->listener = -1;
  return 0;
}

static int listen_on(struct peer *peer, struct sockaddr_in *address)
{
  socklen_t len = sizeof *address;
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer->listener = socket(AF_INET, SOCK_STREAM, 0);
  if (peer->listener < 0) return -1;
  if (bind(peer->listener, (struct sockaddr *)address, len)) return -1;
  if (listen(peer->listener, 5)) return -1;
  fcntl(peer->listener, F_SETFL, O_NONBLOCK);
  return getsockname(peer->listener, (struct sockaddr *)address, &len);
}

/* listen() -> a peer, its address */
static int peer_listen(lua_State *L)
{
  struct sockaddr_in address;
  struct peer *peer = dql_newuserdata(L, sizeof *peer, 0);
  peer->fd = peer->listener = -1;
  dql_setclass(L, CLASS);
  if (listen_on(peer, &address)) return luaL_error(L, "cannot listen");
  lua_pushfstring(L, "127.0.0.1:%d", (int)ntohs(address.sin_port));
  return 2;
}

/* accept() -> is there a connection (the last one that was made)? */
static int peer_accept(lua_State *L)
{
  struct peer *peer = check(L);
  int fd = accept(peer->listener, NULL, NULL);
  if (fd >= 0) {
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = fd;
  }
  lua_pushboolean(L, fd >= 0);
  return 1;
}

/* read() -> the bytes that are there */
static int peer_read(lua_State *L)
{
  char bytes[4096];
  ssize_t n = recv(check(L)->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  lua_pushlstring(L, bytes, n > 0 ? (size_t)n : 0);
  return 1;
}

static int peer_write(lua_State *L)
{
  size_t len;
  const char *bytes = luaL_checklstring(L, 2, &len);
  ssize_t n = send(check(L)->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n != (ssize_t)len) return luaL_error(L, "the peer cannot write");
  return 0;
}

int luaopen_oom_peer(lua_State *L)
{
  static const luaL_Reg metamethods[] = {{"__gc", peer_close}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"accept", peer_accept},
                                     {"read", peer_read},
                                     {"write", peer_write},
                                     {"close", peer_close},
                                     {NULL, NULL}};
  dql_newclass(L, CLASS, metamethods, methods);
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushcfunction(L, peer_listen);
  lua_setfield(L, -2, "listen");
  return 1;
}
