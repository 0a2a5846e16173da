#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int64_t targets_of(const struct dataset *dataset, const int64_t *examples,
                          int64_t count)
{
    int64_t targets = 0;
    for (int64_t i = 0; i < count; i++)
        targets += dataset->target_counts[examples[i]];
    return targets;
}

/* A function of seed and step alone, so that a resumed run draws the same masks. */
static uint64_t dropout_key(uint64_t seed, int64_t step)
{
    struct random random =
        random_stream(seed, random_stream_of("lora.dropout", (uint64_t)step, 0));
    return random_u64(&random) | 1; /* 0 means none */
}

/* Gradients of this rank's examples: batches of batch_size examples, each in as many packs
 * as fit. */
static int64_t gradients_make(struct trainer *trainer, int64_t step,
                              const int64_t *examples, int64_t count, float scale,
                              struct metrics_line *line)
{
    const struct train_options *options = trainer->options;
    int64_t packs = 0;
    trainer->batch.dropout_key = dropout_key((uint64_t)options->seed, step);
    transformer_zero_gradients(trainer->model);
    for (int64_t done = 0; done < count;) {
        const int64_t in_batch = options->batch_size - done % options->batch_size;
        const int64_t left = count - done;
        done += dataset_pack(&trainer->examples, examples + done,
                             in_batch < left ? in_batch : left, trainer->token_limit,
                             options->batch_size, &trainer->batch);
        transformer_forward_backward(trainer->model, &trainer->batch,
                                     (float)options->label_smoothing, scale,
                                     &trainer->sums[packs++]);
        line->tokens += trainer->batch.token_count;
    }
    return packs;
}

/* Losses and tokens of all packs of all ranks; valid once the device has been waited for.
 */
static enum status line_sum(struct trainer *trainer, int64_t packs,
                            struct metrics_line *line, struct error *error)
{
    double sums[3] = {0, 0, (double)line->tokens};
    for (int64_t i = 0; i < packs; i++) {
        sums[0] += trainer->sums[i].loss / (double)line->target_tokens;
        sums[1] += trainer->sums[i].nll / (double)line->target_tokens;
    }
    const enum status status = ranks_sum(&trainer->ranks, sums, 3, error);
    line->loss = sums[0];
    line->nll = sums[1];
    line->tokens = (int64_t)sums[2];
    return status;
}

enum status trainer_update(struct trainer *trainer, int64_t step, struct metrics_line *line,
                           struct error *error)
{
    int64_t count;
    const double start = clock_seconds();
    const int64_t *examples = batch_order_step(&trainer->batches, step, &count);
    const int64_t targets = targets_of(&trainer->examples, examples, count);
    const struct adamw_options adamw_options = train_adamw_options(trainer->options);
    struct tensor weights = transformer_weights(trainer->model);
    struct tensor remainders = transformer_remainders(trainer->model);
    const struct tensor gradients = transformer_gradients(trainer->model);

    *line = (struct metrics_line){
        .step = step + 1,
        .epoch = (double)(step + 1) / (double)trainer->batches.steps_per_epoch,
        .lr = schedule_lr(&trainer->schedule, step),
        .target_tokens = targets,
        .validation_nll = (double)NAN,
    };
    examples = ranks_share(&trainer->ranks, &trainer->examples, examples, &count);
    const int64_t packs =
        gradients_make(trainer, step, examples, count, 1.0F / (float)targets, line);
    if (adamw_step(&trainer->adamw, &weights, &remainders, &gradients, line->lr,
                   &adamw_options, &line->gradient_norm, error))
        return error_prefix(error, "step %" PRId64, step + 1);
    if (line_sum(trainer, packs, line, error))
        return error->status;
    line->seconds = clock_seconds() - start;
    return STATUS_OK;
}

enum status trainer_validate(struct trainer *trainer, struct metrics_line *line,
                             struct error *error)
{
    const struct dataset *dataset = &trainer->validation;
    int64_t count = dataset->count;
    double totals[2] = {0}; /* losses, targets */
    int64_t *order = memory_allocate_array((size_t)count, sizeof *order);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    const int64_t *examples = ranks_share(&trainer->ranks, dataset, order, &count);
    enum status status = STATUS_OK;
    for (int64_t done = 0; done < count && !status;) {
        struct cross_entropy_sums sums = {0};
        done += dataset_pack(dataset, examples + done, count - done, trainer->token_limit,
                             trainer->options->batch_size, &trainer->batch);
        transformer_loss(trainer->model, &trainer->batch, &sums);
        status = backend_sync(trainer->backend, error);
        totals[0] += sums.nll;
        totals[1] += (double)sums.target_count;
    }
    free(order);
    if (!status)
        status = ranks_sum(&trainer->ranks, totals, 2, error);
    line->validation_nll = totals[0] / totals[1];
    line->validation_tokens = (int64_t)totals[1];
    return status;
}
