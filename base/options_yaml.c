#include "base/file.h"
#include "base/memory.h"
#include "base/options_private.h"

#include <cyaml/cyaml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The schema for libcyaml is made from the table: a mapping whose keys are all optional,
 * in both spellings (a_b and a-b), and whose values are strings or lists of strings. What
 * the strings mean is decided by option_assign(), which is stricter than libcyaml (it
 * takes 010 for 8 and any word but "false" for true).
 */
enum { CONFIG_BYTES_MAXIMUM = 16 << 20 };

struct slot {
    char *text;
    char **items;
    uint32_t count;
};

struct reading {
    const struct command_line *command;
    const char *path;
    struct text_buffer source;
    struct cyaml_schema_field *fields; /* a NULL key ends them */
    const struct option_entry **entries;
    size_t count;
    size_t fields_capacity;
    size_t entries_capacity;
    struct string_list keys;    /* top-level keys in the order of the file */
    struct text_buffer problem; /* libcyaml's first message, without its prefix */
    long long problem_line;     /* where libcyaml was, 0 if it did not say */
};

static const struct cyaml_schema_value item_schema = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = sizeof(char),
    .string = {.min = 0, .max = CYAML_UNLIMITED},
};

static struct cyaml_schema_value value_schema(enum option_type type)
{
    if (type != OPTION_LIST)
        return item_schema;
    return (struct cyaml_schema_value){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER_NULL_STR,
        .data_size = sizeof(char *),
        .sequence = {.entry = &item_schema, .min = 0, .max = CYAML_UNLIMITED},
    };
}

static void add_field(struct reading *reading, const struct option_entry *entry,
                      char separator)
{
    struct text_buffer key = {0};
    const size_t slot = reading->count * sizeof(struct slot);
    const size_t data = entry->type == OPTION_LIST ? offsetof(struct slot, items)
                                                   : offsetof(struct slot, text);
    option_append_name(&key, entry, separator);
    array_reserve(reading->fields, reading->fields_capacity, reading->count + 2);
    array_reserve(reading->entries, reading->entries_capacity, reading->count + 1);
    struct cyaml_schema_field *field = &reading->fields[reading->count];
    *field = (struct cyaml_schema_field){
        .key = text_buffer_detach(&key),
        .data_offset = (uint32_t)(slot + data),
        .count_offset = (uint32_t)(slot + offsetof(struct slot, count)),
        .count_size = sizeof(uint32_t),
        .value = value_schema(entry->type),
    };
    field->value.flags |= CYAML_FLAG_OPTIONAL;
    reading->entries[reading->count++] = entry;
    reading->fields[reading->count].key = NULL;
}

static void make_fields(struct reading *reading)
{
    array_reserve(reading->fields, reading->fields_capacity, 1);
    reading->fields[0].key = NULL;
    for (const struct option_entry *entry = reading->command->entries; entry->name;
         entry++) {
        add_field(reading, entry, '_');
        if (strpbrk(entry->name, "-_"))
            add_field(reading, entry, '-');
    }
}

static size_t field_of(const struct reading *reading, const char *key)
{
    size_t index = 0;
    while (index < reading->count && strcmp(reading->fields[index].key, key) != 0)
        index++;
    return index;
}

/* "Load: [key]" announces a key; errors come with a backtrace, innermost first. */
static void on_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void on_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    static const char key_start[] = "Load: [", prefix[] = "Load: ", library[] = "libyaml: ";
    struct reading *reading = context;
    struct text_buffer line = {0};
    text_buffer_append_v(&line, format, arguments);
    while (line.length > 0 && line.data[line.length - 1] == '\n')
        line.data[--line.length] = '\0';
    const char *text = text_buffer_string(&line);
    if (level == CYAML_LOG_INFO && text_starts_with(text, key_start)) {
        line.data[line.length - 1] = '\0'; /* the ']' */
        string_list_add(&reading->keys, text + sizeof key_start - 1);
    } else if (level >= CYAML_LOG_WARNING && reading->problem.length == 0) {
        if (text_starts_with(text, prefix))
            text += sizeof prefix - 1;
        if (text_starts_with(text, library))
            text += sizeof library - 1;
        text_buffer_append(&reading->problem, text);
    } else if (level >= CYAML_LOG_WARNING && reading->problem_line == 0) {
        const char *number = strstr(text, "(line: ");
        reading->problem_line = number ? strtoll(number + 7, NULL, 10) : 0;
    }
    text_buffer_release(&line);
}

