#include "optim/adamw.h"

#include "backend/moment_operations.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static bool is_small(const struct adamw *adamw, const struct adamw_range *range)
{
    return adamw->dtype == DTYPE_U8 && (!range->decayed || range->count < ADAMW_SMALL);
}

/* Copies `ranges`, joining neighbours of the same kind; CHECKs that they leave no gap. */
static void ranges_join(struct adamw *adamw, const struct adamw_range *ranges,
                        int64_t range_count)
{
    int64_t end = 0, before = 0;
    adamw->ranges = memory_allocate_array((size_t)range_count, sizeof *adamw->ranges);
    for (int64_t i = 0; i < range_count; i++) {
        const struct adamw_run run = {.offset = ranges[i].offset,
                                      .count = ranges[i].count,
                                      .decayed = ranges[i].decayed,
                                      .small = is_small(adamw, &ranges[i]),
                                      .before = before};
        struct adamw_run *last =
            adamw->range_count > 0 ? &adamw->ranges[adamw->range_count - 1] : NULL;
        CHECK(run.offset == end && run.count >= 0);
        end += run.count;
        before += run.small ? run.count : 0;
        if (last && last->decayed == run.decayed && last->small == run.small)
            last->count += run.count;
        else
            adamw->ranges[adamw->range_count++] = run;
    }
    CHECK(end == adamw->count);
}

/* Whether there are codes of one run on both sides of `index`. */
static bool splits_codes(const struct adamw *adamw, int64_t index)
{
    for (int64_t i = 0; i < adamw->range_count; i++) {
        const struct adamw_run *run = &adamw->ranges[i];
        if (!run->small && run->offset < index && index < run->offset + run->count)
            return true;
    }
    return false;
}

enum status adamw_init(struct adamw *adamw, struct backend *backend, int64_t count,
                       enum dtype moments, const struct adamw_range *ranges,
                       int64_t range_count, struct error *error)
{
    return adamw_init_shared(adamw, backend, NULL, count, moments, ranges, range_count,
                             error);
}

static bool array_allocate(struct adamw *adamw, enum adamw_array array, void **data,
                           struct error *error)
{
    const size_t bytes = (size_t)adamw_array_held(adamw, array) *
                         dtype_bytes(adamw_array_dtype(adamw, array));
    *data = backend_allocate(adamw->backend, bytes, error);
    return *data != NULL;
}

static bool moment_allocate(struct adamw *adamw, struct adamw_moment *moment,
                            struct error *error)
{
    void *scales = NULL, *small = NULL;
    bool good = array_allocate(adamw, ADAMW_VALUES, &moment->values, error);
    if (good && adamw->dtype == DTYPE_U8)
        good = array_allocate(adamw, ADAMW_SCALES, &scales, error) &&
               array_allocate(adamw, ADAMW_SMALL_VALUES, &small, error);
    moment->scales = scales;
    moment->small = small;
    return good;
}

static enum status moments_allocate(struct adamw *adamw, struct error *error)
{
    adamw->norm_squared =
        backend_allocate(adamw->backend, sizeof *adamw->norm_squared, error);
    if (adamw->norm_squared && moment_allocate(adamw, &adamw->moment1, error) &&
        moment_allocate(adamw, &adamw->moment2, error))
        return STATUS_OK;
    adamw_release(adamw);
    return error_prefix(error, "the moments of AdamW");
}

enum status adamw_init_shared(struct adamw *adamw, struct backend *backend,
                              struct collectives *collectives, int64_t count,
                              enum dtype moments, const struct adamw_range *ranges,
                              int64_t range_count, struct error *error)
{
    const int64_t starts[] = {0, count};
    struct sharding sharding;
    sharding_init(&sharding, collectives, starts, 1);
    const enum status status =
        adamw_init_sharded(adamw, backend, &sharding, moments, ranges, range_count, error);
    sharding_release(&sharding);
    adamw->held_alone = false;
    return status;
}

