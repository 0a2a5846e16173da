#ifndef HOLDFAST_TEXT_SPLIT_PATTERN_H
#define HOLDFAST_TEXT_SPLIT_PATTERN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A regular expression of a pre-tokenizer on PCRE2 (UTF, UCP, JIT). tokenizer.json means
 * Oniguruma (Ruby syntax); the two differ in `\s` (PCRE2 counts U+180E), `\w` (PCRE2 10.42
 * leaves out marks), `\u0120`, `^` and `$` (always at lines in Ruby) and sets inside sets,
 * so the first four are translated, a plain set in a set ("[^(\s|[.,!]]", as Bloom and
 * Viking have it) loses its brackets, and other sets in sets are refused.
 *
 * A compiled pattern may be used from several threads; a matcher belongs to one.
 */
struct split_pattern; /* opaque */

enum status split_pattern_compile(struct split_pattern **pattern, const char *source,
                                  bool literal, struct error *error);
void split_pattern_free(struct split_pattern *pattern);

/*
 * Successive matches in `bytes` bytes of valid UTF-8, as Rust's find_iter gives them.
 *     struct split_matcher matcher = {0};
 *     split_matcher_begin(&matcher, pattern, text, bytes);   // again for each text
 *     while (split_matcher_next(&matcher, &start, &end)) …
 *     split_matcher_release(&matcher);
 */
struct split_matcher {
    const struct split_pattern *pattern;
    const char *text;
    size_t bytes;
    size_t offset;    /* where the next search starts */
    bool has_match;   /* a match was found before … */
    size_t last_end;  /* … and ended here */
    void *match_data; /* pcre2_match_data, made by the first begin */
};
void split_matcher_begin(struct split_matcher *matcher, const struct split_pattern *pattern,
                         const char *text, size_t bytes);
bool split_matcher_next(struct split_matcher *matcher, size_t *start, size_t *end);
void split_matcher_release(struct split_matcher *matcher);

#endif
