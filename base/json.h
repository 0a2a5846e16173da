#ifndef HOLDFAST_BASE_JSON_H
#define HOLDFAST_BASE_JSON_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading JSON with cJSON: strict (nothing but white space may follow the value),
 * errors with line and column, names compared case-sensitively, numbers that must be
 * whole are taken from valuedouble and range-checked (cJSON's valueint saturates).
 * Iterate arrays with cJSON_ArrayForEach; never index them (it is linear).
 */

/*
 * Parses `count` bytes. `where` names the source in messages. *value is freed with
 * cJSON_Delete by the caller; NULL on error.
 *
 * Stricter than cJSON: no control characters in strings, no 01 or 1., no half surrogates,
 * at most 63 characters a number and 1000 levels. A byte-order mark is skipped. \u0000
 * becomes U+FFFD, as it would end a C string. Invalid UTF-8 passes as it is. A key that
 * stands twice in one object is an error, as readers differ in which of the two they take
 * (Python the last, many C libraries the first); all objects are looked through.
 */
enum status json_parse(cJSON **value, const char *bytes, size_t count, const char *where,
                       struct error *error);
/* As json_parse() for a line of JSONL: `where` names file and line, errors the column. */
enum status json_parse_line(cJSON **value, const char *line, size_t count,
                            const char *where, struct error *error);
enum status json_parse_file(cJSON **value, const char *path, struct error *error);

/*
 * Getters. `where` names the source in messages. The `required` ones fail with
 * STATUS_FORMAT if the key is absent or of another type; the `optional` ones leave
 * *out untouched if the key is absent or null, and fail on another type. Integers are
 * whole numbers within +-2^53; Hugging Face's model_max_length of 1e30 is a number.
 * Strings are borrowed from the tree.
 */
const cJSON *json_get(const cJSON *object, const char *key); /* NULL if absent */
enum status json_required_string(const cJSON *object, const char *key, const char **out,
                                 const char *where, struct error *error);
enum status json_optional_string(const cJSON *object, const char *key, const char **out,
                                 const char *where, struct error *error);
enum status json_required_integer(const cJSON *object, const char *key, int64_t *out,
                                  const char *where, struct error *error);
enum status json_optional_integer(const cJSON *object, const char *key, int64_t *out,
                                  const char *where, struct error *error);
enum status json_required_number(const cJSON *object, const char *key, double *out,
                                 const char *where, struct error *error);
enum status json_optional_number(const cJSON *object, const char *key, double *out,
                                 const char *where, struct error *error);
enum status json_optional_bool(const cJSON *object, const char *key, bool *out,
                               const char *where, struct error *error);

/*
 * Writing JSON: a small emitter over a text_buffer that places commas itself.
 * Doubles are written with the shortest digits that read back equal, NaN as null;
 * invalid UTF-8 as U+FFFD. Several values at the top level are put on lines of their own.
 *
 *     struct json_writer json = {.out = &buffer};
 *     json_object_begin(&json, NULL);       // NULL: no key (top level or array item)
 *     json_string(&json, "model", name);
 *     json_array_begin(&json, "ci95");
 *     json_number(&json, NULL, low); …
 *     json_array_end(&json);
 *     json_object_end(&json);
 */
enum { JSON_DEPTH_MAXIMUM = 32 };
struct json_writer {
    struct text_buffer *out;
    int indent_spaces; /* 0: one line */
    int depth;
    bool has_items[JSON_DEPTH_MAXIMUM];
};
void json_object_begin(struct json_writer *json, const char *key);
void json_object_end(struct json_writer *json);
void json_array_begin(struct json_writer *json, const char *key);
void json_array_end(struct json_writer *json);
void json_string(struct json_writer *json, const char *key,
                 const char *value); /* NULL: null */
void json_string_bytes(struct json_writer *json, const char *key, const char *bytes,
                       size_t count);
void json_number(struct json_writer *json, const char *key, double value);
/* The same with ".0" where it is whole, for readers that tell 3.0 from 3. */
void json_real(struct json_writer *json, const char *key, double value);
void json_integer(struct json_writer *json, const char *key, int64_t value);
void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);
void json_value(struct json_writer *json, const char *key,
                const cJSON *value); /* copies a tree */

#endif