/* What follows the ':' if the line is `key: …`, the key bare or between quotes. */
static const char *after_key(const char *line, size_t bytes, const char *key)
{
    const char *end = line + bytes;
    const size_t key_bytes = strlen(key);
    line += strspn(line, " {"); /* stops at '\n' or the final NUL */
    const char quote = line < end && (*line == '"' || *line == '\'') ? *line++ : '\0';
    if (line > end || (size_t)(end - line) < key_bytes || memcmp(line, key, key_bytes) != 0)
        return NULL;
    line += key_bytes;
    if (quote && (line == end || *line++ != quote))
        return NULL;
    line += strspn(line, " ");
    return line < end && *line == ':' ? line + 1 : NULL;
}

/*
 * libcyaml does not tell where a key is. The `occurrence`-th line that starts with it, from
 * 0, is found in the source; 0 if there is none (several keys on one line).
 */
static long long line_of_key(const struct reading *reading, const char *key,
                             size_t occurrence, const char **value)
{
    struct line_reader lines = {.data = text_buffer_string(&reading->source),
                                .bytes = reading->source.length};
    *value = NULL;
    while (line_next(&lines)) {
        const char *after = after_key(lines.line, lines.line_bytes, key);
        if (after && occurrence-- == 0) {
            *value = after;
            return lines.number;
        }
    }
    return 0;
}

static size_t earlier_occurrences(const struct reading *reading, size_t index)
{
    size_t count = 0;
    for (size_t i = 0; i < index; i++)
        count += strcmp(reading->keys.items[i], reading->keys.items[index]) == 0;
    return count;
}

/* "path: line 7: key" */
static void append_label(const struct reading *reading, size_t index,
                         struct text_buffer *out)
{
    const char *value;
    const char *key = reading->keys.items[index];
    const long long line =
        line_of_key(reading, key, earlier_occurrences(reading, index), &value);
    text_buffer_append(out, reading->path);
    if (line > 0)
        text_buffer_appendf(out, ": line %lld", line);
    text_buffer_appendf(out, ": %s", key);
}

static enum status explain_key(const struct reading *reading, cyaml_err_t failure,
                               size_t index, struct error *error)
{
    struct text_buffer label = {0};
    enum status result;
    const char *key = reading->keys.items[index];
    append_label(reading, index, &label);
    if (failure == CYAML_ERR_INVALID_KEY) {
        const struct option_entry *nearest = option_nearest(reading->command, key);
        struct text_buffer name = {0};
        if (nearest)
            option_append_name(&name, nearest, '_');
        result = error_set(error, STATUS_USAGE, "%s is no setting of %s%s%s%s", label.data,
                           reading->command->name, nearest ? "; did you mean " : "",
                           text_buffer_string(&name), nearest ? "?" : "");
        text_buffer_release(&name);
    } else if (text_starts_with(text_buffer_string(&reading->problem), "Mapping field")) {
        result = error_set(error, STATUS_USAGE, "%s is given twice", label.data);
    } else {
        const struct option_entry *entry = option_find(reading->command, key);
        result = error_set(error, STATUS_USAGE, "%s takes %s", label.data,
                           entry && entry->type == OPTION_LIST
                               ? "a list of plain values: [a, b]"
                               : "one plain value, no list and no mapping");
    }
    text_buffer_release(&label);
    return result;
}

