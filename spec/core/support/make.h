/* Short ways to make bytes, values and messages for the tests. */
#ifndef MAKE_H
#define MAKE_H

#include "core/message.h"

struct dqc_bytes bytes_of(const char *s); /* without the NUL */
struct dqc_bytes bytes_from(const void *ptr, size_t len);

struct dqc_value make_integer(int64_t integer);
struct dqc_value make_real(double real);
struct dqc_value make_text(const char *s);
struct dqc_value make_blob(const void *ptr, size_t len);
struct dqc_value make_null(void);

/* A message with all fields zero and empty. */
struct dqc_message make_message(const char *name, uint8_t schema);

/* A request that a session sends, with its fields zero, the database "x". */
struct dqc_message make_request(const char *name);

/* EXEC_SQL or QUERY_SQL and the like: the second field is the text. */
struct dqc_message make_sql(const char *name, const char *sql);

/* A request that the response answers; CLUSTER by roles. */
struct dqc_message make_request_for(uint8_t response, int roles);

#endif
