#include "base/memory.h"
#include "base/options_private.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* argp's keys: from FIRST_KEY on two for each entry, the second for --no-name. */
enum { KEY_HELP = 'h', KEY_CONFIG = 0x100, FIRST_KEY = 0x200 };

/* One setting from the command line, kept until the configs have been read. */
struct assignment {
    const struct option_entry *entry;
    char *label; /* as the user wrote it */
    const char *text;
};

struct parse {
    const struct command_line *command;
    struct string_list *positional;
    struct string_list configs;
    struct assignment *assignments;
    size_t count;
    size_t capacity;
    bool help;
    bool failed;
    struct error *error;
};

static enum status unknown_name(const struct command_line *command, const char *what,
                                const char *name, const char *dashes, struct error *error)
{
    struct text_buffer hint = {0};
    const struct option_entry *nearest = option_nearest(command, name);
    if (nearest) {
        text_buffer_appendf(&hint, "did you mean %s", dashes);
        option_append_name(&hint, nearest, *dashes ? '-' : '_');
        text_buffer_append_char(&hint, '?');
    } else {
        text_buffer_appendf(&hint, "'%s --help' lists them", command->name);
    }
    const enum status result = error_set(error, STATUS_USAGE, "unknown %s '%s%s'; %s", what,
                                         dashes, name, hint.data);
    text_buffer_release(&hint);
    return result;
}

static void keep(struct parse *parse, const struct option_entry *entry, char *label,
                 const char *text)
{
    array_reserve(parse->assignments, parse->capacity, parse->count + 1);
    parse->assignments[parse->count++] =
        (struct assignment){.entry = entry, .label = label, .text = text};
}

static void keep_option(struct parse *parse, int key, const char *text)
{
    const struct option_entry *entry = &parse->command->entries[(key - FIRST_KEY) / 2];
    const bool negated = (key - FIRST_KEY) % 2 != 0;
    struct text_buffer label = {0};
    text_buffer_append(&label, negated ? "--no-" : "--");
    option_append_name(&label, entry, '-');
    if (!text)
        text = negated ? "false" : "true";
    keep(parse, entry, text_buffer_detach(&label), text);
}

/* How many letters of a name precede '='; 0 if this is no override. */
static size_t override_name_length(const char *text)
{
    const size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return text[length] == '=' ? length : 0;
}

static enum status keep_argument(struct parse *parse, const char *text)
{
    const size_t length = override_name_length(text);
    if (length > 0) {
        char *name = memory_duplicate_bytes(text, length);
        const struct option_entry *entry = option_find(parse->command, name);
        if (entry) {
            keep(parse, entry, name, text + length + 1);
            return STATUS_OK;
        }
        const enum status result =
            unknown_name(parse->command, "setting", name, "", parse->error);
        free(name);
        return result;
    }
    if (!parse->positional)
        return error_set(parse->error, STATUS_USAGE,
                         "unexpected argument '%s'; write --name %s or name=%s", text, text,
                         text);
    string_list_add(parse->positional, text);
    return STATUS_OK;
}

/* argp says that it failed, but not why: an option unknown, or with or without a value. */
static enum status explain(const struct parse *parse, const char *option)
{
    char *name = memory_duplicate_string(option + strspn(option, "-"));
    char *equals = strchr(name, '=');
    if (equals)
        *equals = '\0';
    enum status result;
    const char *positive = text_starts_with(name, "no-") ? name + 3 : name;
    const struct option_entry *negated = option_find(parse->command, positive);
    const bool is_negation = positive != name && negated && negated->type == OPTION_BOOL;
    const bool built_in = strcmp(name, "help") == 0 || strcmp(name, "config") == 0;
    if (!text_starts_with(option, "--"))
        result = error_set(parse->error, STATUS_USAGE,
                           "unknown option '%s'; '%s --help' lists them", option,
                           parse->command->name);
    else if (!built_in && !is_negation && !option_find(parse->command, name))
        result = unknown_name(parse->command, "option", name, "--", parse->error);
    else if (equals)
        result = error_set(parse->error, STATUS_USAGE, "--%s takes no value", name);
    else
        result = error_set(parse->error, STATUS_USAGE, "--%s needs a value", name);
    free(name);
    return result;
}

static error_t on_key(int key, char *text, struct argp_state *state)
{
    struct parse *parse = state->input;
    switch (key) {
    case KEY_HELP:
        parse->help = true;
        return 0;
    case KEY_CONFIG:
        string_list_add(&parse->configs, text);
        return 0;
    case ARGP_KEY_ARG:
        parse->failed = keep_argument(parse, text) != STATUS_OK;
        return parse->failed ? EINVAL : 0;
    case ARGP_KEY_ERROR:
        if (!parse->failed)
            explain(parse, state->argv[state->next - 1]);
        parse->failed = true;
        return 0;
    default:
        if (key < FIRST_KEY || key >= ARGP_KEY_END)
            return ARGP_ERR_UNKNOWN;
        keep_option(parse, key, text);
        return 0;
    }
}

