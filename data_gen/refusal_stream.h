#ifndef HOLDFAST_DATA_GEN_REFUSAL_STREAM_H
#define HOLDFAST_DATA_GEN_REFUSAL_STREAM_H

#include "base/random.h"
#include "data_gen/mix_recipe.h"
#include "data_gen/source.h"
#include "data_gen/text_set.h"

/*
 * The requests of all harmful sources in one list, each with the number of its source, the
 * first request of its behaviour and the split that the behaviour was dealt to.
 */
struct harmful_pool {
    struct request *requests; /* shallow copies: the lists own the strings */
    size_t *source;
    size_t *leader;
    int *split;
    size_t count;
    size_t capacity;
};
void harmful_pool_release(struct harmful_pool *pool);

/*
 * The refused requests of one split, one after the other, without end as long as there are
 * new words for them:
 *
 *     group of a category (or one of all)      tense
 *     each in turn, in a new order each cycle  the one farthest below its share
 *          └ request: each once a round, in a new order each round
 *               └ variant: the next whose text is new
 *
 * A pair of request and tense that has no new words is passed over; so is a request whose
 * behaviour has had its fill.
 */
struct refusal_group {
    int64_t *order; /* [count] pool indices; those before `position` are used this round */
    size_t count;
    size_t position;
    int64_t round;
    bool is_exhausted;
};

struct refusal_stream {
    const struct mix_recipe *recipe;
    const struct harmful_pool *pool;
    struct text_set *seen;
    int split;
    struct refusal_group *groups;
    size_t group_count;
    int64_t *group_order;
    size_t group_position;
    int64_t cycle;
    int64_t made;
    int64_t tense_made[TENSE_COUNT]; /* by place in recipe->tenses */
    int64_t *next_variant;           /* [pool count][tense_count]; -1: exhausted */
    int64_t *behavior_made;          /* [pool count], at leaders */
};

struct refusal_draw {
    size_t request;
    enum tense tense;
    int64_t variant;
};

void refusal_stream_open(struct refusal_stream *stream, const struct mix_recipe *recipe,
                         const struct harmful_pool *pool, struct text_set *seen, int split);
void refusal_stream_close(struct refusal_stream *stream);

/* The next refused request; its words replace those of `text`. False: there are no more. */
bool refusal_stream_next(struct refusal_stream *stream, struct refusal_draw *draw,
                         struct text_buffer *text);

#endif
