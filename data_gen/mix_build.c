#include "data_gen/mix_build.h"

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/mix_builder.h"
#include "data_gen/mix_plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const split_names[SPLIT_COUNT] = {"train", "validation", "test"};
const char *const role_names[ROLE_COUNT] = {"harmful", "contrast", "benign"};
const char *const kind_names[ROLE_COUNT] = {"refusal", "contrast", "benign"};
const char *const measure_names[MEASURE_COUNT] = {"examples", "tokens", "target-tokens"};

void numbers_shuffled(int64_t *order, size_t count, uint64_t seed, const char *what)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (int64_t)i;
    struct random random = random_stream(seed, random_stream_of(what, 0, 0));
    random_shuffle(&random, order, count);
}

static void drawn_add(struct drawn_rows *drawn, struct mix_row *row)
{
    array_reserve(drawn->rows, drawn->capacity, drawn->count + 1);
    drawn->rows[drawn->count++] = row;
}

/* A refusals_draw. */
static enum status refusals_make(void *context, struct split_rows *rows, int64_t wanted,
                                 struct error *error)
{
    struct builder *builder = context;
    const struct refusal_stream *stream = &builder->refusal_stream;
    struct text_buffer text = {0};
    struct refusal_draw draw;
    while (rows->refusals.count < wanted &&
           refusal_stream_next(&builder->refusal_stream, &draw, &text))
        drawn_add(&rows->refusals,
                  builder_make_refusal(builder, &draw, text_buffer_string(&text)));
    text_buffer_release(&text);
    if (rows->refusals.count >= wanted)
        return STATUS_OK;
    size_t requests = 0;
    for (size_t i = 0; i < builder->pool.count; i++)
        requests += builder->pool.split[i] == stream->split;
    return error_set(error, STATUS_LIMIT,
                     "split %s: %" PRId64 " refusals are wanted, and %zu harmful requests "
                     "give only %" PRId64 " distinct ones%s: give more --harmful requests "
                     "or --tenses, or lower --ratio or --count",
                     split_names[stream->split], wanted, requests, rows->refusals.count,
                     builder->recipe->max_per_behavior ? " within --max-per-behavior" : "");
}

/* Draws up to `wanted` chats; returns how many there were. */
static int64_t chats_draw(struct builder *builder, struct chat_stream *stream,
                          enum mix_role role, int split, int64_t wanted,
                          struct drawn_rows *drawn)
{
    int64_t made = 0;
    size_t source = 0;
    int64_t number = 0;
    const struct conversation *conversation;
    while (made < wanted &&
           (conversation = chat_stream_next(stream, &source, &number)) != NULL) {
        drawn_add(drawn,
                  builder_make_chat(builder, conversation, source, number, role, split));
        made++;
    }
    return made;
}

/* `count` is --count: in proportion, as many examples could be had as the error says. */
static enum status chats_lacking(const struct chat_stream *stream, enum mix_role role,
                                 int split, int64_t wanted, int64_t made, int64_t count,
                                 struct error *error)
{
    if (stream->error.status)
        return error_set(error, stream->error.status, "%s", stream->error.message);
    return error_set(error, STATUS_LIMIT,
                     "split %s: %" PRId64 " %s examples are wanted, and the --%s "
                     "sources have only %" PRId64 " left that are distinct: give "
                     "more, or lower --count (to about %" PRId64 ")",
                     split_names[split], wanted, kind_names[role], role_names[role], made,
                     (int64_t)((double)count * (double)made / (double)wanted));
}

/* Each contrast stream gives its own share; the last takes what rounding left. */
static enum status contrast_draw(struct builder *builder, const struct split_plan *plan,
                                 struct drawn_rows *drawn, struct error *error)
{
    const struct mix_recipe *recipe = builder->recipe;
    for (size_t i = 0; i < recipe->contrast_ratio_count; i++) {
        const int64_t left = plan->contrast - drawn->count;
        const double share = recipe->contrast_ratios[i] * (double)plan->count + 0.5;
        const int64_t wanted = i + 1 < recipe->contrast_ratio_count && share < (double)left
                                   ? (int64_t)share
                                   : left;
        const int64_t made = chats_draw(builder, &builder->contrast[i], ROLE_CONTRAST,
                                        plan->split, wanted, drawn);
        if (made < wanted)
            return chats_lacking(&builder->contrast[i], ROLE_CONTRAST, plan->split, wanted,
                                 made, recipe->count, error);
    }
    return STATUS_OK;
}

