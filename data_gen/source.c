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

enum status source_spec_parse(struct source_spec *spec, const char *text,
                              struct error *error)
{
    *spec = (struct source_spec){0};
    const size_t length = name_length(text);
    char *rest = memory_duplicate_string(length ? text + length + 1 : text);
    char *filter = file_exists(rest) ? NULL : strrchr(rest, '?');
    if (filter) {
        *filter++ = '\0';
        char *equals = strchr(filter, '=');
        if (!equals || equals == filter) {
            free(rest);
            return error_set(error, STATUS_USAGE,
                             "source '%s': after '?' comes FIELD=VALUE, e.g. ?label=safe",
                             text);
        }
        *equals = '\0';
        spec->filter_field = memory_duplicate_string(filter);
        spec->filter_value = memory_duplicate_string(equals + 1);
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
    free(spec->filter_field);
    free(spec->filter_value);
    *spec = (struct source_spec){0};
}

bool source_spec_matches(const struct source_spec *spec, const cJSON *object)
{
    char scratch[RECORD_SCRATCH_BYTES];
    if (!spec->filter_field)
        return true;
    const char *value = record_text(object, spec->filter_field, scratch);
    return value && strcmp(value, spec->filter_value) == 0;
}
