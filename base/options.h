#ifndef HOLDFAST_BASE_OPTIONS_H
#define HOLDFAST_BASE_OPTIONS_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A command's settings are one table of `struct option_entry`. From it come the argp
 * options (`--name value` or `--name=value`), the YAML file given by `--config` (libcyaml,
 * unknown keys are errors), the overrides `name=value`, the `--help` text, and the resolved
 * config that is written beside the output.
 *
 * Order of precedence: defaults in the struct < --config < command line, left to right.
 *
 *     struct train_options {
 *         char *model;
 *         double lr;
 *     };
 *     static const struct option_entry entries[] = {
 *         {"model", OPTION_STRING, offsetof(struct train_options, model), "DIR",
 *          "Model directory to start from", "Model"},
 *         {"lr", OPTION_NUMBER, offsetof(struct train_options, lr), "X",
 *          "Peak learning rate", NULL},
 *         {0}};
 *
 * In names a '-' on the command line and '_' in YAML are the same letter. A list that is
 * given replaces what was there before; repeated on one command line it grows; "\," is a
 * comma inside an item. In YAML an unquoted null makes a text NULL, a number NaN, a list
 * empty. `--config FILE` (may repeat), `--help` and `-h` are built in.
 *
 * All strings in the settings are heap-owned: give defaults with
 * memory_duplicate_string(); options_release() frees them.
 */
enum option_type {
    OPTION_STRING,  /* char *               */
    OPTION_INTEGER, /* int64_t              */
    OPTION_NUMBER,  /* double               */
    OPTION_BOOL,    /* bool: --name, --no-name, name=true|false */
    OPTION_LIST     /* struct string_list: repeated --name, comma-separated, YAML list */
};

struct string_list {
    char **items;
    size_t count;
    size_t capacity;
};
void string_list_add(struct string_list *list, const char *text);
void string_list_release(struct string_list *list);

struct option_entry {
    const char *name; /* NULL ends the table */
    enum option_type type;
    size_t offset;           /* into the settings struct */
    const char *argument;    /* placeholder in --help; NULL for booleans */
    const char *description; /* one or two lines; a NULL name's is unused */
    const char *group;       /* heading in --help; NULL continues the last one */
};

struct command_line {
    const char *name;       /* "holdfast train" */
    const char *summary;    /* one sentence */
    const char *examples;   /* shown at the end of --help, as is */
    const char *positional; /* e.g. "RUN…", NULL if none are taken */
    const struct option_entry *entries;
};

/*
 * Parses argv (argv[0] is the command's name and skipped) into `settings`, which hold the
 * defaults already; after an error some may be changed. `positional` takes what is
 * neither an option nor an override; NULL if the command takes none. `--help` prints
 * to stdout and sets *help_shown (the caller then returns 0). Wrong usage gives
 * STATUS_USAGE with a message naming the option, the file and line, and the remedy
 * ("did you mean --epochs?").
 */
enum status options_parse(const struct command_line *command, int argc, char **argv,
                          void *settings, struct string_list *positional, bool *help_shown,
                          struct error *error);

/* Sets one entry from text, as `name=value` does (used by ablate for its runs). */
enum status options_set(const struct command_line *command, void *settings,
                        const char *name, const char *value, struct error *error);

/* The resolved settings as YAML, in table order, such that --config reads it back. */
void options_print_yaml(const struct command_line *command, const void *settings,
                        struct text_buffer *out);

void options_release(const struct command_line *command, void *settings);

/*
 * STATUS_USAGE naming the first of `names` (NULL ends them) that has another value in
 * `settings` than in `others`, and saying `why`, which follows the name: held against the
 * defaults it finds options that would do nothing ("is of adapters: add --lora RANK"). A
 * name that is no entry is a bug.
 */
enum status options_check_equal(const struct command_line *command, const void *settings,
                                const void *others, const char *const *names,
                                const char *why, struct error *error);

/* The one of `names` that a typing error may have made into `name`; NULL if none is near.
 */
const char *nearest_name(const char *name, const char *const *names, size_t count);

#endif
