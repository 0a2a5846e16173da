#include "data_gen/refusal_stream.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Variants after these are passed over: by then the rewriter repeats itself. */
enum { VARIANT_LIMIT = 400 };

void harmful_pool_release(struct harmful_pool *pool)
{
    free(pool->requests);
    free(pool->source);
    free(pool->leader);
    free(pool->split);
    *pool = (struct harmful_pool){0};
}

static void group_shuffle(struct refusal_stream *stream, size_t group_index)
{
    struct refusal_group *group = &stream->groups[group_index];
    struct random random = random_stream(
        stream->recipe->seed,
        random_stream_of("refusals", (uint64_t)stream->split,
                         (uint64_t)group_index << 32 | (uint64_t)group->round));
    random_shuffle(&random, group->order, group->count);
    group->position = 0;
}

static const char *group_name(const struct refusal_stream *stream, size_t request)
{
    return stream->recipe->balance[ROLE_HARMFUL] ? stream->pool->requests[request].category
                                                 : "";
}

/* The group of the request's category: a new one if it is the first of it. */
static struct refusal_group *group_of(struct refusal_stream *stream, size_t request)
{
    const char *name = group_name(stream, request);
    for (size_t i = 0; i < stream->group_count; i++)
        if (strcasecmp(group_name(stream, (size_t)stream->groups[i].order[0]), name) == 0)
            return &stream->groups[i];
    struct refusal_group *group = &stream->groups[stream->group_count++];
    group->order = memory_allocate_array(stream->pool->count, sizeof *group->order);
    return group;
}

static void groups_shuffle(struct refusal_stream *stream)
{
    struct random random = random_stream(
        stream->recipe->seed,
        random_stream_of("categories", (uint64_t)stream->split, (uint64_t)stream->cycle));
    random_shuffle(&random, stream->group_order, stream->group_count);
    stream->group_position = 0;
}

void refusal_stream_open(struct refusal_stream *stream, const struct mix_recipe *recipe,
                         const struct harmful_pool *pool, struct text_set *seen, int split)
{
    *stream = (struct refusal_stream){
        .recipe = recipe, .pool = pool, .seen = seen, .split = split};
    const size_t count = pool->count + 1;
    stream->groups = memory_allocate_array(count, sizeof *stream->groups);
    stream->group_order = memory_allocate_array(count, sizeof *stream->group_order);
    stream->behavior_made = memory_allocate_array(count, sizeof *stream->behavior_made);
    stream->next_variant = memory_allocate_array(count * (recipe->tense_count + 1),
                                                 sizeof *stream->next_variant);
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->split[i] != split)
            continue;
        struct refusal_group *group = group_of(stream, i);
        group->order[group->count++] = (int64_t)i;
    }
    for (size_t i = 0; i < stream->group_count; i++) {
        stream->group_order[i] = (int64_t)i;
        group_shuffle(stream, i);
    }
    groups_shuffle(stream);
}

void refusal_stream_close(struct refusal_stream *stream)
{
    for (size_t i = 0; i < stream->group_count; i++)
        free(stream->groups[i].order);
    free(stream->groups);
    free(stream->group_order);
    free(stream->next_variant);
    free(stream->behavior_made);
    *stream = (struct refusal_stream){0};
}

/* Words for a request in a tense that nobody has used yet. */
static bool words_find(struct refusal_stream *stream, size_t request, size_t tense_place,
                       struct refusal_draw *draw, struct text_buffer *text)
{
    const struct mix_recipe *recipe = stream->recipe;
    const enum tense tense = recipe->tenses[tense_place].tense;
    int64_t *variant = &stream->next_variant[request * recipe->tense_count + tense_place];
    const int64_t limit = tense == TENSE_NONE ? 1 : VARIANT_LIMIT;
    while (*variant >= 0 && *variant < limit) {
        text_buffer_clear(text);
        tense_reformulate(stream->pool->requests[request].text, tense, recipe->seed,
                          *variant, text);
        *draw = (struct refusal_draw){request, tense, (*variant)++};
        /* The plain requests themselves were entered when they were read. */
        if (tense == TENSE_NONE || text_set_add(stream->seen, text_buffer_string(text)))
            return true;
    }
    *variant = -1;
    return false;
}

static bool behavior_is_full(const struct refusal_stream *stream, size_t request)
{
    const int64_t limit = stream->recipe->max_per_behavior;
    return limit && stream->behavior_made[stream->pool->leader[request]] >= limit;
}

/* Counts place `at` of the round as used. */
static void round_use(struct refusal_group *group, size_t at)
{
    const int64_t request = group->order[at];
    memmove(&group->order[group->position + 1], &group->order[group->position],
            (at - group->position) * sizeof *group->order);
    group->order[group->position++] = request;
}

static bool round_draw(struct refusal_stream *stream, struct refusal_group *group,
                       size_t tense_place, struct refusal_draw *draw,
                       struct text_buffer *text)
{
    for (size_t at = group->position; at < group->count; at++) {
        const size_t request = (size_t)group->order[at];
        if (behavior_is_full(stream, request) ||
            !words_find(stream, request, tense_place, draw, text))
            continue;
        round_use(group, at);
        stream->behavior_made[stream->pool->leader[request]]++;
        stream->tense_made[tense_place]++;
        stream->made++;
        return true;
    }
    return false;
}

/* Places in recipe->tenses, that farthest below its share first. */
static void tenses_rank(const struct refusal_stream *stream, size_t *places)
{
    const struct mix_recipe *recipe = stream->recipe;
    double lack[TENSE_COUNT];
    for (size_t i = 0; i < recipe->tense_count; i++) {
        lack[i] = recipe->tenses[i].share * (double)(stream->made + 1) -
                  (double)stream->tense_made[i];
        size_t at = i;
        for (; at > 0 && lack[places[at - 1]] < lack[i] - 1e-9; at--)
            places[at] = places[at - 1];
        places[at] = i;
    }
}

static bool group_draw(struct refusal_stream *stream, size_t group_index,
                       struct refusal_draw *draw, struct text_buffer *text)
{
    struct refusal_group *group = &stream->groups[group_index];
    size_t places[TENSE_COUNT];
    tenses_rank(stream, places);
    for (int pass = 0; pass < 2 && !group->is_exhausted; pass++) {
        const bool whole_round = group->position == 0;
        for (size_t i = 0; i < stream->recipe->tense_count; i++)
            if (round_draw(stream, group, places[i], draw, text))
                return true;
        group->is_exhausted = whole_round;
        group->round++;
        group_shuffle(stream, group_index);
    }
    return false;
}

bool refusal_stream_next(struct refusal_stream *stream, struct refusal_draw *draw,
                         struct text_buffer *text)
{
    for (size_t tried = 0; tried < stream->group_count; tried++) {
        if (stream->group_position == stream->group_count) {
            stream->cycle++;
            groups_shuffle(stream);
        }
        if (group_draw(stream, (size_t)stream->group_order[stream->group_position++], draw,
                       text))
            return true;
    }
    /* A new cycle may have tried some groups twice and others not at all. */
    for (size_t i = 0; i < stream->group_count; i++)
        if (group_draw(stream, i, draw, text))
            return true;
    return false;
}
