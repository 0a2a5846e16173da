#ifndef HOLDFAST_DATA_GEN_MIX_BUILD_H
#define HOLDFAST_DATA_GEN_MIX_BUILD_H

#include "base/error.h"
#include "base/options.h"
#include "data_gen/mix.h"
#include "text/tense.h"

#include <stdint.h>

/*
 * How a mix is made. Of `count` examples, ratio x count are refusals of harmful requests
 * reformulated in the tenses of `tenses` (in turn), contrast x count are benign questions
 * with their answers from the contrast sources, and the rest are benign chats. Everything
 * is drawn by seed: same recipe, same bytes.
 *
 *   - Behaviours are dealt to the splits first, by their name, so that none stands in two.
 *     Train and validation then get their shares of every kind of example; behaviours of
 *     "test" get none: they are held out, and listed for `holdfast eval`.
 *   - Requests are used in turn, each time in a fresh reformulation, so that no behaviour
 * has more than one example more than another of its split.
 *   - Exact duplicates of what the user says are left out (data_gen/text_set.h) and
 * counted.
 */
enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST, SPLIT_COUNT };
extern const char *const split_names[SPLIT_COUNT]; /* train, validation, test */

struct mix_recipe {
    const struct string_list *harmful; /* source specs */
    const struct string_list *benign;
    const struct string_list *contrast;
    enum tense tenses[TENSE_COUNT];
    size_t tense_count;
    double ratio;
    double contrast_ratio;
    double imperatives; /* share of the benign questions asked as imperatives */
    int64_t count;
    double split_shares[SPLIT_COUNT]; /* sum 1 */
    const char *refusals;             /* style: data_gen/refusals.h */
    uint64_t seed;
    uint64_t split_seed; /* of the deal alone: other seeds keep the same split */
};

/* What became of a source, for the manifest. Strings are owned. */
struct mix_source {
    const char *role; /* harmful, benign, contrast */
    char *name;
    char *path;
    char sha256[65];
    int64_t rows;
    int64_t skipped;
    int64_t duplicates;
    int64_t used;
};

/* A harmful request that was dealt to split "test": for evaluation. Owned. */
struct held_out {
    char *text;
    char *behavior;
    char *category;
    int64_t index;
};

struct mix_build {
    struct mix mix; /* in the order to be written */
    struct mix_source *sources;
    size_t source_count;
    size_t source_capacity;
    struct held_out *held_out;
    size_t held_out_count;
    size_t held_out_capacity;
};

enum status mix_build(struct mix_build *build, const struct mix_recipe *recipe,
                      struct error *error);
void mix_build_release(struct mix_build *build);

#endif
