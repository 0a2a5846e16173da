#ifndef HOLDFAST_ABLATE_STAGES_H
#define HOLDFAST_ABLATE_STAGES_H

#include "ablate/ablate.h"

/* The settings of the stages of a sweep: what the user gave, and what the sweep sets
 * itself. */
struct override {
    const char *name;
    const char *value;
};

/*
 * Applies the user's NAME=VALUE pairs to the settings of a stage, then the sweep's own.
 * STATUS_USAGE names a pair that is none, an option that the stage has not, and the first
 * `reserved` of `own` where a pair names one of them: it would be ignored.
 */
enum status stage_settings(const struct command_line *stage, void *settings,
                           const struct string_list *pairs, const struct override *own,
                           size_t own_count, size_t reserved, struct error *error);

/*
 * Ratios, seeds and the settings of all stages, as those will check them, before hours go
 * into the first. *asks_held_out: no --eval behaviors=, those that --data holds out are
 * asked.
 */
enum status stages_check(const struct ablate_options *options, bool *asks_held_out,
                         struct error *error);

/* All ratios, in one text as --ratio takes it; heap. */
char *ratios_joined(const struct ablate_options *options);

#endif
