#include "base/memory.h"
#include "data_gen/records.h"
#include "data_gen/source.h"
#include "text/unicode.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const request_columns[] = {
    "goal", "request", "prompt", "instruction", "question", "text", "behavior", NULL};

struct request_reader {
    struct request_list *list;
    const struct source_spec *spec;
    int64_t row;
};

static const char *request_column(const struct source_spec *spec, const cJSON *object)
{
    if (spec->column)
        return record_get(object, spec->column) ? spec->column : NULL;
    for (size_t i = 0; request_columns[i]; i++)
        if (record_get(object, request_columns[i]))
            return request_columns[i];
    return NULL;
}

static enum status column_missing(const struct source_spec *spec, const cJSON *object,
                                  int64_t line, struct error *error)
{
    struct text_buffer names = {0};
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
        text_buffer_appendf(&names, "%s%s", names.length ? ", " : "", item->string);
    error_set(error, STATUS_FORMAT,
              "%s: line %lld: no column '%s': there are: %.300s; name one as %s:COLUMN",
              spec->path, (long long)line,
              spec->column ? spec->column : "goal (or request, prompt, question, …)",
              text_buffer_string(&names), spec->path);
    text_buffer_release(&names);
    return STATUS_FORMAT;
}

static int64_t index_of(const cJSON *object, int64_t row)
{
    char scratch[RECORD_SCRATCH_BYTES];
    const char *text = record_text(object, "index", scratch);
    if (!text || !isdigit((unsigned char)*text))
        return row;
    char *end;
    const long long value = strtoll(text, &end, 10);
    return *end ? row : value;
}

static char *text_or(const cJSON *object, const char *key, const char *otherwise)
{
    char scratch[RECORD_SCRATCH_BYTES];
    const char *text = record_text(object, key, scratch);
    return memory_duplicate_string(text && *text ? text : otherwise);
}

/* HarmBench has categories of meaning and of function. */
static char *category_of(const cJSON *object)
{
    const bool is_harmbench = !record_get(object, "category");
    return text_or(object, is_harmbench ? "SemanticCategory" : "category", "");
}

static enum status request_add(void *context, const cJSON *object, int64_t line,
                               struct error *error)
{
    struct request_reader *reader = context;
    char scratch[RECORD_SCRATCH_BYTES];
    const int64_t row = reader->row++;
    if (!source_spec_matches(reader->spec, object))
        return STATUS_OK;
    const char *column = request_column(reader->spec, object);
    const char *text = column ? record_text(object, column, scratch) : NULL;
    if (!column)
        return column_missing(reader->spec, object, line, error);
    if (!text || strspn(text, " \t\r\n") == strlen(text))
        return error_set(error, STATUS_FORMAT, "%s: line %lld: column '%s' is empty",
                         reader->spec->path, (long long)line, column);
    if (!utf8_is_valid(text, strlen(text)))
        return error_set(error, STATUS_FORMAT,
                         "%s: line %lld: column '%s' is not UTF-8: convert the file with "
                         "`iconv -f WINDOWS-1252 -t UTF-8`, or from what it is in",
                         reader->spec->path, (long long)line, column);
    struct request_list *list = reader->list;
    array_reserve(list->items, list->capacity, list->count + 1);
    list->items[list->count++] = (struct request){
        .text = memory_duplicate_string(text),
        .behavior = text_or(object, "behavior", text),
        .category = category_of(object),
        .index = index_of(object, row),
        .line = line,
    };
    return STATUS_OK;
}

static enum status no_row(const struct source_spec *spec, struct error *error)
{
    struct text_buffer filters = {0};
    source_spec_filters_print(spec, " under its header", &filters);
    error_set(error, STATUS_FORMAT, "%s: no row%s", spec->path,
              text_buffer_string(&filters));
    text_buffer_release(&filters);
    return error->status;
}

enum status request_list_read(struct request_list *list, const char *spec_text,
                              struct error *error)
{
    struct source_spec spec;
    *list = (struct request_list){0};
    if (source_spec_parse(&spec, spec_text, error))
        return error->status;
    struct request_reader reader = {.list = list, .spec = &spec};
    enum status status =
        records_read_hashed(spec.path, list->sha256, request_add, &reader, error);
    if (!status && list->count == 0)
        status = no_row(&spec, error);
    list->name = memory_duplicate_string(spec.name);
    list->path = memory_duplicate_string(spec.path);
    source_spec_release(&spec);
    if (status)
        request_list_release(list);
    return status;
}

void request_list_release(struct request_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].text);
        free(list->items[i].behavior);
        free(list->items[i].category);
    }
    free(list->items);
    free(list->name);
    free(list->path);
    *list = (struct request_list){0};
}