/* Draws the rows of a split: chats first, so that they are the same for every ratio. */
static enum status split_draw(struct builder *builder, struct split_plan *plan,
                              struct split_rows *rows, struct error *error)
{
    const int64_t wanted = split_plan_chats_wanted(plan);
    if (contrast_draw(builder, plan, &rows->contrast, error))
        return error->status;
    const int64_t made = chats_draw(builder, &builder->benign, ROLE_BENIGN, plan->split,
                                    wanted, &rows->chats);
    if (made < wanted &&
        (builder->recipe->measure == MEASURE_EXAMPLES || builder->benign.error.status))
        return chats_lacking(&builder->benign, ROLE_BENIGN, plan->split, wanted, made,
                             builder->recipe->count, error);
    refusal_stream_open(&builder->refusal_stream, builder->recipe, &builder->pool,
                        &builder->seen, plan->split);
    enum status status = split_plan_make(plan, rows, refusals_make, builder, error);
    refusal_stream_close(&builder->refusal_stream);
    return status;
}

/* Tense shares that the user gave are kept, up to what rounding needs. */
static enum status tenses_check(const struct mix_recipe *recipe,
                                const struct split_plan *plan,
                                const struct drawn_rows *refusals, size_t cut,
                                struct error *error)
{
    const int64_t count = plan->refusals[cut];
    for (size_t i = 0; i < recipe->tense_count && recipe->tense_shares_given; i++) {
        const char *name = tense_name(recipe->tenses[i].tense);
        int64_t made = 0;
        for (int64_t j = 0; j < count; j++)
            made += strcmp(refusals->rows[j]->example.tense, name) == 0;
        const double wanted = recipe->tenses[i].share * (double)count;
        if ((double)made < wanted - 1)
            return error_set(error, STATUS_LIMIT,
                             "split %s: %" PRId64 " of %" PRId64 " refusals should be in "
                             "the tense '%s', and the requests give only %" PRId64
                             " distinct ones: give more --harmful requests, or change "
                             "--tenses",
                             split_names[plan->split], (int64_t)wanted, count, name, made);
    }
    return STATUS_OK;
}

/* Where each row of a split stands before the shuffle: see mix_build.h. */
static void slots_fill(const struct mix_row **slots, const struct split_plan *plan,
                       const struct split_rows *rows, size_t cut)
{
    const int64_t chats_end = plan->count - plan->contrast;
    for (int64_t i = 0; i < plan->refusals[cut]; i++)
        slots[i] = rows->refusals.rows[i];
    for (int64_t i = 0; i < plan->chats[cut]; i++)
        slots[chats_end - 1 - i] = rows->chats.rows[i];
    for (int64_t i = 0; i < plan->contrast; i++)
        slots[chats_end + i] = rows->contrast.rows[i];
}

static void cut_make(struct builder *builder, const struct split_plan *plans,
                     const struct split_rows *rows, size_t cut_index)
{
    size_t total = 0;
    for (int split = 0; split < SPLIT_TEST; split++)
        total += (size_t)plans[split].count;
    const struct mix_row **slots = memory_allocate_array(total + 1, sizeof *slots);
    int64_t *order = memory_allocate_array(total + 1, sizeof *order);
    struct mix_cut *cut = &builder->build->cuts[cut_index];
    cut->ratio = builder->recipe->ratios[cut_index];
    cut->rows = memory_allocate_array(total + 1, sizeof *cut->rows);
    slots_fill(slots, &plans[SPLIT_TRAIN], &rows[SPLIT_TRAIN], cut_index);
    slots_fill(slots + plans[SPLIT_TRAIN].count, &plans[SPLIT_VALIDATION],
               &rows[SPLIT_VALIDATION], cut_index);
    numbers_shuffled(order, total, builder->recipe->seed, "mix");
    for (size_t i = 0; i < total; i++)
        if (slots[order[i]])
            cut->rows[cut->count++] = slots[order[i]];
    free(slots);
    free(order);
}

static enum status cuts_make(struct builder *builder, struct error *error)
{
    const struct mix_recipe *recipe = builder->recipe;
    struct split_plan plans[SPLIT_TEST];
    struct split_rows rows[SPLIT_TEST] = {0};
    enum status status = STATUS_OK;
    for (int split = 0; split < SPLIT_TEST; split++) {
        split_plan_init(&plans[split], recipe, split);
        if (!status)
            status = split_draw(builder, &plans[split], &rows[split], error);
        for (size_t i = 0; i < recipe->ratio_count && !status; i++)
            status = tenses_check(recipe, &plans[split], &rows[split].refusals, i, error);
    }
    builder->build->cuts =
        memory_allocate_array(recipe->ratio_count, sizeof *builder->build->cuts);
    builder->build->cut_count = recipe->ratio_count;
    for (size_t i = 0; i < recipe->ratio_count && !status; i++)
        cut_make(builder, plans, rows, i);
    for (int split = 0; split < SPLIT_TEST; split++) {
        split_plan_release(&plans[split]);
        split_rows_release(&rows[split]);
    }
    return status;
}

