#ifndef HOLDFAST_DATA_GEN_MIX_BUILD_H
#define HOLDFAST_DATA_GEN_MIX_BUILD_H

#include "base/error.h"
#include "data_gen/mix.h"
#include "data_gen/mix_recipe.h"
#include "data_gen/source_hash.h"

#include <stdint.h>

/*
 * Makes the mixes of a recipe, one for each ratio, from one pool of rows. Everything is
 * drawn by seed: same recipe, same bytes.
 *
 *   - Behaviours are dealt to the splits first, by their name (in any case and spacing:
 *     text_normal() of text_set.h), so that none stands in two,
 *     and together with those that ask for the same in other words (twin_clusters.h).
 *     Behaviours without a twin then even out the shares; where there are too few of
 *     them, a split has as many behaviours as its clusters gave it. No cluster is larger
 *     than the smallest split: more likeness is asked for until that is so.
 *     Train and validation then get their shares of every kind of example; behaviours of
 *     "test" get none: they are held out, and listed for `holdfast eval`.
 *   - Refusals, contrast and benign chats are drawn as three streams for each split
 *     (refusal_stream.h, chat_stream.h). A mix takes a prefix of each: the refusals of a
 *     smaller ratio are among those of a larger one, and the benign chats of a larger one
 *     among those of a smaller one (HOLD_COUNT) or the same (HOLD_BENIGN).
 *   - Slots are shuffled once, for all ratios: refusals fill them from one end, chats from
 *     the other. With HOLD_COUNT a row that two mixes share stands in the same line of
 *     both, so that models trained on them differ in what they saw, not in the order.
 *   - Exact duplicates of what users say are left out (text_set.h), near ones if the recipe
 *     says so, and counted.
 */

/* What became of a source, for the manifest. Strings are owned. */
struct mix_source {
    enum mix_role role;
    char *name;
    char *path;
    char sha256[65];
    struct source_hash *hash; /* what it is taken from by mix_build_hash(); or NULL */
    int64_t rows;
    int64_t skipped;
    int64_t duplicates;
    int64_t near_duplicates;
};

/* A drawn example. */
struct mix_row {
    struct mix_example example;
    enum mix_role role;
    int split;
    size_t source;         /* in `sources` */
    int64_t tokens;        /* of all messages; 0 without a tokenizer */
    int64_t target_tokens; /* of the assistant's */
    bool is_broken;        /* some message is not UTF-8 */
};

/* The mix of one ratio. */
struct mix_cut {
    double ratio;
    const struct mix_row *
        *rows; /* [count], in the order to be written; the array is owned */
    size_t count;
    char sha256[65]; /* of the file, once written */
};

/* Behaviours that were dealt to more than one split, by what they ask for; else all 0. */
struct mix_clusters {
    int64_t behaviors;
    int64_t count;
    int64_t with_twins; /* clusters of two behaviours or more */
    int64_t largest;    /* behaviours */
    int64_t in_split[SPLIT_COUNT];
    double threshold; /* of the leak check's score; above 1: twins were not kept together */
};

/* A harmful request that was dealt to split "test": for evaluation. Owned. */
struct held_out {
    char *text;
    char *behavior;
    char *category;
    int64_t index;
};

struct mix_build {
    struct mix_row **rows; /* owned, each */
    size_t row_count;
    size_t row_capacity;
    struct mix_cut *cuts; /* [recipe->ratio_count], in its order */
    size_t cut_count;
    struct mix_source *sources;
    size_t source_count;
    size_t source_capacity;
    struct held_out *held_out;
    size_t held_out_count;
    size_t held_out_capacity;
    struct mix_clusters clusters;
};

enum status mix_build(struct mix_build *build, const struct mix_recipe *recipe,
                      struct error *error);
void mix_build_release(struct mix_build *build);

/* Sets the SHA-256 of all sources, of which those of chats are computed in the meantime;
 * before it they are "". */
enum status mix_build_hash(struct mix_build *build, struct error *error);

#endif
