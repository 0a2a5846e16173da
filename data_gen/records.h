#ifndef HOLDFAST_DATA_GEN_RECORDS_H
#define HOLDFAST_DATA_GEN_RECORDS_H

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <stdint.h>

/*
 * All rows of a source, whatever its kind (data_gen/record_reader.h), as JSON objects, one
 * after the other; records_read_hashed() also gives the SHA-256 of the file.
 */
typedef enum status record_visit(void *context, const cJSON *object, int64_t line,
                                 struct error *error);
enum status records_read(const char *path, record_visit *visit, void *context,
                         struct error *error);
enum status records_read_hashed(const char *path, char sha256[SHA256_HEX_BYTES],
                                record_visit *visit, void *context, struct error *error);
/* As records_read(), over bytes in memory; `where` names them in messages. */
enum status records_parse(const char *bytes, size_t count, const char *where,
                          record_visit *visit, void *context, struct error *error);

/*
 * The member of this name, in any case ("Goal" for "goal"); NULL if there is none. A name
 * with dots that no member has is a path: "doc.goal" is member goal of member doc,
 * "turns.0.text" goes through the first element of an array, "turns.-1.text" through its
 * last. Members whose own names have dots are found ("results.a.B" with {"a.B": …}).
 */
const cJSON *record_get(const cJSON *object, const char *path);

/* The same for a path with '*' parts, each of which stands for all elements of an array or
 * all members of an object, in order: visits each value, NULL where one has none. */
typedef void record_found(void *context, const cJSON *value);
void record_each(const cJSON *value, const char *path, record_found *found, void *context);

/* Its text: a string as it is, a number (the fewest digits that read back as it) or boolean
 * in `scratch`; NULL if absent, null, a list, or a whole number above 2^53 some of whose
 * digits were lost when it was read. */
enum { RECORD_SCRATCH_BYTES = 32 };
const char *record_text(const cJSON *object, const char *path,
                        char scratch[RECORD_SCRATCH_BYTES]);
const char *record_value_text(const cJSON *value, char scratch[RECORD_SCRATCH_BYTES]);

#endif
