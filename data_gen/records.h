#ifndef HOLDFAST_DATA_GEN_RECORDS_H
#define HOLDFAST_DATA_GEN_RECORDS_H

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

/*
 * The rows of a data file, whatever its kind, as JSON objects. The kind is told by the
 * content, not by the name:
 *
 *     begins with '['            JSON: an array of objects
 *     begins with '{'            JSONL, an object a line; or one object holding one array
 * of objects anything else              CSV, RFC 4180: a header, then rows; cells become
 * strings
 *
 * A UTF-8 BOM is skipped. `line` is the row's line in the file, from 1; for a JSON array it
 * is the element's number, from 1.
 */
typedef enum status record_visit(void *context, const cJSON *object, int64_t line,
                                 struct error *error);
enum status records_read(const char *path, record_visit *visit, void *context,
                         struct error *error);
/* As records_read(), over bytes in memory; `where` names them in messages. */
enum status records_parse(const char *bytes, size_t count, const char *where,
                          record_visit *visit, void *context, struct error *error);

/* The member of this name, in any case ("Goal" for "goal"); NULL if there is none. */
const cJSON *record_get(const cJSON *object, const char *key);

/* Its text: a string as it is, a number or boolean in `scratch`; NULL if absent, null or a
 * list. */
enum { RECORD_SCRATCH_BYTES = 32 };
const char *record_text(const cJSON *object, const char *key,
                        char scratch[RECORD_SCRATCH_BYTES]);

#endif
