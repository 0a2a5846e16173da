#include "data_gen/records.h"

#include "base/file.h"
#include "base/memory.h"
#include "data_gen/csv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct record_source {
    const char *bytes;
    size_t count;
    const char *where;
    record_visit *visit;
    void *context;
};

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

static enum status csv_row_visit(const struct record_source *source,
                                 const struct csv_reader *csv, char *const *names,
                                 size_t name_count, struct error *error)
{
    if (csv->cell_count != name_count)
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: %zu cells where the header has %zu", source->where,
                         (long long)csv->line, csv->cell_count, name_count);
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < name_count; i++)
        cJSON_AddStringToObject(object, names[i], csv->cells[i]);
    enum status status = source->visit(source->context, object, csv->line, error);
    cJSON_Delete(object);
    return status;
}

static enum status csv_read(const struct record_source *source, struct error *error)
{
    struct csv_reader csv = {.data = source->bytes,
                             .bytes = source->count,
                             .where = source->where,
                             .next_line = 1};
    enum status status = csv_next(&csv, error);
    char **names = csv.cells; /* taken over: the header outlives its row */
    const size_t name_count = csv.cell_count;
    csv.cells = NULL;
    csv.cell_count = csv.cell_capacity = 0;
    if (!status && name_count == 0)
        status = error_set(error, STATUS_FORMAT, "%s: the file is empty", source->where);
    while (!status && !(status = csv_next(&csv, error)) && csv.cell_count)
        status = csv_row_visit(source, &csv, names, name_count, error);
    csv_release(&csv);
    csv = (struct csv_reader){.cells = names, .cell_count = name_count};
    csv_release(&csv);
    return status;
}

static enum status array_visit(const struct record_source *source, const cJSON *array,
                               struct error *error)
{
    int64_t number = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        number++;
        if (!cJSON_IsObject(item))
            return error_set(error, STATUS_FORMAT, "%s: element %lld is no object",
                             source->where, (long long)number);
        if (source->visit(source->context, item, number, error))
            return error->status;
    }
    return STATUS_OK;
}

/* The one member that is an array of objects; the object itself if none; NULL if several.
 */
static const cJSON *records_of(const cJSON *object)
{
    const cJSON *found = object;
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsArray(item) || !cJSON_IsObject(item->child))
            continue;
        if (found != object)
            return NULL;
        found = item;
    }
    return found;
}

static bool is_conversation(const cJSON *object)
{
    return record_get(object, "messages") || record_get(object, "conversations");
}

static enum status json_read(const struct record_source *source, struct error *error)
{
    cJSON *value = NULL;
    if (json_parse(&value, source->bytes, source->count, source->where, error))
        return error->status;
    const cJSON *array = value;
    if (cJSON_IsObject(value) && !is_conversation(value))
        array = records_of(value);
    enum status status = STATUS_OK;
    if (cJSON_IsArray(array))
        status = array_visit(source, array, error);
    else if (cJSON_IsObject(array))
        status = source->visit(source->context, array, 1, error);
    else
        status = error_set(error, STATUS_FORMAT,
                           "%s: holds several arrays of objects, or no object at all: "
                           "give a file with one array",
                           source->where);
    cJSON_Delete(value);
    return status;
}

static enum status line_visit(const struct record_source *source,
                              const struct line_reader *lines, struct error *error)
{
    char where[512];
    cJSON *object = NULL;
    snprintf(where, sizeof where, "%s: line %lld", source->where, (long long)lines->number);
    if (json_parse(&object, lines->line, lines->line_bytes, where, error))
        return error->status;
    enum status status = STATUS_OK;
    if (cJSON_IsObject(object))
        status = source->visit(source->context, object, lines->number, error);
    else
        status = error_set(error, STATUS_FORMAT, "%s: not an object", where);
    cJSON_Delete(object);
    return status;
}

static enum status lines_read(const struct record_source *source, struct error *error)
{
    struct line_reader lines = {.data = source->bytes, .bytes = source->count};
    enum status status = STATUS_OK;
    while (!status && line_next(&lines))
        if (!line_is_blank(&lines))
            status = line_visit(source, &lines, error);
    return status;
}

/* Whether text that begins with '{' is JSONL: its first line is an object by itself. */
static bool is_lines(const struct record_source *source)
{
    struct line_reader lines = {.data = source->bytes, .bytes = source->count};
    bool first_is_object = false;
    bool more = false;
    while (!more && line_next(&lines)) {
        if (line_is_blank(&lines))
            continue;
        cJSON *value = NULL;
        more = first_is_object;
        if (!more && json_parse(&value, lines.line, lines.line_bytes, "", NULL))
            return false;
        first_is_object = true;
        cJSON_Delete(value);
    }
    return more; /* a single object is read as a whole: it may hold an array */
}

enum status records_parse(const char *bytes, size_t count, const char *where,
                          record_visit *visit, void *context, struct error *error)
{
    if (count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    const struct record_source source = {
        .bytes = bytes, .count = count, .where = where, .visit = visit, .context = context};
    size_t first = 0;
    while (first < count && memchr(" \t\r\n", bytes[first], 4))
        first++;
    if (first == count)
        return error_set(error, STATUS_FORMAT, "%s: the file is empty", where);
    if (bytes_are_lfs_pointer(bytes, count))
        return error_set(error, STATUS_FORMAT,
                         "%s: this is a git-LFS pointer, not the data: run `git lfs pull`",
                         where);
    if (bytes[first] == '[')
        return json_read(&source, error);
    if (bytes[first] == '{')
        return is_lines(&source) ? lines_read(&source, error) : json_read(&source, error);
    return csv_read(&source, error);
}

enum status records_read(const char *path, record_visit *visit, void *context,
                         struct error *error)
{
    struct file_map map;
    if (file_map(&map, path, error))
        return error->status;
    enum status status =
        records_parse((const char *)map.data, map.bytes, path, visit, context, error);
    file_unmap(&map);
    return status;
}
