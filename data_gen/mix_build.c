#include "data_gen/mix_build.h"

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/refusals.h"
#include "data_gen/source.h"
#include "data_gen/text_set.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const split_names[SPLIT_COUNT] = {"train", "validation", "test"};

/* The requests of all harmful sources in one list, each with the number of its source. */
struct harmful_pool {
    struct request *requests; /* shallow copies: the lists own the strings */
    size_t *source;
    size_t count;
    int *split; /* where its behaviour was dealt to */
};

struct builder {
    const struct mix_recipe *recipe;
    struct mix_build *build;
    struct refusals refusals;
    struct request_list *harmful;
    struct conversation_list *benign;
    struct conversation_list *contrast;
    struct harmful_pool pool;
    struct text_set seen;
};

static struct mix_source *source_add(struct mix_build *build, const char *role,
                                     const char *name, const char *path, const char *sha256,
                                     size_t rows)
{
    array_reserve(build->sources, build->source_capacity, build->source_count + 1);
    struct mix_source *source = &build->sources[build->source_count++];
    *source = (struct mix_source){.role = role,
                                  .name = memory_duplicate_string(name),
                                  .path = memory_duplicate_string(path),
                                  .rows = (int64_t)rows};
    memcpy(source->sha256, sha256, sizeof source->sha256);
    return source;
}

static enum status harmful_read(struct builder *builder, struct error *error)
{
    const struct string_list *specs = builder->recipe->harmful;
    struct harmful_pool *pool = &builder->pool;
    builder->harmful = memory_allocate_array(specs->count + 1, sizeof *builder->harmful);
    for (size_t i = 0; i < specs->count; i++) {
        struct request_list *list = &builder->harmful[i];
        if (request_list_read(list, specs->items[i], error))
            return error->status;
        struct mix_source *source = source_add(builder->build, "harmful", list->name,
                                               list->path, list->sha256, list->count);
        pool->requests = memory_resize_array(pool->requests, pool->count + list->count,
                                             sizeof *pool->requests);
        pool->source = memory_resize_array(pool->source, pool->count + list->count,
                                           sizeof *pool->source);
        for (size_t j = 0; j < list->count; j++) {
            if (!text_set_add(&builder->seen, list->items[j].text)) {
                source->duplicates++;
                continue;
            }
            pool->source[pool->count] = builder->build->source_count - 1;
            pool->requests[pool->count++] = list->items[j];
        }
    }
    return STATUS_OK;
}

static enum status chats_read(struct builder *builder, struct conversation_list **lists,
                              const struct string_list *specs, const char *role,
                              struct error *error)
{
    *lists = memory_allocate_array(specs->count + 1, sizeof **lists);
    for (size_t i = 0; i < specs->count; i++) {
        struct conversation_list *list = &(*lists)[i];
        if (conversation_list_read(list, specs->items[i], error))
            return error->status;
        struct mix_source *source = source_add(builder->build, role, list->name, list->path,
                                               list->sha256, list->count);
        source->skipped = list->skipped_count;
    }
    return STATUS_OK;
}

static void numbers_shuffled(int64_t *order, size_t count, uint64_t seed, const char *what)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (int64_t)i;
    struct random random = random_stream(seed, random_stream_of(what, 0, 0));
    random_shuffle(&random, order, count);
}

static int split_of_position(const struct mix_recipe *recipe, size_t position, size_t count)
{
    double end = 0;
    for (int split = 0; split < SPLIT_COUNT; split++) {
        end += recipe->split_shares[split];
        if ((double)position + 0.5 < end * (double)count)
            return split;
    }
    return 0;
}

/* The first request of the same behaviour stands for all of them. */
static size_t behavior_leader(const struct harmful_pool *pool, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(pool->requests[i].behavior, pool->requests[index].behavior) == 0)
            return i;
    return index;
}

static void behaviors_deal(struct builder *builder)
{
    struct harmful_pool *pool = &builder->pool;
    int64_t *order = memory_allocate_array(pool->count + 1, sizeof *order);
    size_t *leaders = memory_allocate_array(pool->count + 1, sizeof *leaders);
    size_t leader_count = 0;
    pool->split = memory_allocate_array(pool->count + 1, sizeof *pool->split);
    for (size_t i = 0; i < pool->count; i++)
        if (behavior_leader(pool, i) == i)
            leaders[leader_count++] = i;
    numbers_shuffled(order, leader_count, builder->recipe->split_seed, "split");
    for (size_t i = 0; i < leader_count; i++)
        pool->split[leaders[order[i]]] =
            split_of_position(builder->recipe, i, leader_count);
    for (size_t i = 0; i < pool->count; i++)
        pool->split[i] = pool->split[behavior_leader(pool, i)];
    free(leaders);
    free(order);
}

