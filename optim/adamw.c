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
                       const struct adamw_range *ranges, int64_t range_count,
                       struct error *error)
{
    *adamw = (struct adamw){.backend = backend, .count = count};
    ranges_join(adamw, ranges, range_count);
    const size_t bytes = (size_t)count * sizeof(float);
    adamw->moment1 = backend_allocate(backend, bytes, error);
    if (!adamw->moment1)
        goto fail;
    adamw->moment2 = backend_allocate(backend, bytes, error);
    if (!adamw->moment2)
        goto fail;
    return STATUS_OK;
fail:
    adamw_release(adamw);
    return error ? error->status : STATUS_MEMORY;
}

void adamw_release(struct adamw *adamw)
{
    if (adamw->moment1)
        backend_free(adamw->backend, adamw->moment1);
    if (adamw->moment2)
        backend_free(adamw->backend, adamw->moment2);
    free(adamw->ranges);
    *adamw = (struct adamw){0};
}

static enum status gradient_norm(struct adamw *adamw, const struct tensor *gradients,
                                 double *norm, struct error *error)
{
    double sum = 0.0;
    sum_of_squares(adamw->backend, &sum, gradients);
    if (backend_sync(adamw->backend, error))
        return error ? error->status : STATUS_DEVICE;
    *norm = sqrt(sum);
    if (!isfinite(*norm))
        return error_set(error, STATUS_FORMAT,
                         "the gradient norm is %f after %lld updates: nothing was "
                         "updated; lower the learning rate, or look for bad data in "
                         "the batch",
                         *norm, (long long)adamw->step);
    return STATUS_OK;
}

static struct tensor range_view(float *block, const struct adamw_range *range)
{
    return tensor_view_1d(block + range->offset, DTYPE_F32, range->count);
}

enum status adamw_step(struct adamw *adamw, struct tensor *weights,
                       const struct tensor *gradients, double lr,
                       const struct adamw_options *options, double *norm,
                       struct error *error)
{
    CHECK(tensor_count(weights) == adamw->count);
    CHECK(tensor_count(gradients) == adamw->count);
    const enum status status = gradient_norm(adamw, gradients, norm, error);
    if (status)
        return status;
    const bool clipped = options->clip_norm > 0.0 && *norm > options->clip_norm;
    struct adamw_step_parameters step = {
        .lr = (float)lr,
        .beta1 = (float)options->beta1,
        .beta2 = (float)options->beta2,
        .epsilon = (float)options->epsilon,
        .gradient_scale = clipped ? (float)(options->clip_norm / *norm) : 1.0f,
        .step = ++adamw->step,
    };
    for (int64_t i = 0; i < adamw->range_count; i++) {
        const struct adamw_range *range = &adamw->ranges[i];
        struct tensor weight = range_view(weights->data, range);
        struct tensor moment1 = range_view(adamw->moment1, range);
        struct tensor moment2 = range_view(adamw->moment2, range);
        const struct tensor gradient = range_view(gradients->data, range);
        step.weight_decay = range->decayed ? (float)options->weight_decay : 0.0f;
        adamw_update(adamw->backend, &weight, &moment1, &moment2, &gradient, &step);
    }
    return STATUS_OK;
}