enum status adamw_init_sharded(struct adamw *adamw, struct backend *backend,
                               const struct sharding *sharding, enum dtype moments,
                               const struct adamw_range *ranges, int64_t range_count,
                               struct error *error)
{
    CHECK(moments == DTYPE_F32 || moments == DTYPE_U8 ||
          moments == backend_compute_dtype(backend));
    *adamw = (struct adamw){.backend = backend,
                            .collectives = sharding->collectives,
                            .count = sharding_block_count(sharding),
                            .held_alone = true,
                            .dtype = moments};
    sharding_init(&adamw->sharding, sharding->collectives, sharding->starts,
                  sharding->unit_count);
    ranges_join(adamw, ranges, range_count);
    for (int64_t unit = 1; moments == DTYPE_U8 && unit < sharding->unit_count; unit++)
        CHECK(!splits_codes(adamw, sharding->starts[unit]));
    adamw_parts_find(adamw);
    return moments_allocate(adamw, error);
}

static void moment_free(struct adamw *adamw, struct adamw_moment *moment)
{
    for (int i = 0; i < ADAMW_ARRAYS; i++) {
        void *data = adamw_array_data(moment, (enum adamw_array)i);
        if (data)
            backend_free(adamw->backend, data);
    }
}

void adamw_release(struct adamw *adamw)
{
    if (adamw->norm_squared)
        backend_free(adamw->backend, adamw->norm_squared);
    moment_free(adamw, &adamw->moment1);
    moment_free(adamw, &adamw->moment2);
    free(adamw->ranges);
    for (int i = 0; i < ADAMW_ARRAYS; i++)
        free(adamw->parts[i]);
    sharding_release(&adamw->sharding);
    *adamw = (struct adamw){0};
}

/* Elements [place, place + count) of a block. */
static struct tensor block_view(void *block, int64_t place, enum dtype dtype, int64_t count)
{
    unsigned char *data = block;
    if (data)
        data += (size_t)place * dtype_bytes(dtype);
    return tensor_view_1d(data, dtype, count);
}

/* What adamw_update() reads and writes, each a block of all weights. */
struct blocks {
    struct tensor *weights;
    struct tensor *remainders;
    const struct tensor *gradients;
    struct tensor norm_squared;
};

/* What is held of a run in one unit, and where the unit's arrays lie. */
struct held_part {
    struct held_run elements;
    struct held_run scales;
    struct held_run small;
};

static struct tensor small_view(const struct adamw_moment *moment,
                                const struct adamw_run *run, const struct held_part *held)
{
    const int64_t at = run->before + held->elements.first - run->offset;
    return tensor_view_1d(moment->small + held->small.place + at - held->small.first,
                          DTYPE_F32, held->elements.count);
}

static struct moment8 codes_view(const struct adamw *adamw,
                                 const struct adamw_moment *moment,
                                 const struct adamw_run *run, const struct held_part *held)
{
    const int64_t at = held->elements.first / MOMENTS8_BLOCK + (run - adamw->ranges);
    return (struct moment8){.codes = (uint8_t *)moment->values + held->elements.place,
                            .scales = moment->scales + held->scales.place + at -
                                      held->scales.first};
}

static struct tensor moment_view(const struct adamw *adamw,
                                 const struct adamw_moment *moment,
                                 const struct adamw_run *run, const struct held_part *held)
{
    if (run->small)
        return small_view(moment, run, held);
    return block_view(moment->values, held->elements.place, adamw->dtype,
                      held->elements.count);
}

static void run_update(struct adamw *adamw, const struct blocks *blocks,
                       const struct adamw_run *run, const struct held_part *held,
                       const struct adamw_step_parameters *step)
{
    const int64_t count = held->elements.count;
    const int64_t at = adamw->held_alone ? held->elements.place : held->elements.first;
    struct tensor weight =
        block_view(blocks->weights->data, at, blocks->weights->dtype, count);
    struct tensor lower = block_view(blocks->remainders->data, at, DTYPE_I16, count);
    struct tensor *remainder = lower.data ? &lower : NULL;
    const struct tensor gradient =
        block_view(blocks->gradients->data, at, DTYPE_F32, count);
    if (adamw->dtype == DTYPE_U8 && !run->small) {
        const struct moment8 moment1 = codes_view(adamw, &adamw->moment1, run, held);
        const struct moment8 moment2 = codes_view(adamw, &adamw->moment2, run, held);
        adamw_update_8bit(adamw->backend, &weight, remainder, &moment1, &moment2, &gradient,
                          &blocks->norm_squared, step);
        return;
    }
    struct tensor moment1 = moment_view(adamw, &adamw->moment1, run, held);
    struct tensor moment2 = moment_view(adamw, &adamw->moment2, run, held);
    adamw_update(adamw->backend, &weight, remainder, &moment1, &moment2, &gradient,
                 &blocks->norm_squared, step);
}