static size_t first_source_of(const struct mix_build *build, enum mix_role role)
{
    size_t first = 0;
    while (first < build->source_count && build->sources[first].role != role)
        first++;
    return first;
}

static void stream_open(struct builder *builder, struct chat_stream *stream,
                        enum mix_role role, size_t first, size_t count, const char *name)
{
    *stream =
        (struct chat_stream){.lists = builder->chats[role] + first,
                             .list_count = count,
                             .first_source = first_source_of(builder->build, role) + first,
                             .sources = builder->build->sources,
                             .seen = &builder->seen,
                             .near = builder->near_chats};
    chat_stream_open(stream, name, builder->recipe->seed, builder->recipe->balance[role]);
}

static void streams_open(struct builder *builder)
{
    const struct mix_recipe *recipe = builder->recipe;
    const size_t contrast = recipe->sources[ROLE_CONTRAST]->count;
    const size_t count = recipe->contrast_ratio_count;
    builder->contrast = memory_allocate_array(count + 1, sizeof *builder->contrast);
    if (count == 1)
        stream_open(builder, &builder->contrast[0], ROLE_CONTRAST, 0, contrast, "contrast");
    for (size_t i = 0; i < count && count > 1; i++)
        stream_open(builder, &builder->contrast[i], ROLE_CONTRAST, i, 1,
                    builder->chats[ROLE_CONTRAST][i].name);
    stream_open(builder, &builder->benign, ROLE_BENIGN, 0,
                recipe->sources[ROLE_BENIGN]->count, "benign");
}

static enum status builder_run(struct builder *builder, struct error *error)
{
    const struct mix_recipe *recipe = builder->recipe;
    if (recipe->near_duplicates > 0) {
        builder->near_requests = near_duplicates_create(recipe->near_duplicates);
        builder->near_chats = near_duplicates_create(recipe->near_duplicates);
    }
    if (refusals_open(&builder->refusals, recipe->refusals, error) ||
        system_prompts_open(&builder->system, recipe->system, recipe->system_share,
                            error) ||
        builder_read_harmful(builder, error) ||
        builder_read_chats(builder, ROLE_BENIGN, error) ||
        builder_read_chats(builder, ROLE_CONTRAST, error))
        return error->status;
    builder_deal_behaviors(builder);
    streams_open(builder);
    return cuts_make(builder, error);
}

static void builder_release(struct builder *builder)
{
    const struct mix_recipe *recipe = builder->recipe;
    for (size_t i = 0; builder->harmful && i < recipe->sources[ROLE_HARMFUL]->count; i++)
        request_list_release(&builder->harmful[i]);
    free(builder->harmful);
    for (int role = 0; role < ROLE_COUNT; role++) {
        for (size_t i = 0; builder->chats[role] && i < recipe->sources[role]->count; i++)
            conversation_list_release(&builder->chats[role][i]);
        free(builder->chats[role]);
    }
    for (size_t i = 0; builder->contrast && i < recipe->contrast_ratio_count; i++)
        chat_stream_close(&builder->contrast[i]);
    free(builder->contrast);
    chat_stream_close(&builder->benign);
    near_duplicates_free(builder->near_requests);
    near_duplicates_free(builder->near_chats);
    harmful_pool_release(&builder->pool);
    system_prompts_release(&builder->system);
    refusals_release(&builder->refusals);
    text_set_release(&builder->seen);
    text_set_release(&builder->ids);
}

enum status mix_build(struct mix_build *build, const struct mix_recipe *recipe,
                      struct error *error)
{
    *build = (struct mix_build){0};
    struct builder builder = {.recipe = recipe, .build = build};
    enum status status = builder_run(&builder, error);
    builder_release(&builder);
    if (status)
        mix_build_release(build);
    return status;
}

enum status mix_build_hash(struct mix_build *build, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < build->source_count && !status; i++) {
        struct mix_source *source = &build->sources[i];
        if (source->hash)
            status = source_hash_wait(source->hash, source->sha256, error);
    }
    return status;
}

void mix_build_release(struct mix_build *build)
{
    for (size_t i = 0; i < build->row_count; i++) {
        mix_example_release(&build->rows[i]->example);
        free(build->rows[i]);
    }
    free(build->rows);
    for (size_t i = 0; i < build->cut_count; i++)
        free(build->cuts[i].rows);
    free(build->cuts);
    for (size_t i = 0; i < build->source_count; i++) {
        source_hash_free(build->sources[i].hash);
        free(build->sources[i].name);
        free(build->sources[i].path);
    }
    free(build->sources);
    for (size_t i = 0; i < build->held_out_count; i++) {
        free(build->held_out[i].text);
        free(build->held_out[i].behavior);
        free(build->held_out[i].category);
    }
    free(build->held_out);
    *build = (struct mix_build){0};
}