static void held_out_list(struct builder *builder)
{
    struct mix_build *build = builder->build;
    for (size_t i = 0; i < builder->pool.count; i++) {
        const struct request *request = &builder->pool.requests[i];
        if (builder->pool.split[i] != SPLIT_TEST)
            continue;
        array_reserve(build->held_out, build->held_out_capacity, build->held_out_count + 1);
        build->held_out[build->held_out_count++] =
            (struct held_out){.text = memory_duplicate_string(request->text),
                              .behavior = memory_duplicate_string(request->behavior),
                              .category = memory_duplicate_string(request->category),
                              .index = request->index};
    }
}

static struct mix_example *example_add(struct builder *builder, char *id, const char *kind,
                                       const char *tense, int split,
                                       struct mix_source *source)
{
    struct mix *mix = &builder->build->mix;
    array_reserve(mix->examples, mix->capacity, mix->count + 1);
    struct mix_example *example = &mix->examples[mix->count++];
    *example = (struct mix_example){.id = id,
                                    .kind = memory_duplicate_string(kind),
                                    .tense = memory_duplicate_string(tense),
                                    .source = memory_duplicate_string(source->name),
                                    .split = memory_duplicate_string(split_names[split])};
    source->used++;
    return example;
}

static void messages_set(struct mix_example *example, const char *user,
                         const char *assistant)
{
    example->messages = memory_allocate_array(2, sizeof *example->messages);
    example->message_count = 2;
    example->messages[0] = (struct message){.role = memory_duplicate_string("user"),
                                            .content = memory_duplicate_string(user)};
    example->messages[1] = (struct message){.role = memory_duplicate_string("assistant"),
                                            .content = memory_duplicate_string(assistant)};
}

static void refusal_add(struct builder *builder, size_t request_index, enum tense tense,
                        int64_t variant, int split, const char *text)
{
    const struct request *request = &builder->pool.requests[request_index];
    struct text_buffer id = {0};
    text_buffer_appendf(&id, "refusal-%s-%04zu-%" PRId64, tense_name(tense), request_index,
                        variant);
    const uint64_t number = builder->build->mix.count;
    struct mix_example *example =
        example_add(builder, text_buffer_detach(&id), "refusal", tense_name(tense), split,
                    &builder->build->sources[builder->pool.source[request_index]]);
    messages_set(example, text,
                 refusals_pick(&builder->refusals, builder->recipe->seed, number));
    example->behavior = memory_duplicate_string(request->behavior);
    example->category = memory_duplicate_string(request->category);
    example->request = memory_duplicate_string(request->text);
}

/* Reformulations come in rounds: every request of the split once, then again in new words.
 */
enum { ROUND_LIMIT = 400 };

static int64_t refusal_round(struct builder *builder, const int64_t *order, size_t count,
                             int64_t round, int split, int64_t wanted)
{
    const struct mix_recipe *recipe = builder->recipe;
    int64_t made = 0;
    for (size_t i = 0; i < count && made < wanted; i++) {
        const size_t tense_index = (i + (size_t)round) % recipe->tense_count;
        const enum tense tense = recipe->tenses[tense_index];
        const int64_t variant = round / (int64_t)recipe->tense_count;
        struct text_buffer text = {0};
        tense_reformulate(builder->pool.requests[order[i]].text, tense, recipe->seed,
                          variant, &text);
        /* The plain requests themselves were entered when they were read. */
        const bool plain = tense == TENSE_NONE && variant == 0;
        if (plain || text_set_add(&builder->seen, text_buffer_string(&text))) {
            refusal_add(builder, (size_t)order[i], tense, variant, split,
                        text_buffer_string(&text));
            made++;
        }
        text_buffer_release(&text);
    }
    return made;
}