/* All that is held of a range. */
static void range_update(struct adamw *adamw, const struct blocks *blocks,
                         const struct adamw_run *range, struct adamw_step_parameters *step)
{
    for (int64_t unit = 0; unit < adamw->sharding.unit_count; unit++) {
        const struct held_part held = {
            sharding_run(&adamw->sharding, unit, range->offset, range->count),
            adamw->parts[ADAMW_SCALES][unit], adamw->parts[ADAMW_SMALL_VALUES][unit]};
        if (held.elements.count == 0)
            continue;
        step->offset = held.elements.first;
        run_update(adamw, blocks, range, &held, step);
    }
}

/* What this rank holds of the gradients, as sums over all. */
static enum status gradients_own(struct adamw *adamw, const struct tensor *gradients,
                                 struct tensor *own, struct error *error)
{
    *own = *gradients;
    if (adamw->held_alone)
        return STATUS_OK;
    if (collectives_reduce_scatter(adamw->collectives, own, 0, error))
        return error->status;
    const struct held_run run = sharding_run(&adamw->sharding, 0, 0, adamw->count);
    *own = block_view(gradients->data, run.first, DTYPE_F32, run.count);
    return STATUS_OK;
}

/* The gradients of the own shard, summed over all processes, and the norm of all. */
static enum status gradients_sum(struct adamw *adamw, struct blocks *blocks,
                                 struct error *error)
{
    static const double zero = 0.0;
    struct tensor own;
    if (gradients_own(adamw, blocks->gradients, &own, error))
        return error->status;
    backend_copy_in(adamw->backend, adamw->norm_squared, &zero, sizeof zero);
    sum_of_squares(adamw->backend, &blocks->norm_squared, &own);
    return collectives_all_reduce(adamw->collectives, &blocks->norm_squared, error);
}

/* The device finds the norm and updates, or not, by itself; this only reports. */
static enum status step_end(struct adamw *adamw, double *norm, struct error *error)
{
    double sum = 0.0;
    backend_copy_out(adamw->backend, &sum, adamw->norm_squared, sizeof sum);
    if (backend_sync(adamw->backend, error))
        return error ? error->status : STATUS_DEVICE;
    *norm = sqrt(sum);
    if (!isfinite(*norm))
        return error_set(error, STATUS_FORMAT,
                         "the gradient norm is %f after %lld updates: nothing was "
                         "updated; lower the learning rate, or look for bad data in "
                         "the batch",
                         *norm, (long long)adamw->step);
    adamw->step++;
    return STATUS_OK;
}

enum status adamw_step(struct adamw *adamw, struct tensor *weights,
                       struct tensor *remainders, const struct tensor *gradients, double lr,
                       const struct adamw_options *options, double *norm,
                       struct error *error)
{
    const struct tensor norm_squared = tensor_view_1d(adamw->norm_squared, DTYPE_F64, 1);
    struct blocks blocks = {weights, remainders, gradients, norm_squared};
    struct adamw_step_parameters step = {
        .lr = (float)lr,
        .beta1 = (float)options->beta1,
        .beta2 = (float)options->beta2,
        .epsilon = (float)options->epsilon,
        .clip_norm = (float)options->clip_norm,
        .step = adamw->step + 1,
        .seed = options->seed,
    };
    const int64_t count =
        adamw->held_alone ? sharding_held_count(&adamw->sharding) : adamw->count;
    CHECK(tensor_count(weights) == count && tensor_count(gradients) == count);
    if (gradients_sum(adamw, &blocks, error))
        return error->status;
    for (int64_t i = 0; i < adamw->range_count; i++) {
        const struct adamw_run *range = &adamw->ranges[i];
        step.weight_decay = range->decayed ? (float)options->weight_decay : 0.0f;
        range_update(adamw, &blocks, range, &step);
    }
    if ((!adamw->held_alone &&
         collectives_all_gather(adamw->collectives, weights, error)) ||
        collectives_wait(adamw->collectives, error))
        return error->status;
    return step_end(adamw, norm, error);
}

enum status adamw_gather_remainders(struct adamw *adamw, struct tensor *remainders,
                                    struct error *error)
{
    if (!remainders->data || adamw->held_alone)
        return STATUS_OK;
    if (collectives_all_gather(adamw->collectives, remainders, error))
        return error->status;
    return collectives_wait(adamw->collectives, error);
}
