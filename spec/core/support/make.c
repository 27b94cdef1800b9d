#include "support/make.h"

#include <string.h>

#include "support/check.h"

struct dqc_bytes bytes_from(const void *ptr, size_t len)
{
  struct dqc_bytes bytes = {ptr, len};
  return bytes;
}

struct dqc_bytes bytes_of(const char *s)
{
  return bytes_from(s, strlen(s));
}

static struct dqc_value value_of_type(uint8_t type)
{
  struct dqc_value value;
  memset(&value, 0, sizeof value);
  value.type = type;
  return value;
}

struct dqc_value make_integer(int64_t integer)
{
  struct dqc_value value = value_of_type(DQC_INTEGER);
  value.as.integer = integer;
  return value;
}

struct dqc_value make_real(double real)
{
  struct dqc_value value = value_of_type(DQC_FLOAT);
  value.as.real = real;
  return value;
}

struct dqc_value make_text(const char *s)
{
  struct dqc_value value = value_of_type(DQC_TEXT);
  value.as.bytes = bytes_of(s);
  return value;
}

struct dqc_value make_blob(const void *ptr, size_t len)
{
  struct dqc_value value = value_of_type(DQC_BLOB);
  value.as.bytes = bytes_from(ptr, len);
  return value;
}

struct dqc_value make_null(void)
{
  return value_of_type(DQC_NULL);
}

struct dqc_message make_message(const char *name, uint8_t schema)
{
  struct dqc_message message;
  memset(&message, 0, sizeof message);
  message.layout = dqc_layout_named(name, schema);
  if (!message.layout) check_fatal("no such message");
  return message;
}

struct dqc_message make_request(const char *name)
{
  struct dqc_message message = make_message(name, 0);
  if (strcmp(name, "OPEN") == 0) message.fields[0].bytes = bytes_of("x");
  if (strcmp(name, "ADD") == 0) message.fields[0].word = 2;
  return message;
}

struct dqc_message make_sql(const char *name, const char *sql)
{
  struct dqc_message message = make_request(name);
  message.fields[1].bytes = bytes_of(sql);
  return message;
}

struct dqc_message make_request_for(uint8_t response, int roles)
{
  const struct dqc_layout *layout = dqc_layouts(DQC_TO_SERVER);
  if (response == DQC_RESPONSE_FAILURE) return make_request("EXEC_SQL");
  while (layout->name && (layout->answer != response ||
                          layout->number == DQC_REQUEST_HEARTBEAT)) {
    layout++;
  }
  if (!layout->name) check_fatal("no request for this response");
  struct dqc_message message = make_request(layout->name);
  if (layout->number == DQC_REQUEST_CLUSTER) message.fields[0].word = !!roles;
  return message;
}
