#include "train/dataset.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

static void dataset_add(struct dataset *dataset, const int32_t *ids,
                        const unsigned char *mask, int64_t count, int64_t mix_index)
{
    const int64_t start = dataset->token_count;
    if ((size_t)dataset->count + 2 > dataset->capacity) {
        const size_t capacity = 2 * (size_t)dataset->count + 1024;
        dataset->starts =
            memory_resize_array(dataset->starts, capacity, sizeof *dataset->starts);
        dataset->target_counts = memory_resize_array(dataset->target_counts, capacity,
                                                     sizeof *dataset->target_counts);
        dataset->mix_indices = memory_resize_array(dataset->mix_indices, capacity,
                                                   sizeof *dataset->mix_indices);
        dataset->capacity = capacity;
    }
    if ((size_t)(start + count) > dataset->token_capacity) {
        dataset->token_capacity = 2 * (size_t)(start + count) + 4096;
        dataset->tokens = memory_resize_array(dataset->tokens, dataset->token_capacity,
                                              sizeof *dataset->tokens);
        dataset->targets = memory_resize_array(dataset->targets, dataset->token_capacity,
                                               sizeof *dataset->targets);
    }
    int64_t targets = 0;
    for (int64_t i = 0; i < count; i++) {
        const bool has_target = i + 1 < count && mask[i + 1];
        dataset->tokens[start + i] = ids[i];
        dataset->targets[start + i] = has_target ? ids[i + 1] : -1;
        targets += has_target;
    }
    dataset->starts[dataset->count] = start;
    dataset->starts[dataset->count + 1] = start + count;
    dataset->target_counts[dataset->count] = targets;
    dataset->mix_indices[dataset->count] = mix_index;
    dataset->count++;
    dataset->token_count += count;
    dataset->target_count += targets;
}

static bool has_target(const unsigned char *mask, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (mask[i])
            return true;
    return false;
}

/* Names the first example that is too long; overlong_refuse() says how many there are. */
static void overlong_name(const struct mix *mix, int64_t mix_index, int64_t count,
                          const struct dataset_rules *rules, struct error *error)
{
    error_set(error, STATUS_LIMIT, "example %lld (%s) has %lld tokens, more than %s %lld",
              (long long)mix_index, mix->examples[mix_index].id, (long long)count,
              rules->limit_is_models ? "the model's" : "--max-length",
              (long long)rules->max_length);
}

static enum status overlong_refuse(const struct dataset *dataset, const struct mix *mix,
                                   const struct dataset_rules *rules, struct error *error)
{
    char first[ERROR_MESSAGE_BYTES];
    if (rules->overlong != OVERLONG_ERROR || !dataset->dropped_count)
        return STATUS_OK;
    memcpy(first, error ? error->message : "", error ? sizeof first : 1);
    return error_set(error, STATUS_LIMIT,
                     "%s: %s; so have %lld of %zu in all: %s--overlong drop or truncate",
                     mix->path, first, (long long)dataset->dropped_count, mix->count,
                     rules->limit_is_models ? "choose " : "raise --max-length, or choose ");
}

/* Adds one encoded example, or drops, cuts or refuses it by the rules. */
static enum status example_admit(struct dataset *dataset, const struct mix *mix,
                                 int64_t mix_index, const struct token_list *ids,
                                 const struct mask_list *mask,
                                 const struct dataset_rules *rules, struct error *error)
{
    int64_t count = (int64_t)ids->count;
    const char *id = mix->examples[mix_index].id;

    if (count > rules->max_length && rules->overlong != OVERLONG_TRUNCATE) {
        if (rules->overlong == OVERLONG_ERROR && !dataset->dropped_count)
            overlong_name(mix, mix_index, count, rules, error);
        dataset->dropped_count++;
        return STATUS_OK;
    }
    if (count > rules->max_length) {
        dataset->truncated_count++;
        count = rules->max_length;
    }
    if (!has_target(mask->values, count))
        return error_set(error, STATUS_FORMAT,
                         "%s: example %lld (%s) has no token that carries loss%s",
                         mix->path, (long long)mix_index, id,
                         count < (int64_t)ids->count
                             ? " once it is truncated, and would train nothing: choose "
                               "--overlong drop, or take it out"
                             : ", and would train nothing: it has no words of an "
                               "assistant; take it out");
    dataset_add(dataset, ids->ids, mask->values, count, mix_index);
    return STATUS_OK;
}

/* A conversation that the template takes for wrong usage is a fault of the file here. */
static enum status example_refuse(const struct mix *mix, size_t index, struct error *error)
{
    error_prefix(error, "%s: example %zu (%s)", mix->path, index, mix->examples[index].id);
    return error->status = error->status == STATUS_USAGE ? STATUS_FORMAT : error->status;
}

