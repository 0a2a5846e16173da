#include "optim/adamw.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* Copies `ranges`, joining neighbours of the same kind; CHECKs that they leave no gap. */
static void ranges_join(struct adamw *adamw, const struct adamw_range *ranges,
                        int64_t range_count)
{
    int64_t end = 0;
    adamw->ranges = memory_allocate_array((size_t)range_count, sizeof *adamw->ranges);
    for (int64_t i = 0; i < range_count; i++) {
        struct adamw_range *last =
            adamw->range_count > 0 ? &adamw->ranges[adamw->range_count - 1] : NULL;
        CHECK(ranges[i].offset == end && ranges[i].count >= 0);
        end += ranges[i].count;
        if (last && last->decayed == ranges[i].decayed)
            last->count += ranges[i].count;
        else
            adamw->ranges[adamw->range_count++] = ranges[i];
    }
    CHECK(end == adamw->count);
}

enum status adamw_init(struct adamw *adamw, struct backend *backend, int64_t count,
                       enum dtype moments, const struct adamw_range *ranges,
                       int64_t range_count, struct error *error)
{
    CHECK(moments == DTYPE_F32 || moments == backend_compute_dtype(backend));
    *adamw = (struct adamw){.backend = backend, .count = count, .dtype = moments};
    ranges_join(adamw, ranges, range_count);
    const size_t bytes = (size_t)count * dtype_bytes(moments);
    adamw->norm_squared = backend_allocate(backend, sizeof *adamw->norm_squared, error);
    if (adamw->norm_squared)
        adamw->moment1 = backend_allocate(backend, bytes, error);
    if (adamw->moment1)
        adamw->moment2 = backend_allocate(backend, bytes, error);
    if (adamw->moment2)
        return STATUS_OK;
    adamw_release(adamw);
    return error_prefix(error, "the moments of AdamW");
}

void adamw_release(struct adamw *adamw)
{
    if (adamw->norm_squared)
        backend_free(adamw->backend, adamw->norm_squared);
    if (adamw->moment1)
        backend_free(adamw->backend, adamw->moment1);
    if (adamw->moment2)
        backend_free(adamw->backend, adamw->moment2);
    free(adamw->ranges);
    *adamw = (struct adamw){0};
}

static struct tensor range_view(void *block, enum dtype dtype,
                                const struct adamw_range *range)
{
    unsigned char *first = block;
    if (first)
        first += (size_t)range->offset * dtype_bytes(dtype);
    return tensor_view_1d(first, dtype, range->count);
}

/* What adamw_update() reads and writes, each a block of all weights. */
struct blocks {
    struct tensor *weights;
    struct tensor *remainders;
    const struct tensor *gradients;
    struct tensor norm_squared;
};

static void range_update(struct adamw *adamw, const struct blocks *blocks,
                         const struct adamw_range *range,
                         const struct adamw_step_parameters *step)
{
    struct tensor weight = range_view(blocks->weights->data, blocks->weights->dtype, range);
    struct tensor remainder = range_view(blocks->remainders->data, DTYPE_I16, range);
    struct tensor moment1 = range_view(adamw->moment1, adamw->dtype, range);
    struct tensor moment2 = range_view(adamw->moment2, adamw->dtype, range);
    const struct tensor gradient = range_view(blocks->gradients->data, DTYPE_F32, range);
    adamw_update(adamw->backend, &weight, remainder.data ? &remainder : NULL, &moment1,
                 &moment2, &gradient, &blocks->norm_squared, step);
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
    static const double zero = 0.0;
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
    CHECK(tensor_count(weights) == adamw->count);
    CHECK(tensor_count(gradients) == adamw->count);
    backend_copy_in(adamw->backend, adamw->norm_squared, &zero, sizeof zero);
    sum_of_squares(adamw->backend, &blocks.norm_squared, gradients);
    for (int64_t i = 0; i < adamw->range_count; i++) {
        const struct adamw_range *range = &adamw->ranges[i];
        step.weight_decay = range->decayed ? (float)options->weight_decay : 0.0f;
        step.offset = range->offset;
        range_update(adamw, &blocks, range, &step);
    }
    return step_end(adamw, norm, error);
}
