#include "base/memory.h"
#include "base/options_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void string_list_add(struct string_list *list, const char *text)
{
    array_reserve(list->items, list->capacity, list->count + 1);
    list->items[list->count++] = memory_duplicate_string(text);
}

void string_list_release(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

void *option_at(const struct option_entry *entry, void *settings)
{
    return (char *)settings + entry->offset;
}

const void *option_const_at(const struct option_entry *entry, const void *settings)
{
    return (const char *)settings + entry->offset;
}

static char same_letter(char c)
{
    return c == '-' ? '_' : c;
}

const struct option_entry *option_find(const struct command_line *command, const char *name)
{
    for (const struct option_entry *entry = command->entries; entry->name; entry++) {
        size_t i = 0;
        while (name[i] && same_letter(name[i]) == same_letter(entry->name[i]))
            i++;
        if (name[i] == '\0' && entry->name[i] == '\0')
            return entry;
    }
    return NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein: insertions, deletions and substitutions between the two. */
static size_t edit_distance(const char *a, const char *b)
{
    const size_t width = strlen(b);
    size_t *row = memory_allocate_array(width + 1, sizeof *row);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            const size_t changed = diagonal + (same_letter(a[i]) != same_letter(b[j]));
            diagonal = row[j + 1];
            row[j + 1] = smaller(changed, 1 + smaller(row[j], row[j + 1]));
        }
    }
    const size_t distance = row[width];
    free(row);
    return distance;
}

/* Farther is no typing error. */
static bool is_near(const char *name, const char *known, size_t *least)
{
    const size_t distance = edit_distance(name, known);
    if (distance >= *least || distance >= strlen(known))
        return false;
    *least = distance;
    return true;
}

/* The distance that a near name must stay under; 0 where none can be near. */
static size_t near_limit(const char *name)
{
    enum { LONGEST = 100 };
    const size_t length = strlen(name);
    return length == 0 || length > LONGEST ? 0 : length / 3 + 2;
}

const char *nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t least = near_limit(name);
    for (size_t i = 0; i < count; i++)
        if (is_near(name, names[i], &least))
            nearest = names[i];
    return nearest;
}

const struct option_entry *option_nearest(const struct command_line *command,
                                          const char *name)
{
    const struct option_entry *nearest = NULL;
    size_t least = near_limit(name);
    for (const struct option_entry *entry = command->entries; entry->name; entry++)
        if (is_near(name, entry->name, &least))
            nearest = entry;
    return nearest;
}

void option_append_name(struct text_buffer *buffer, const struct option_entry *entry,
                        char separator)
{
    for (const char *c = entry->name; *c; c++)
        text_buffer_append_char(buffer, same_letter(*c) == '_' ? separator : *c);
}

static enum status assign_integer(int64_t *out, const char *text, const char *label,
                                  struct error *error)
{
    double number;
    if (text_parse_integer(text, out))
        return STATUS_OK;
    if (text_parse_number(text, &number) && fabs(number) >= 0x1p63)
        return error_set(error, STATUS_USAGE,
                         "%s: '%s' is out of range; the largest is %lld", label, text,
                         (long long)INT64_MAX);
    return error_set(error, STATUS_USAGE, "%s: '%s' is not a whole number", label, text);
}

static enum status assign_number(double *out, const char *text, const char *label,
                                 struct error *error)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (text_parse_number(text, out))
        return STATUS_OK;
    if (strcmp(digits, "inf") == 0 || strcmp(digits, ".inf") == 0)
        *out = *text == '-' ? -HUGE_VAL : HUGE_VAL;
    else
        return error_set(error, STATUS_USAGE, "%s: '%s' is not a number, or out of range",
                         label, text);
    return STATUS_OK;
}

static enum status assign_bool(bool *out, const char *text, const char *label,
                               struct error *error)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_USAGE, "%s: '%s' is neither true nor false", label,
                     text);
}

/* The item that starts at `text`; returns where its ',' or the end is. */
static const char *read_item(struct text_buffer *item, const char *text)
{
    text_buffer_clear(item);
    while (*text && *text != ',') {
        if (text[0] == '\\' && text[1] == ',')
            text++;
        text_buffer_append_char(item, *text++);
    }
    return text;
}

static enum status assign_list(struct string_list *list, const char *text, bool extend,
                               const char *label, struct error *error)
{
    struct string_list fresh = {0};
    struct text_buffer item = {0};
    enum status result = STATUS_OK;
    if (!*text && strncmp(label, "--", 2) == 0) /* an unset variable of a script */
        result = error_set(error, STATUS_USAGE,
                           "%s: is empty: leave it out, or write %s= for none", label,
                           label + 2);
    for (const char *at = text; *text;) {
        at = read_item(&item, at);
        if (item.length == 0) {
            result =
                error_set(error, STATUS_USAGE, "%s: '%s' has an empty item", label, text);
            break;
        }
        string_list_add(&fresh, item.data);
        if (*at++ == '\0')
            break;
    }
    if (!result && !extend)
        string_list_release(list);
    for (size_t i = 0; !result && i < fresh.count; i++)
        string_list_add(list, fresh.items[i]);
    string_list_release(&fresh);
    text_buffer_release(&item);
    return result;
}

enum status option_assign(const struct option_entry *entry, void *settings,
                          const char *text, bool extend_list, const char *label,
                          struct error *error)
{
    void *value = option_at(entry, settings);
    switch (entry->type) {
    case OPTION_STRING: {
        char **string = value;
        free(*string);
        *string = memory_duplicate_string(text);
        return STATUS_OK;
    }
    case OPTION_INTEGER:
        return assign_integer(value, text, label, error);
    case OPTION_NUMBER:
        return assign_number(value, text, label, error);
    case OPTION_BOOL:
        return assign_bool(value, text, label, error);
    case OPTION_LIST:
        return assign_list(value, text, extend_list, label, error);
    }
    CHECK(false); /* no other type */
    return STATUS_USAGE;
}

static bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool lists_equal(const struct string_list *a, const struct string_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = texts_equal(a->items[i], b->items[i]);
    return equal;
}

static bool values_equal(enum option_type type, const void *a, const void *b)
{
    switch (type) {
    case OPTION_STRING:
        return texts_equal(*(char *const *)a, *(char *const *)b);
    case OPTION_INTEGER:
        return *(const int64_t *)a == *(const int64_t *)b;
    case OPTION_NUMBER: {
        const double x = *(const double *)a;
        const double y = *(const double *)b;
        return isnan(x) || isnan(y) ? isnan(x) && isnan(y) : !(x < y) && !(x > y);
    }
    case OPTION_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case OPTION_LIST:
        return lists_equal(a, b);
    }
    CHECK(false); /* no other type */
    return true;
}

enum status options_check_equal(const struct command_line *command, const void *settings,
                                const void *others, const char *const *names,
                                const char *why, struct error *error)
{
    for (; *names; names++) {
        const struct option_entry *entry = option_find(command, *names);
        CHECK(entry);
        if (!values_equal(entry->type, option_const_at(entry, settings),
                          option_const_at(entry, others)))
            return error_set(error, STATUS_USAGE, "--%s %s", *names, why);
    }
    return STATUS_OK;
}

void options_release(const struct command_line *command, void *settings)
{
    for (const struct option_entry *entry = command->entries; entry->name; entry++) {
        void *value = option_at(entry, settings);
        if (entry->type == OPTION_STRING) {
            char **string = value;
            free(*string);
            *string = NULL;
        } else if (entry->type == OPTION_LIST) {
            string_list_release(value);
        }
    }
}