enum status dataset_build(struct dataset *dataset, const struct mix *mix,
                          const struct tokenizer *tokenizer,
                          const struct chat_template *chat_template,
                          const struct dataset_rules *rules, struct error *error)
{
    *dataset = (struct dataset){0};
    struct token_list ids = {0};
    struct mask_list mask = {0};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < mix->count && !status; i++) {
        const struct mix_example *example = &mix->examples[i];
        if (rules->split && strcmp(example->split, rules->split) != 0)
            continue;
        ids.count = 0;
        mask.count = 0;
        status = chat_template_encode(chat_template, tokenizer, example->messages,
                                      example->message_count, false, &ids, &mask, error);
        if (status)
            status = example_refuse(mix, i, error);
        else
            status = example_admit(dataset, mix, (int64_t)i, &ids, &mask, rules, error);
    }
    if (!status)
        status = overlong_refuse(dataset, mix, rules, error);
    token_list_release(&ids);
    mask_list_release(&mask);
    if (status)
        dataset_release(dataset);
    return status;
}

void dataset_release(struct dataset *dataset)
{
    free(dataset->tokens);
    free(dataset->targets);
    free(dataset->starts);
    free(dataset->target_counts);
    free(dataset->mix_indices);
    *dataset = (struct dataset){0};
}

int64_t dataset_example_tokens(const struct dataset *dataset, int64_t index)
{
    CHECK(index >= 0 && index < dataset->count);
    return dataset->starts[index + 1] - dataset->starts[index];
}

void batch_order_init(struct batch_order *batches, uint64_t seed, int64_t example_count,
                      int64_t examples_per_step)
{
    CHECK(example_count > 0 && examples_per_step > 0);
    *batches = (struct batch_order){
        .seed = seed,
        .example_count = example_count,
        .examples_per_step = examples_per_step,
        .steps_per_epoch = (example_count + examples_per_step - 1) / examples_per_step,
        .cached_epoch = -1,
        .order = memory_allocate_array((size_t)example_count, sizeof(int64_t)),
    };
}

void batch_order_release(struct batch_order *batches)
{
    free(batches->order);
    *batches = (struct batch_order){0};
}

const int64_t *batch_order_step(struct batch_order *batches, int64_t step, int64_t *count)
{
    const int64_t epoch = step / batches->steps_per_epoch;
    const int64_t first = (step % batches->steps_per_epoch) * batches->examples_per_step;
    if (epoch != batches->cached_epoch) {
        for (int64_t i = 0; i < batches->example_count; i++)
            batches->order[i] = i;
        struct random random = random_stream(
            batches->seed, random_stream_of("train.epoch", (uint64_t)epoch, 0));
        random_shuffle(&random, batches->order, (size_t)batches->example_count);
        batches->cached_epoch = epoch;
    }
    const int64_t left = batches->example_count - first;
    *count = left < batches->examples_per_step ? left : batches->examples_per_step;
    return batches->order + first;
}

static void pack_one(const struct dataset *dataset, int64_t example,
                     struct packed_batch *batch)
{
    const int64_t count = dataset_example_tokens(dataset, example);
    const int64_t from = dataset->starts[example];
    const int64_t to = batch->token_count;
    memcpy(batch->tokens + to, dataset->tokens + from, (size_t)count * sizeof(int32_t));
    memcpy(batch->targets + to, dataset->targets + from, (size_t)count * sizeof(int32_t));
    for (int64_t i = 0; i < count; i++)
        batch->positions[to + i] = (int32_t)i;
    batch->token_count += count;
    batch->target_count += dataset->target_counts[example];
    batch->document_names[batch->document_count] = (int32_t)example;
    batch->document_starts[++batch->document_count] = (int32_t)batch->token_count;
}

int64_t dataset_pack(const struct dataset *dataset, const int64_t *examples, int64_t count,
                     int64_t token_limit, int64_t document_limit,
                     struct packed_batch *batch)
{
    batch->token_count = 0;
    batch->target_count = 0;
    batch->document_count = 0;
    batch->document_starts[0] = 0;
    int64_t taken = 0;
    while (taken < count && taken < document_limit &&
           batch->token_count + dataset_example_tokens(dataset, examples[taken]) <=
               token_limit)
        pack_one(dataset, examples[taken++], batch);
    CHECK(taken > 0 || count == 0); /* the caller's limit holds the longest example */
    return taken;
}

void packed_batch_init(struct packed_batch *batch, int64_t token_limit,
                       int64_t document_limit)
{
    *batch = (struct packed_batch){
        .tokens = memory_allocate_array((size_t)token_limit, sizeof(int32_t)),
        .positions = memory_allocate_array((size_t)token_limit, sizeof(int32_t)),
        .targets = memory_allocate_array((size_t)token_limit, sizeof(int32_t)),
        .document_starts =
            memory_allocate_array((size_t)document_limit + 1, sizeof(int32_t)),
        .document_names = memory_allocate_array((size_t)document_limit, sizeof(int32_t)),
    };
}

void packed_batch_release(struct packed_batch *batch)
{
    free(batch->tokens);
    free(batch->positions);
    free(batch->targets);
    free(batch->document_starts);
    free(batch->document_names);
    *batch = (struct packed_batch){0};
}
