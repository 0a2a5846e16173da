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
    return adamw_init_shared(adamw, backend, NULL, count, moments, ranges, range_count,
                             error);
}

enum status adamw_init_shared(struct adamw *adamw, struct backend *backend,
                              struct collectives *collectives, int64_t count,
                              enum dtype moments, const struct adamw_range *ranges,
                              int64_t range_count, struct error *error)
{
    CHECK(moments == DTYPE_F32 || moments == backend_activation_dtype(backend));
    *adamw = (struct adamw){.backend = backend,
                            .collectives = collectives,
                            .count = count,
                            .own = collectives_own_shard(collectives, count),
                            .dtype = moments};
    ranges_join(adamw, ranges, range_count);
    const size_t bytes = (size_t)adamw->own.count * dtype_bytes(moments);
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

/* Elements [offset, offset + count) of a block that begins with element `first`. */
static struct tensor block_view(void *block, int64_t first, enum dtype dtype,
                                const struct shard *elements)
{
    unsigned char *data = block;
    if (data)
        data += (size_t)(elements->offset - first) * dtype_bytes(dtype);
    return tensor_view_1d(data, dtype, elements->count);
}

/* What of a range is in the own shard. */
static struct shard own_part(const struct adamw *adamw, const struct adamw_range *range)
{
    const int64_t own_end = adamw->own.offset + adamw->own.count;
    const int64_t range_end = range->offset + range->count;
    const int64_t begin =
        range->offset > adamw->own.offset ? range->offset : adamw->own.offset;
    const int64_t end = range_end < own_end ? range_end : own_end;
    return (struct shard){.offset = begin, .count = end > begin ? end - begin : 0};
}

/* What adamw_update() reads and writes, each a block of all weights. */
struct blocks {
    struct tensor *weights;
    struct tensor *remainders;
    const struct tensor *gradients;
    struct tensor norm_squared;
};

static void part_update(struct adamw *adamw, const struct blocks *blocks,
                        const struct shard *part, const struct adamw_step_parameters *step)
{
    const int64_t first = adamw->own.offset;
    struct tensor weight =
        block_view(blocks->weights->data, 0, blocks->weights->dtype, part);
    struct tensor remainder = block_view(blocks->remainders->data, 0, DTYPE_I16, part);
    struct tensor moment1 = block_view(adamw->moment1, first, adamw->dtype, part);
    struct tensor moment2 = block_view(adamw->moment2, first, adamw->dtype, part);
    const struct tensor gradient = block_view(blocks->gradients->data, 0, DTYPE_F32, part);
    adamw_update(adamw->backend, &weight, remainder.data ? &remainder : NULL, &moment1,
                 &moment2, &gradient, &blocks->norm_squared, step);
}

/* The gradients of the own shard, summed over all processes, and the norm of all. */
static enum status gradients_sum(struct adamw *adamw, struct blocks *blocks,
                                 struct error *error)
{
    static const double zero = 0.0;
    struct tensor all = *blocks->gradients;
    if (collectives_reduce_scatter(adamw->collectives, &all, error))
        return error->status;
    const struct tensor own = block_view(all.data, 0, DTYPE_F32, &adamw->own);
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
    CHECK(tensor_count(weights) == adamw->count);
    CHECK(tensor_count(gradients) == adamw->count);
    if (gradients_sum(adamw, &blocks, error))
        return error->status;
    for (int64_t i = 0; i < adamw->range_count; i++) {
        const struct adamw_range *range = &adamw->ranges[i];
        const struct shard part = own_part(adamw, range);
        if (part.count == 0)
            continue;
        step.weight_decay = range->decayed ? (float)options->weight_decay : 0.0f;
        step.offset = part.offset;
        part_update(adamw, &blocks, &part, &step);
    }
    if (collectives_all_gather(adamw->collectives, weights, error) ||
        collectives_wait(adamw->collectives, error))
        return error->status;
    return step_end(adamw, norm, error);
}

enum status adamw_gather_remainders(struct adamw *adamw, struct tensor *remainders,
                                    struct error *error)
{
    if (!remainders->data)
        return STATUS_OK;
    if (collectives_all_gather(adamw->collectives, remainders, error))
        return error->status;
    return collectives_wait(adamw->collectives, error);
}

enum status adamw_gather_moment(struct adamw *adamw, const void *moment, void *moments,
                                struct error *error)
{
    const size_t bytes = (size_t)adamw->own.count * dtype_bytes(adamw->dtype);
    /* Rank 0's shard is the first: it is in its place at once. */
    void *own = moments ? moments : memory_allocate(bytes);
    backend_copy_out(adamw->backend, own, moment, bytes);
    enum status status = backend_sync(adamw->backend, error);
    if (!status)
        status = collectives_gather_host(adamw->collectives, own, adamw->count,
                                         dtype_bytes(adamw->dtype), error);
    if (own != moments)
        free(own);
    return status;
}
