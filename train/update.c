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

/* Examples of a dataset in packs, each as large as fits. */
struct packs {
    const struct dataset *dataset;
    const int64_t *examples;
    int64_t count;
    bool in_batches; /* none across the end of a batch of batch_size examples */
};

/* Packs the next ones, from *done on. */
static void next_pack(struct trainer *trainer, const struct packs *packs, int64_t *done)
{
    const int64_t batch_size = trainer->options->batch_size;
    const int64_t in_batch = batch_size - *done % batch_size, left = packs->count - *done;
    *done += dataset_pack(packs->dataset, packs->examples + *done,
                          packs->in_batches && in_batch < left ? in_batch : left,
                          trainer->token_limit, batch_size, &trainer->batch);
}

/*
 * How many passes this rank has to make without examples, behind its own: where weights are
 * shared out, a pass is one of all ranks. Found out before the first.
 */
static enum status idle_count(struct trainer *trainer, const struct packs *packs,
                              int64_t *idle, struct error *error)
{
    int64_t passes = 0, most;
    *idle = 0;
    if (!transformer_is_sharded(trainer->model))
        return STATUS_OK;
    for (int64_t done = 0; done < packs->count; passes++)
        next_pack(trainer, packs, &done);
    most = passes;
    const enum status status = ranks_most(&trainer->ranks, &most, error);
    *idle = most - passes;
    return status;
}

/* Gradients of this rank's examples: batches of batch_size examples, each in as many packs
 * as fit. */
static enum status gradients_make(struct trainer *trainer, int64_t step,
                                  const struct packs *packs, float scale,
                                  int64_t *pack_count, struct metrics_line *line,
                                  struct error *error)
{
    const struct train_options *options = trainer->options;
    int64_t idle;
    if (idle_count(trainer, packs, &idle, error))
        return error->status;
    trainer->batch.dropout_key = dropout_key((uint64_t)options->seed, step);
    transformer_zero_gradients(trainer->model);
    *pack_count = 0;
    for (int64_t done = 0; done < packs->count;) {
        next_pack(trainer, packs, &done);
        transformer_forward_backward(trainer->model, &trainer->batch,
                                     (float)options->label_smoothing, scale,
                                     &trainer->sums[(*pack_count)++]);
        line->tokens += trainer->batch.token_count;
    }
    for (; idle > 0; idle--)
        transformer_idle_pass(trainer->model, true);
    return STATUS_OK;
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

enum status trainer_report(struct trainer *trainer, struct error *error)
{
    const struct metrics_line line = trainer->pending;
    trainer->pending.step = 0;
    if (line.step == 0 || !ranks_is_first(&trainer->ranks))
        return STATUS_OK;
    return metrics_append(&trainer->metrics, &line, error);
}

enum status trainer_update(struct trainer *trainer, int64_t step, struct metrics_line *line,
                           struct error *error)
{
    int64_t count, pack_count;
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
    struct packs packs = {.dataset = &trainer->examples, .in_batches = true};
    packs.examples = ranks_share(&trainer->ranks, packs.dataset, examples, &count);
    packs.count = count;
    if (gradients_make(trainer, step, &packs, 1.0F / (float)targets, &pack_count, line,
                       error) ||
        trainer_report(trainer, error))
        return error->status;
    if (adamw_step(&trainer->adamw, &weights, &remainders, &gradients, line->lr,
                   &adamw_options, &line->gradient_norm, error))
        return error_prefix(error, "step %" PRId64, step + 1);
    if (line_sum(trainer, pack_count, line, error))
        return error->status;
    line->seconds = clock_seconds() - start;
    return STATUS_OK;
}

/* Adds the losses and targets of this rank's packs. */
static enum status validation_sums(struct trainer *trainer, const struct packs *packs,
                                   double totals[2], struct error *error)
{
    int64_t idle;
    if (idle_count(trainer, packs, &idle, error))
        return error->status;
    for (int64_t done = 0; done < packs->count;) {
        struct cross_entropy_sums sums = {0};
        next_pack(trainer, packs, &done);
        transformer_loss(trainer->model, &trainer->batch, &sums);
        if (ranks_wait(&trainer->ranks, error) || backend_sync(trainer->backend, error))
            return error->status;
        totals[0] += sums.nll;
        totals[1] += (double)sums.target_count;
    }
    for (; idle > 0; idle--)
        transformer_idle_pass(trainer->model, false);
    if (ranks_wait(&trainer->ranks, error))
        return error->status;
    return backend_sync(trainer->backend, error);
}

enum status trainer_validate(struct trainer *trainer, struct metrics_line *line,
                             struct error *error)
{
    struct packs packs = {.dataset = &trainer->validation,
                          .count = trainer->validation.count};
    double totals[2] = {0}; /* losses, targets */
    int64_t *order = memory_allocate_array((size_t)packs.count, sizeof *order);
    for (int64_t i = 0; i < packs.count; i++)
        order[i] = i;
    packs.examples = ranks_share(&trainer->ranks, packs.dataset, order, &packs.count);
    enum status status = validation_sums(trainer, &packs, totals, error);
    free(order);
    if (!status)
        status = ranks_sum(&trainer->ranks, totals, 2, error);
    line->validation_nll = totals[0] / totals[1];
    line->validation_tokens = (int64_t)totals[1];
    return status;
}
