#ifndef HOLDFAST_BASE_OPTIONS_PRIVATE_H
#define HOLDFAST_BASE_OPTIONS_PRIVATE_H

/* What options.c, options_value.c, options_yaml.c and options_help.c share. */

#include "base/options.h"

/* The entry called `name` ('-' and '_' are the same letter), or NULL. */
const struct option_entry *option_find(const struct command_line *command,
                                       const char *name);

/* The name nearest to one that is unknown, or NULL if none is near. */
const struct option_entry *option_nearest(const struct command_line *command,
                                          const char *name);

/* Appends the entry's name with every '-' and '_' written as `separator`. */
void option_append_name(struct text_buffer *buffer, const struct option_entry *entry,
                        char separator);

/*
 * Sets the entry from text; a list is replaced by the text's comma-separated items ("\,"
 * is a comma in an item), or extended by them. `label` names the option in messages.
 */
enum status option_assign(const struct option_entry *entry, void *settings,
                          const char *text, bool extend_list, const char *label,
                          struct error *error);

/* What --config names: applied in the order of the file. */
enum status options_read_yaml(const struct command_line *command, void *settings,
                              const char *path, struct error *error);

void options_append_help(const struct command_line *command, const void *settings,
                         struct text_buffer *out);

/* Where an entry's value lies; the const one is for printing. */
void *option_at(const struct option_entry *entry, void *settings);
const void *option_const_at(const struct option_entry *entry, const void *settings);

#endif
