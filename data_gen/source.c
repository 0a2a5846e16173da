#include "data_gen/source.h"

#include "base/file.h"
#include "base/memory.h"
#include "data_gen/records.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "/a/b/xstest.csv" -> "xstest", and "xstest.csv.gz" too */
static char *name_of_path(const char *path)
{
    char *name = memory_duplicate_string(path_base_name(path));
    char *dot = strrchr(name, '.');
    if (dot && (strcmp(dot, ".gz") == 0 || strcmp(dot, ".zst") == 0)) {
        *dot = '\0';
        dot = strrchr(name, '.');
    }
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

/* NAME= stands in front only if NAME is a plain word: paths may hold '=' themselves. */
static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) ||
           (text[length] && strchr("-_.", text[length])))
        length++;
    return text[length] == '=' ? length : 0;
}

/* The end of a value: an '&' that FIELD= follows, or the end of the text. */
static char *value_end(char *value)
{
    for (char *mark = strchr(value, '&'); mark; mark = strchr(mark + 1, '&')) {
        const size_t field = strcspn(mark + 1, "&=");
        if (field > 0 && mark[1 + field] == '=')
            return mark;
    }
    return value + strlen(value);
}

/* "FIELD=VALUE&FIELD=VALUE…"; takes `filters` apart. */
static enum status filters_parse(struct source_spec *spec, char *filters, const char *text,
                                 struct error *error)
{
    bool more = true;
    for (char *filter = filters; more;) {
        char *equals = strchr(filter, '=');
        if (!equals || equals == filter)
            return error_set(error, STATUS_USAGE,
                             "source '%s': after '?' comes FIELD=VALUE, e.g. ?label=safe, "
                             "or several with '&' between",
                             text);
        if (spec->filter_count == SOURCE_FILTER_LIMIT)
            return error_set(error, STATUS_USAGE,
                             "source '%s': more than %d conditions after '?'", text,
                             (int)SOURCE_FILTER_LIMIT);
        char *end = value_end(equals + 1);
        more = *end == '&';
        *equals = *end = '\0';
        spec->filters[spec->filter_count++] =
            (struct source_filter){.field = memory_duplicate_string(filter),
                                   .value = memory_duplicate_string(equals + 1)};
        filter = end + 1;
    }
    return STATUS_OK;
}

enum status source_spec_parse(struct source_spec *spec, const char *text,
                              struct error *error)
{
    *spec = (struct source_spec){0};
    const size_t length = name_length(text);
    char *rest = memory_duplicate_string(length ? text + length + 1 : text);
    char *filters = file_exists(rest) ? NULL : strrchr(rest, '?');
    if (filters) {
        *filters++ = '\0';
        if (filters_parse(spec, filters, text, error)) {
            free(rest);
            source_spec_release(spec);
            return error->status;
        }
    }
    char *colon = file_exists(rest) ? NULL : strrchr(rest, ':');
    if (colon && !strchr(colon, '/')) {
        *colon = '\0';
        spec->column = memory_duplicate_string(colon + 1);
    }
    spec->path = rest;
    spec->name = length ? memory_duplicate_bytes(text, length) : name_of_path(rest);
    if (*rest)
        return STATUS_OK;
    source_spec_release(spec);
    return error_set(error, STATUS_USAGE, "source '%s' names no file", text);
}

void source_spec_release(struct source_spec *spec)
{
    free(spec->name);
    free(spec->path);
    free(spec->column);
    for (size_t i = 0; i < spec->filter_count; i++) {
        free(spec->filters[i].field);
        free(spec->filters[i].value);
    }
    *spec = (struct source_spec){0};
}

bool source_spec_matches(const struct source_spec *spec, const cJSON *object)
{
    char scratch[RECORD_SCRATCH_BYTES];
    for (size_t i = 0; i < spec->filter_count; i++) {
        const char *value = record_text(object, spec->filters[i].field, scratch);
        if (!value || strcmp(value, spec->filters[i].value) != 0)
            return false;
    }
    return true;
}

void source_spec_filters_print(const struct source_spec *spec, const char *otherwise,
                               struct text_buffer *out)
{
    if (spec->filter_count == 0)
        text_buffer_append(out, otherwise);
    for (size_t i = 0; i < spec->filter_count; i++)
        text_buffer_appendf(out, "%s%s = %s", i ? " and " : " with ",
                            spec->filters[i].field, spec->filters[i].value);
}
