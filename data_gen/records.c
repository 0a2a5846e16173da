#include "data_gen/records.h"

#include "base/memory.h"
#include "data_gen/record_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const cJSON *record_get(const cJSON *object, const char *key)
{
    const cJSON *exact = json_get(object, key);
    if (exact)
        return exact;
    const cJSON *item;
    cJSON_ArrayForEach(item, object) if (item->string &&
                                         strcasecmp(item->string, key) == 0) return item;
    return NULL;
}

const char *record_text(const cJSON *object, const char *key,
                        char scratch[RECORD_SCRATCH_BYTES])
{
    const cJSON *value = record_get(object, key);
    if (cJSON_IsString(value))
        return value->valuestring;
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value) ? "true" : "false";
    if (!cJSON_IsNumber(value))
        return NULL;
    snprintf(scratch, RECORD_SCRATCH_BYTES, "%.15g", value->valuedouble);
    return scratch;
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