static enum status refusals_make(struct builder *builder, int split, int64_t wanted,
                                 struct error *error)
{
    int64_t *order = memory_allocate_array(builder->pool.count + 1, sizeof *order);
    size_t count = 0;
    int64_t made = 0;
    for (size_t i = 0; i < builder->pool.count; i++)
        if (builder->pool.split[i] == split)
            order[count++] = (int64_t)i;
    struct random random = random_stream(builder->recipe->seed,
                                         random_stream_of("refusals", (uint64_t)split, 0));
    random_shuffle(&random, order, count);
    for (int64_t round = 0; round < ROUND_LIMIT && made < wanted && count; round++)
        made += refusal_round(builder, order, count, round, split, wanted - made);
    free(order);
    if (made == wanted)
        return STATUS_OK;
    return error_set(error, STATUS_LIMIT,
                     "split %s: %" PRId64 " refusals are wanted, and %zu harmful requests "
                     "give only %" PRId64 " distinct ones: give more --harmful requests or "
                     "--tenses, or lower --ratio or --count",
                     split_names[split], wanted, count, made);
}

/* Every chat of a role in one shuffled row: chat number -> (list, item). */
struct chat_row {
    const struct conversation_list *lists;
    size_t list_count;
    size_t first_source; /* of the role, in build->sources */
    int64_t *order;
    size_t count;
    size_t next;
};

static void chat_row_init(struct chat_row *row, const struct builder *builder,
                          const struct conversation_list *lists, size_t list_count,
                          const char *role)
{
    *row = (struct chat_row){.lists = lists, .list_count = list_count};
    for (size_t i = 0; i < list_count; i++)
        row->count += lists[i].count;
    while (row->first_source < builder->build->source_count &&
           strcmp(builder->build->sources[row->first_source].role, role) != 0)
        row->first_source++;
    row->order = memory_allocate_array(row->count + 1, sizeof *row->order);
    numbers_shuffled(row->order, row->count, builder->recipe->seed, role);
}

static const struct conversation *chat_row_next(struct chat_row *row, size_t *source)
{
    if (row->next == row->count)
        return NULL;
    size_t item = (size_t)row->order[row->next++];
    size_t list = 0;
    while (item >= row->lists[list].count)
        item -= row->lists[list++].count;
    *source = row->first_source + list;
    return &row->lists[list].items[item];
}

static size_t last_user_message(const struct conversation *conversation)
{
    size_t last = conversation->message_count;
    for (size_t i = 0; i < conversation->message_count; i++)
        if (strcmp(conversation->messages[i].role, "user") == 0)
            last = i;
    return last;
}

/* What the user says last, perhaps turned from a question into an imperative. */
static void user_text_make(const struct builder *builder, const char *text, uint64_t number,
                           bool may_turn, struct text_buffer *out)
{
    const struct mix_recipe *recipe = builder->recipe;
    struct random random =
        random_stream(recipe->seed, random_stream_of("imperative", number, 0));
    const bool turn = may_turn && random_double(&random) < recipe->imperatives;
    if (!turn || !tense_imperative(text, recipe->seed, (int64_t)number, out))
        text_buffer_append(out, text);
}

static void conversation_copy(struct mix_example *example,
                              const struct conversation *conversation, size_t user,
                              const char *user_text)
{
    example->message_count = conversation->message_count;
    example->messages =
        memory_allocate_array(conversation->message_count, sizeof *example->messages);
    for (size_t i = 0; i < conversation->message_count; i++) {
        const struct message *message = &conversation->messages[i];
        example->messages[i] = (struct message){
            .role = memory_duplicate_string(message->role),
            .content = memory_duplicate_string(i == user ? user_text : message->content)};
    }
}

/* Takes the next chat; false if it was a duplicate. */
static bool chat_add(struct builder *builder, const struct conversation *conversation,
                     size_t source_index, const char *kind, int split)
{
    struct mix_source *source = &builder->build->sources[source_index];
    const size_t user = last_user_message(conversation);
    const bool is_contrast = strcmp(kind, "contrast") == 0;
    struct text_buffer text = {0};
    if (user == conversation->message_count ||
        !text_set_add(&builder->seen, conversation->messages[user].content)) {
        source->duplicates++;
        return false;
    }
    user_text_make(builder, conversation->messages[user].content, builder->build->mix.count,
                   !is_contrast, &text);
    struct text_buffer id = {0};
    text_buffer_appendf(&id, "%s-%s", kind, conversation->id);
    struct mix_example *example =
        example_add(builder, text_buffer_detach(&id), kind,
                    tense_name(tense_of(text_buffer_string(&text))), split, source);
    conversation_copy(example, conversation, user, text_buffer_string(&text));
    example->behavior = memory_duplicate_string("");
    example->category = memory_duplicate_string(conversation->topic);
    example->request = memory_duplicate_string("");
    text_buffer_release(&text);
    return true;
}

