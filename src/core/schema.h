/* Every message of the protocol, once (protocol.md 1.6 and 1.7). Numbers,
 * layouts, the encoder, the decoder and the Lua names come from here.
 *
 *   X(name, number, answer, fields)   schema 0
 *   V(name, schema, answer, fields)   a later schema of the same message
 *
 * A field is KIND(name); the kinds are enum dqc_kind in message.h. `answer`
 * is the response to a request; a response has none. */
#ifndef DQC_SCHEMA_H
#define DQC_SCHEMA_H

/* clang-format off */
#define DQC_REQUESTS(X, V)                                                   \
  X(LEADER,     0, SERVER,   U64(unused))                                    \
  X(CLIENT,     1, WELCOME,  U64(id))                                        \
  X(HEARTBEAT,  2, SERVERS,  U64(timestamp))                                 \
  X(OPEN,       3, DB,       TEXT(database) U64(flags) TEXT(vfs))            \
  X(PREPARE,    4, STMT,     U64(db) TEXT(sql))                              \
  V(PREPARE,    1, STMT,     U64(db) TEXT(sql))                              \
  X(EXEC,       5, RESULT,   U32(db) U32(stmt) PARAMS(params))               \
  V(EXEC,       1, RESULT,   U32(db) U32(stmt) PARAMS(params))               \
  X(QUERY,      6, ROWS,     U32(db) U32(stmt) PARAMS(params))               \
  V(QUERY,      1, ROWS,     U32(db) U32(stmt) PARAMS(params))               \
  X(FINALIZE,   7, EMPTY,    U32(db) U32(stmt))                              \
  X(EXEC_SQL,   8, RESULT,   U64(db) TEXT(sql) PARAMS(params))               \
  V(EXEC_SQL,   1, RESULT,   U64(db) TEXT(sql) PARAMS(params))               \
  X(QUERY_SQL,  9, ROWS,     U64(db) TEXT(sql) PARAMS(params))               \
  V(QUERY_SQL,  1, ROWS,     U64(db) TEXT(sql) PARAMS(params))               \
  X(INTERRUPT, 10, EMPTY,    U64(db))                                        \
  X(CONNECT,   11, EMPTY,    ID(id) TEXT(address))                           \
  X(ADD,       12, EMPTY,    ID(id) TEXT(address))                           \
  X(ASSIGN,    13, EMPTY,    ID(id) ROLE(role))                              \
  X(REMOVE,    14, EMPTY,    ID(id))                                         \
  X(DUMP,      15, FILES,    TEXT(database))                                 \
  X(CLUSTER,   16, SERVERS,  U64(format))                                    \
  X(TRANSFER,  17, EMPTY,    ID(id))                                         \
  X(DESCRIBE,  18, METADATA, U64(format))                                    \
  X(WEIGHT,    19, EMPTY,    U64(weight))

#define DQC_RESPONSES(X, V)                                                  \
  X(FAILURE,    0, NONE,     U64(code) TEXT(message))                        \
  X(SERVER,     1, NONE,     ID(id) TEXT(address))                           \
  X(WELCOME,    2, NONE,     U64(heartbeat))                                 \
  X(SERVERS,    3, NONE,     SERVERS(servers))                               \
  X(DB,         4, NONE,     U32(db) U32(unused))                            \
  X(STMT,       5, NONE,     U32(db) U32(stmt) U64(params))                  \
  V(STMT,       1, NONE,     U32(db) U32(stmt) U64(params) U64(tail))        \
  X(RESULT,     6, NONE,     I64(last_insert_id) U64(rows_affected))         \
  X(ROWS,       7, NONE,     ROWS(rows))                                     \
  X(EMPTY,      8, NONE,     U64(unused))                                    \
  X(FILES,      9, NONE,     FILES(files))                                   \
  X(METADATA,  10, NONE,     U64(failure_domain) U64(weight))
/* clang-format on */

#endif