static enum status explain(const struct reading *reading, cyaml_err_t failure,
                           struct error *error)
{
    const char *problem = text_buffer_string(&reading->problem);
    const bool in_value = failure == CYAML_ERR_INVALID_KEY ||
                          failure == CYAML_ERR_INVALID_VALUE ||
                          failure == CYAML_ERR_SEQUENCE_IN_SEQUENCE ||
                          text_starts_with(problem, "Mapping field");
    if (in_value && reading->keys.count > 0)
        return explain_key(reading, failure, reading->keys.count - 1, error);
    if (in_value || failure == CYAML_ERR_UNEXPECTED_EVENT ||
        failure == CYAML_ERR_INTERNAL_ERROR)
        return error_set(error, STATUS_USAGE,
                         "%s: lines of the form 'name: value' are expected", reading->path);
    if (failure == CYAML_ERR_ALIAS)
        return error_set(error, STATUS_USAGE,
                         "%s: aliases (*name) are not supported; write the value out",
                         reading->path);
    if (!*problem)
        problem = cyaml_strerror(failure);
    if (reading->problem_line > 0)
        return error_set(error, STATUS_USAGE, "%s: near line %lld: malformed YAML: %s",
                         reading->path, reading->problem_line, problem);
    return error_set(error, STATUS_USAGE, "%s: malformed YAML: %s", reading->path, problem);
}

/* True for `key:`, `key: ~` and `key: null` without quotes. */
static bool is_null(const struct reading *reading, size_t index, const char *text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    const char *value;
    bool is_word = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        is_word = is_word || strcmp(text, words[i]) == 0;
    if (!is_word)
        return false;
    line_of_key(reading, reading->keys.items[index], earlier_occurrences(reading, index),
                &value);
    return value && !strchr("\"'|>", value[strspn(value, " \t")]);
}

static void set_null(const struct option_entry *entry, void *settings)
{
    if (entry->type == OPTION_STRING) {
        char **text = option_at(entry, settings);
        free(*text);
        *text = NULL;
    } else if (entry->type == OPTION_NUMBER) {
        double *number = option_at(entry, settings);
        *number = (double)NAN;
    }
}

static enum status apply_key(const struct reading *reading, const struct slot *slots,
                             size_t index, void *settings, struct error *error)
{
    const size_t field = field_of(reading, reading->keys.items[index]);
    const struct option_entry *entry = reading->entries[field];
    const struct slot *slot = &slots[field];
    if (entry->type == OPTION_LIST) {
        struct string_list *list = option_at(entry, settings);
        string_list_release(list);
        for (uint32_t i = 0; i < slot->count; i++)
            string_list_add(list, slot->items[i]);
        return STATUS_OK;
    }
    const bool nullable = entry->type == OPTION_STRING || entry->type == OPTION_NUMBER;
    if (nullable && is_null(reading, index, slot->text)) {
        set_null(entry, settings);
        return STATUS_OK;
    }
    struct text_buffer label = {0};
    append_label(reading, index, &label);
    const enum status result =
        option_assign(entry, settings, slot->text, false, label.data, error);
    text_buffer_release(&label);
    return result;
}

/* The same entry in both spellings, which libcyaml takes for two. */
static bool is_given_before(const struct reading *reading, size_t index)
{
    const struct option_entry *entry =
        reading->entries[field_of(reading, reading->keys.items[index])];
    for (size_t i = 0; i < index; i++)
        if (reading->entries[field_of(reading, reading->keys.items[i])] == entry)
            return true;
    return false;
}

static enum status apply(struct reading *reading, const struct slot *slots, void *settings,
                         struct error *error)
{
    enum status result = STATUS_OK;
    for (size_t i = 0; !result && i < reading->keys.count; i++) {
        if (is_given_before(reading, i)) {
            text_buffer_append(&reading->problem, "Mapping field");
            result = explain_key(reading, CYAML_OK, i, error);
        } else {
            result = apply_key(reading, slots, i, settings, error);
        }
    }
    return result;
}