static enum status chats_make(struct builder *builder, struct chat_row *row,
                              const char *kind, int split, int64_t wanted,
                              struct error *error)
{
    for (int64_t made = 0; made < wanted;) {
        size_t source = 0;
        const struct conversation *conversation = chat_row_next(row, &source);
        if (!conversation)
            return error_set(error, STATUS_LIMIT,
                             "split %s: %" PRId64 " %s examples are wanted, and the --%s "
                             "sources have only %" PRId64 " left that are distinct: give "
                             "more, or lower --count",
                             split_names[split], wanted, kind, kind, made);
        made += chat_add(builder, conversation, source, kind, split);
    }
    return STATUS_OK;
}

static int64_t share_of(double share, int64_t count)
{
    return (int64_t)llround(share * (double)count);
}

static enum status split_make(struct builder *builder, struct chat_row *benign,
                              struct chat_row *contrast, int split, struct error *error)
{
    const struct mix_recipe *recipe = builder->recipe;
    const double in_mix = 1 - recipe->split_shares[SPLIT_TEST];
    const int64_t count = share_of(recipe->split_shares[split] / in_mix, recipe->count);
    const int64_t refusal_count = share_of(recipe->ratio, count);
    const int64_t contrast_count = share_of(recipe->contrast_ratio, count);
    const int64_t benign_count = count - refusal_count - contrast_count;
    if (refusals_make(builder, split, refusal_count, error) ||
        chats_make(builder, contrast, "contrast", split, contrast_count, error))
        return error->status;
    return chats_make(builder, benign, "benign", split, benign_count, error);
}

static void mix_shuffle(struct mix *mix, uint64_t seed)
{
    int64_t *order = memory_allocate_array(mix->count + 1, sizeof *order);
    struct mix_example *shuffled = memory_allocate_array(mix->count + 1, sizeof *shuffled);
    numbers_shuffled(order, mix->count, seed, "mix");
    for (size_t i = 0; i < mix->count; i++)
        shuffled[i] = mix->examples[order[i]];
    free(mix->examples);
    free(order);
    mix->examples = shuffled;
    mix->capacity = mix->count + 1;
}

static enum status builder_run(struct builder *builder, struct error *error)
{
    const struct mix_recipe *recipe = builder->recipe;
    struct chat_row benign = {0};
    struct chat_row contrast = {0};
    enum status status = refusals_open(&builder->refusals, recipe->refusals, error);
    if (!status)
        status = harmful_read(builder, error);
    if (!status)
        status = chats_read(builder, &builder->benign, recipe->benign, "benign", error);
    if (!status)
        status =
            chats_read(builder, &builder->contrast, recipe->contrast, "contrast", error);
    if (!status) {
        behaviors_deal(builder);
        held_out_list(builder);
        chat_row_init(&benign, builder, builder->benign, recipe->benign->count, "benign");
        chat_row_init(&contrast, builder, builder->contrast, recipe->contrast->count,
                      "contrast");
    }
    for (int split = 0; split < SPLIT_TEST && !status; split++)
        status = split_make(builder, &benign, &contrast, split, error);
    if (!status)
        mix_shuffle(&builder->build->mix, recipe->seed);
    free(benign.order);
    free(contrast.order);
    return status;
}

static void chats_release(struct conversation_list *lists, size_t count)
{
    for (size_t i = 0; lists && i < count; i++)
        conversation_list_release(&lists[i]);
    free(lists);
}

static void builder_release(struct builder *builder)
{
    for (size_t i = 0; builder->harmful && i < builder->recipe->harmful->count; i++)
        request_list_release(&builder->harmful[i]);
    free(builder->harmful);
    chats_release(builder->benign, builder->recipe->benign->count);
    chats_release(builder->contrast, builder->recipe->contrast->count);
    free(builder->pool.requests);
    free(builder->pool.source);
    free(builder->pool.split);
    refusals_release(&builder->refusals);
    text_set_release(&builder->seen);
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

void mix_build_release(struct mix_build *build)
{
    mix_release(&build->mix);
    for (size_t i = 0; i < build->source_count; i++) {
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
