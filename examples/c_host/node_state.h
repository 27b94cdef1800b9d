/* A dqlite node inside this process, in a Lua state of its own and with its data
 * in a temporary directory. */
#ifndef NODE_STATE_H
#define NODE_STATE_H

struct lua_State;

struct node_state {
  struct lua_State *L;
  char dir[32];
  char address[64]; /* where it serves */
};

/* 0, or -1 after a line on standard error; close it in either case. */
int node_state_open(struct node_state *node);
void node_state_close(struct node_state *node);

#endif