static enum status load(struct reading *reading, void *settings, struct error *error)
{
    const struct cyaml_config config = {
        .log_fn = on_log,
        .log_ctx = reading,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_INFO,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    const struct cyaml_schema_value schema = {
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER_NULL, /* an empty document */
        .data_size = (uint32_t)((reading->count + 1) * sizeof(struct slot)),
        .mapping = {.fields = reading->fields},
    };
    cyaml_data_t *slots = NULL;
    const cyaml_err_t failure =
        cyaml_load_data((const uint8_t *)text_buffer_string(&reading->source),
                        reading->source.length, &config, &schema, &slots, NULL);
    if (failure != CYAML_OK)
        return explain(reading, failure, error);
    enum status result = STATUS_OK;
    if (reading->problem.length > 0) /* a warning: documents after the first */
        result = error_set(error, STATUS_USAGE, "%s: holds more than one YAML document",
                           reading->path);
    else if (slots)
        result = apply(reading, slots, settings, error);
    cyaml_free(&config, &schema, slots, 0);
    return result;
}

enum status options_read_yaml(const struct command_line *command, void *settings,
                              const char *path, struct error *error)
{
    struct reading reading = {.command = command, .path = path};
    enum status result = file_read(&reading.source, path, CONFIG_BYTES_MAXIMUM, error);
    if (!result) {
        make_fields(&reading);
        result = load(&reading, settings, error);
    }
    for (size_t i = 0; i < reading.count; i++)
        free((void *)(uintptr_t)reading.fields[i].key);
    free(reading.fields);
    free(reading.entries);
    string_list_release(&reading.keys);
    text_buffer_release(&reading.source);
    text_buffer_release(&reading.problem);
    return result;
}

/* YAML 1.1 readers (PyYAML) take 2e-05 for a string, but 2.0e-05 for a number. */
static void append_number(struct text_buffer *out, double number)
{
    if (isinf(number)) {
        text_buffer_append(out, number < 0 ? "-.inf" : ".inf");
        return;
    }
    struct text_buffer text = {0};
    text_buffer_append_number(&text, number);
    const size_t mantissa = strcspn(text.data, "e");
    text_buffer_append_bytes(out, text.data, mantissa);
    if (mantissa < text.length && !memchr(text.data, '.', mantissa))
        text_buffer_append(out, ".0");
    text_buffer_append(out, text.data + mantissa);
    text_buffer_release(&text);
}

static void append_list(struct text_buffer *out, const struct string_list *list)
{
    text_buffer_append_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            text_buffer_append(out, ", ");
        text_buffer_append_json(out, list->items[i], strlen(list->items[i]));
    }
    text_buffer_append_char(out, ']');
}

static void append_value(struct text_buffer *out, const struct option_entry *entry,
                         const void *value)
{
    if (entry->type == OPTION_STRING) {
        const char *text = *(char *const *)value;
        if (text)
            text_buffer_append_json(out, text, strlen(text));
        else
            text_buffer_append(out, "null");
    } else if (entry->type == OPTION_INTEGER) {
        text_buffer_appendf(out, "%lld", (long long)*(const int64_t *)value);
    } else if (entry->type == OPTION_NUMBER) {
        append_number(out, *(const double *)value);
    } else if (entry->type == OPTION_BOOL) {
        text_buffer_append(out, *(const bool *)value ? "true" : "false");
    } else {
        append_list(out, value);
    }
}

void options_print_yaml(const struct command_line *command, const void *settings,
                        struct text_buffer *out)
{
    for (const struct option_entry *entry = command->entries; entry->name; entry++) {
        option_append_name(out, entry, '_');
        text_buffer_append(out, ": ");
        append_value(out, entry, option_const_at(entry, settings));
        text_buffer_append_char(out, '\n');
    }
}
