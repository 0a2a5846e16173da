#include "data_gen/records.h"

#include "base/memory.h"
#include "data_gen/record_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The member whose name is the first `length` bytes of `key`, in any case. */
static const cJSON *member_get(const cJSON *object, const char *key, size_t length)
{
    const cJSON *item;
    const cJSON *other_case = NULL;
    if (!cJSON_IsObject(object))
        return NULL;
    cJSON_ArrayForEach(item, object)
    {
        if (!item->string || strlen(item->string) != length)
            continue;
        if (memcmp(item->string, key, length) == 0)
            return item;
        if (!other_case && strncasecmp(item->string, key, length) == 0)
            other_case = item;
    }
    return other_case;
}

/* Element "2" of an array, or "-1", its last. */
static const cJSON *element_get(const cJSON *array, const char *key, size_t length)
{
    char *end;
    const cJSON *item;
    if (!cJSON_IsArray(array) || length == 0 || length > 9 ||
        strspn(key, "-0123456789") < length)
        return NULL;
    long number = strtol(key, &end, 10);
    if (end != key + length)
        return NULL;
    if (number < 0)
        number += cJSON_GetArraySize(array);
    if (number < 0)
        return NULL;
    cJSON_ArrayForEach(item, array) if (number-- == 0) return item;
    return NULL;
}

/* What the longest beginning of the path names; *rest is what is left of it. */
static const cJSON *step(const cJSON *value, const char *path, const char **rest)
{
    for (size_t length = strlen(path); length > 0; length--) {
        if (path[length] != '\0' && path[length] != '.')
            continue;
        const cJSON *found = cJSON_IsArray(value) ? element_get(value, path, length)
                                                  : member_get(value, path, length);
        *rest = path + length + (path[length] == '.');
        if (found)
            return found;
    }
    return NULL;
}

const cJSON *record_get(const cJSON *object, const char *path)
{
    if (!*path) /* a column of a table may have no name */
        return member_get(object, "", 0);
    while (object && *path)
        object = step(object, path, &path);
    return object;
}

void record_each(const cJSON *value, const char *path, record_found *found, void *context)
{
    const cJSON *item;
    while (value && *path && !(*path == '*' && (path[1] == '.' || path[1] == '\0')))
        value = step(value, path, &path);
    if (!value || !*path)
        found(context, value);
    else
        cJSON_ArrayForEach(item, value)
            record_each(item, path + (path[1] == '.' ? 2 : 1), found, context);
}

const char *record_text(const cJSON *object, const char *path,
                        char scratch[RECORD_SCRATCH_BYTES])
{
    return record_value_text(record_get(object, path), scratch);
}

/* Above 2^53 a whole number of more than 15 digits has lost the last ones. */
static const char *number_text(double value, char scratch[RECORD_SCRATCH_BYTES])
{
    struct text_buffer text = {0};
    const bool is_large = fabs(value) > 0x1p53;
    if (!is_large && floor(value) == value)
        text_buffer_appendf(&text, "%.0f", value);
    else
        text_buffer_append_number(&text, value);
    snprintf(scratch, RECORD_SCRATCH_BYTES, "%s", text_buffer_string(&text));
    text_buffer_release(&text);
    int digits = 0;
    for (const char *at = scratch; *at && *at != 'e'; at++)
        digits += *at >= '0' && *at <= '9';
    return is_large && digits > 15 ? NULL : scratch;
}

const char *record_value_text(const cJSON *value, char scratch[RECORD_SCRATCH_BYTES])
{
    if (cJSON_IsString(value))
        return value->valuestring;
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value) ? "true" : "false";
    return cJSON_IsNumber(value) ? number_text(value->valuedouble, scratch) : NULL;
}

static enum status records_visit(struct source_file *file, record_visit *visit,
                                 void *context, struct error *error)
{
    struct record_reader *reader = memory_allocate(sizeof *reader);
    struct record record;
    enum status status = record_reader_open(reader, file, error);
    if (!status) {
        while (record_next(reader, &record, &status, error) && !status) {
            cJSON *object = NULL;
            status = record_parse(reader, &record, &object, error);
            if (!status)
                status = visit(context, object, record.line, error);
            cJSON_Delete(object);
            if (status)
                break;
        }
        record_reader_close(reader);
    }
    free(reader);
    return status;
}

enum status records_parse(const char *bytes, size_t count, const char *where,
                          record_visit *visit, void *context, struct error *error)
{
    struct source_file file;
    if (source_file_of_bytes(&file, bytes, count, where, error))
        return error->status;
    const enum status status = records_visit(&file, visit, context, error);
    source_file_close(&file);
    return status;
}

enum status records_read(const char *path, record_visit *visit, void *context,
                         struct error *error)
{
    char sha256[SHA256_HEX_BYTES];
    return records_read_hashed(path, sha256, visit, context, error);
}

enum status records_read_hashed(const char *path, char sha256[SHA256_HEX_BYTES],
                                record_visit *visit, void *context, struct error *error)
{
    struct source_file file;
    if (source_file_open(&file, path, error))
        return error->status;
    enum status status = records_visit(&file, visit, context, error);
    if (!status)
        status = source_file_sha256(&file, sha256, error);
    source_file_close(&file);
    return status;
}