/* Adds one name that argp is to know. It is freed with the table. */
static void add_option(struct argp_option **options, size_t *count, size_t *capacity,
                       const struct option_entry *entry, char separator, bool negated,
                       int key)
{
    struct text_buffer name = {0};
    if (negated)
        text_buffer_append(&name, "no-");
    option_append_name(&name, entry, separator);
    const bool is_bool = entry->type == OPTION_BOOL;
    array_reserve(*options, *capacity, *count + 1);
    (*options)[(*count)++] = (struct argp_option){
        .name = text_buffer_detach(&name),
        .key = key,
        .arg = negated ? NULL : "VALUE",
        .flags = is_bool && !negated ? OPTION_ARG_OPTIONAL : 0,
    };
}

static void add_builtin(struct argp_option **options, size_t *count, size_t *capacity,
                        const char *name, const char *argument, int key)
{
    array_reserve(*options, *capacity, *count + 1);
    (*options)[(*count)++] = (struct argp_option){
        .name = name ? memory_duplicate_string(name) : NULL, .key = key, .arg = argument};
}

/* Every name in the spellings a-b and a_b, --no-name for booleans, and the built-ins. */
static struct argp_option *make_argp_options(const struct command_line *command)
{
    struct argp_option *options = NULL;
    size_t count = 0, capacity = 0;
    for (int i = 0; command->entries[i].name; i++) {
        const struct option_entry *entry = &command->entries[i];
        const int key = FIRST_KEY + 2 * i;
        const int spellings = strpbrk(entry->name, "-_") ? 2 : 1;
        for (int spelling = 0; spelling < spellings; spelling++) {
            const char separator = spelling == 0 ? '-' : '_';
            add_option(&options, &count, &capacity, entry, separator, false, key);
            if (entry->type == OPTION_BOOL)
                add_option(&options, &count, &capacity, entry, separator, true, key + 1);
        }
    }
    add_builtin(&options, &count, &capacity, "config", "FILE", KEY_CONFIG);
    add_builtin(&options, &count, &capacity, "help", NULL, KEY_HELP);
    add_builtin(&options, &count, &capacity, NULL, NULL, 0); /* ends the table */
    return options;
}

static void free_argp_options(struct argp_option *options)
{
    for (size_t i = 0; options[i].name; i++)
        free((void *)(uintptr_t)options[i].name);
    free(options);
}

/* The first mention of a list on the command line replaces it, further ones extend it. */
static bool was_mentioned(const struct parse *parse, size_t before,
                          const struct option_entry *entry)
{
    for (size_t i = 0; i < before; i++)
        if (parse->assignments[i].entry == entry)
            return true;
    return false;
}

static enum status apply(const struct parse *parse, void *settings)
{
    enum status result = STATUS_OK;
    for (size_t i = 0; !result && i < parse->configs.count; i++)
        result = options_read_yaml(parse->command, settings, parse->configs.items[i],
                                   parse->error);
    for (size_t i = 0; !result && i < parse->count; i++) {
        const struct assignment *next = &parse->assignments[i];
        result =
            option_assign(next->entry, settings, next->text,
                          was_mentioned(parse, i, next->entry), next->label, parse->error);
    }
    return result;
}

static void show_help(const struct command_line *command, const void *settings)
{
    struct text_buffer help = {0};
    options_append_help(command, settings, &help);
    fputs(text_buffer_string(&help), stdout);
    text_buffer_release(&help);
}

enum status options_parse(const struct command_line *command, int argc, char **argv,
                          void *settings, struct string_list *positional, bool *help_shown,
                          struct error *error)
{
    struct error ignored;
    enum status result = STATUS_OK;
    struct parse parse = {
        .command = command, .positional = positional, .error = error ? error : &ignored};
    struct argp_option *options = make_argp_options(command);
    const struct argp argp = {.options = options, .parser = on_key};
    *help_shown = false;
    /* In order, so that --name and name=value take effect from left to right. */
    const error_t failure =
        argp_parse(&argp, argc, argv, ARGP_SILENT | ARGP_IN_ORDER, NULL, &parse);
    if (parse.help) {
        show_help(command, settings);
        *help_shown = true;
    } else if (parse.failed) {
        result = parse.error->status;
    } else if (failure) {
        result = error_set_errno(error, failure, "cannot read the command line");
    } else {
        result = apply(&parse, settings);
    }
    for (size_t i = 0; i < parse.count; i++)
        free(parse.assignments[i].label);
    free(parse.assignments);
    string_list_release(&parse.configs);
    free_argp_options(options);
    return result;
}

enum status options_set(const struct command_line *command, void *settings,
                        const char *name, const char *value, struct error *error)
{
    const struct option_entry *entry = option_find(command, name);
    if (!entry)
        return unknown_name(command, "setting", name, "", error);
    return option_assign(entry, settings, value, false, name, error);
}
