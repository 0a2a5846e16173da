#ifndef HOLDFAST_EVAL_VERDICT_PATTERN_H
#define HOLDFAST_EVAL_VERDICT_PATTERN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A regular expression (PCRE2, UTF-8) that must match the whole of a line. A line of more
 * than 400 bytes is no verdict and is not looked at; a match that takes too many steps
 * counts as none, so that no pattern and no line can hold a run up.
 */

/* *pattern is a pcre2_code; NULL after an error, which names the byte. */
enum status verdict_pattern_compile(void **pattern, const char *source,
                                    struct error *error);
bool verdict_pattern_matches(const void *pattern, const char *line, size_t count);
void verdict_pattern_free(void *pattern);

#endif
