#ifndef HOLDFAST_DATA_GEN_SYSTEM_PROMPTS_H
#define HOLDFAST_DATA_GEN_SYSTEM_PROMPTS_H

#include "base/error.h"
#include "base/options.h"

#include <stddef.h>
#include <stdint.h>

/* System prompts to put before examples that have none: a text, or @FILE with one a line.
 */
struct system_prompts {
    struct string_list texts;
    double share;
};

/* `source` may be NULL: none. */
enum status system_prompts_open(struct system_prompts *prompts, const char *source,
                                double share, struct error *error);
void system_prompts_release(struct system_prompts *prompts);

/*
 * The prompt for the example of this id, or NULL: a function of seed and id alone. What
 * kind the example is plays no part, so that no prompt gives the refusals away.
 */
const char *system_prompts_pick(const struct system_prompts *prompts, uint64_t seed,
                                const char *id);

#endif
