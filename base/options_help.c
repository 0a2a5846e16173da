#include "base/options_private.h"

#include <math.h>
#include <string.h>

enum { HELP_COLUMNS = 92, DESCRIPTION_COLUMN = 30 };

/* Text as it is laid out: `column` characters of the present line are written. */
struct layout {
    struct text_buffer *out;
    size_t column;
};

static size_t character_bytes(const char *text, size_t bytes)
{
    uint32_t ignored;
    return text_utf8_decode(text, bytes, &ignored);
}

static size_t characters(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at += character_bytes(text + at, bytes - at))
        count++;
    return count;
}

static void put(struct layout *layout, const char *text, size_t bytes)
{
    text_buffer_append_bytes(layout->out, text, bytes);
    layout->column += characters(text, bytes);
}

static void put_text(struct layout *layout, const char *text)
{
    put(layout, text, strlen(text));
}

static void go_to(struct layout *layout, size_t column)
{
    while (layout->column < column)
        put(layout, " ", 1);
}

static void end_line(struct layout *layout)
{
    text_buffer_append_char(layout->out, '\n');
    layout->column = 0;
}

static void put_word(struct layout *layout, size_t indent, const char *word, size_t bytes)
{
    const size_t width = characters(word, bytes);
    if (layout->column > indent && layout->column + 1 + width > HELP_COLUMNS)
        end_line(layout);
    else if (layout->column > indent)
        put(layout, " ", 1);
    go_to(layout, indent);
    for (size_t at = 0; at < bytes;) {
        const size_t step = character_bytes(word + at, bytes - at);
        if (layout->column == HELP_COLUMNS) { /* a word longer than the line */
            end_line(layout);
            go_to(layout, indent);
        }
        put(layout, word + at, step);
        at += step;
    }
}

/* Words between `indent` and the right margin; a '\n' in the text ends the line. */
static void put_wrapped(struct layout *layout, size_t indent, const char *text)
{
    while (*text) {
        const size_t bytes = strcspn(text, " \n");
        if (bytes > 0)
            put_word(layout, indent, text, bytes);
        text += bytes;
        if (*text == '\n')
            end_line(layout);
        text += *text != '\0';
    }
}

static void append_list(struct text_buffer *out, const struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        text_buffer_append(out, i > 0 ? "," : "");
        text_buffer_append(out, list->items[i]);
    }
}

/* The value in the settings, or nothing where it says nothing. */
static void append_default(struct text_buffer *out, const struct option_entry *entry,
                           const void *value)
{
    if (entry->type == OPTION_STRING) {
        const char *text = *(char *const *)value;
        text_buffer_append(out, text ? text : "");
    } else if (entry->type == OPTION_INTEGER) {
        text_buffer_appendf(out, "%lld", (long long)*(const int64_t *)value);
    } else if (entry->type == OPTION_NUMBER) {
        const double number = *(const double *)value;
        if (isfinite(number))
            text_buffer_append_number(out, number);
        else if (isinf(number))
            text_buffer_append(out, number < 0 ? "-inf" : "inf");
    } else if (entry->type == OPTION_BOOL) {
        text_buffer_append(out, *(const bool *)value ? "yes" : "no");
    } else {
        append_list(out, value);
    }
}

static void put_option(struct layout *layout, const char *left, const char *description)
{
    put_text(layout, "  ");
    put_text(layout, left);
    if (layout->column + 2 > DESCRIPTION_COLUMN)
        end_line(layout);
    go_to(layout, DESCRIPTION_COLUMN);
    put_wrapped(layout, DESCRIPTION_COLUMN, description);
    end_line(layout);
}

static void put_entry(struct layout *layout, const struct option_entry *entry,
                      const void *settings)
{
    struct text_buffer left = {0}, text = {0}, value = {0};
    text_buffer_append(&left, entry->type == OPTION_BOOL ? "--[no-]" : "--");
    option_append_name(&left, entry, '-');
    if (entry->type != OPTION_BOOL)
        text_buffer_appendf(&left, " %s", entry->argument ? entry->argument : "VALUE");
    if (entry->type == OPTION_LIST && !strstr(entry->argument ? entry->argument : "", ",…"))
        text_buffer_append(&left, "[,…]");
    text_buffer_append(&text, entry->description ? entry->description : "");
    append_default(&value, entry, option_const_at(entry, settings));
    if (value.length > 0)
        text_buffer_appendf(&text, " (default: %s)", value.data);
    put_option(layout, left.data, text.data);
    text_buffer_release(&left);
    text_buffer_release(&text);
    text_buffer_release(&value);
}

static void put_usage(struct layout *layout, const struct command_line *command)
{
    put_text(layout, "Usage: ");
    put_text(layout, command->name);
    put_text(layout, " [--name VALUE | name=VALUE]…");
    if (command->positional) {
        put_text(layout, " ");
        put_text(layout, command->positional);
    }
    end_line(layout);
    end_line(layout);
    put_wrapped(layout, 0, command->summary ? command->summary : "");
    end_line(layout);
}

void options_append_help(const struct command_line *command, const void *settings,
                         struct text_buffer *out)
{
    struct layout layout = {.out = out};
    put_usage(&layout, command);
    for (const struct option_entry *entry = command->entries; entry->name; entry++) {
        if (entry == command->entries || entry->group) {
            end_line(&layout);
            put_wrapped(&layout, 0, entry->group ? entry->group : "Options");
            put_text(&layout, ":");
            end_line(&layout);
        }
        put_entry(&layout, entry, settings);
    }
    end_line(&layout);
    put_text(&layout, "Always there:");
    end_line(&layout);
    put_option(&layout, "--config FILE",
               "Read settings from a YAML file of 'name: value' lines; what the command "
               "line says counts more");
    put_option(&layout, "-h, --help", "Show this help");
    if (command->examples) {
        put_text(&layout, "\nExamples:\n");
        put_text(&layout, command->examples);
        if (!text_ends_with(command->examples, "\n"))
            end_line(&layout);
    }
}
