#include "model/sharded.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

int64_t unit_of_block(int64_t layer)
{
    return UNIT_FIRST + 1 + layer;
}

int64_t unit_last(const struct architecture *architecture)
{
    return unit_of_block(architecture->layer_count);
}

int64_t unit_of_head(const struct architecture *architecture)
{
    return architecture->tied_embeddings ? UNIT_FIRST : unit_last(architecture);
}

struct unit_counts unit_counts_of(const struct architecture *a)
{
    const int64_t matrix = a->vocabulary * a->channels;
    const int64_t norm = (a->norm == NORM_LAYER ? 2 : 1) * a->channels;
    struct unit_counts counts = {
        .first = matrix + (a->learned_positions ? a->position_limit * a->channels : 0),
        .last = norm + (a->tied_embeddings ? 0 : matrix),
    };
    const int64_t blocks = architecture_parameter_count(a) - counts.first - counts.last;
    counts.block = blocks / a->layer_count;
    CHECK(counts.block * a->layer_count == blocks);
    return counts;
}

enum status sharded_create(struct sharded **sharded, const struct transformer *model,
                           struct collectives *collectives, struct error *error)
{
    const struct architecture *a = &model->architecture;
    const struct unit_counts counts = unit_counts_of(a);
    const int64_t unit_count = unit_last(a) + 1;
    int64_t *starts = memory_allocate_array((size_t)unit_count + 1, sizeof *starts);
    for (int64_t unit = 0; unit < unit_count; unit++)
        starts[unit + 1] = starts[unit] + (unit == UNIT_FIRST     ? counts.first
                                           : unit == unit_last(a) ? counts.last
                                                                  : counts.block);
    CHECK(starts[unit_count] == model->base.count);
    struct sharded *made = *sharded = memory_allocate(sizeof *made);
    made->gathered = made->summing = UNIT_NONE;
    sharding_init(&made->sharding, collectives, starts, unit_count);
    free(starts);
    made->weights = backend_allocate(
        model->backend,
        (size_t)sharding_longest(&made->sharding) * dtype_bytes(model->base.dtype), error);
    return made->weights ? STATUS_OK : error_prefix(error, "the gathered weights");
}

void sharded_free(struct sharded *sharded, struct backend *backend)
{
    if (!sharded)
        return;
    sharded_drop_gradients(sharded, backend);
    backend_free(backend, sharded->weights);
    sharding_release(&sharded->sharding);
    free(sharded);
}

enum status sharded_reserve_gradients(struct sharded *sharded, struct backend *backend,
                                      struct error *error)
{
    const size_t longest = (size_t)sharding_longest(&sharded->sharding);
    if (!sharded->gradients)
        sharded->gradients =
            backend_allocate(backend, longest * sizeof *sharded->gradients, error);
    return sharded->gradients ? STATUS_OK : error_prefix(error, "the gradients of a unit");
}

void sharded_drop_gradients(struct sharded *sharded, struct backend *backend)
{
    backend_free(backend, sharded->gradients);
    sharded->gradients = NULL;
    sharded->summing = UNIT_NONE;
}

size_t sharded_bytes(const struct sharded *sharded, enum dtype dtype)
{
    const size_t each =
        dtype_bytes(dtype) + (sharded->gradients ? sizeof *sharded->gradients : 0);
    return (size_t)sharding_longest(&sharded->sharding) * each;
}

void units_begin(struct transformer *model)
{
    if (model->sharded)
        model->sharded->gathered = UNIT_NONE;
}

static struct tensor slot_view(const struct sharded *sharded, void *slot, int64_t unit,
                               enum dtype dtype)
{
    return tensor_view_1d(slot, dtype, sharding_unit_count(&sharded->sharding, unit));
}

void unit_weights(struct transformer *model, int64_t unit)
{
    struct sharded *sharded = model->sharded;
    struct error error;
    if (!sharded || sharded->gathered == unit)
        return;
    struct tensor slot = slot_view(sharded, sharded->weights, unit, model->base.dtype);
    sharded->gathered = unit;
    if (sharding_gather(&sharded->sharding, unit, &slot, model->base.weights, &error))
        backend_fail(model->backend, &error);
}

/* Sums of all ranks into what is held here. */
static void gradients_sum(struct transformer *model)
{
    struct sharded *sharded = model->sharded;
    const int64_t unit = sharded->summing;
    struct tensor slot = slot_view(sharded, sharded->gradients, unit, DTYPE_F32);
    struct error error;
    if (sharding_reduce(&sharded->sharding, unit, &slot, model->base.gradients, &error))
        backend_fail(model->backend, &error);
}

void unit_gradients(struct transformer *model, int64_t unit)
{
    struct sharded *sharded = model->sharded;
    if (!sharded || sharded->summing == unit)
        return;
    CHECK(sharded->gradients);
    if (sharded->summing != UNIT_NONE)
        gradients_sum(model);
    sharded->summing = unit;
    if (unit == UNIT_NONE)
        return;
    struct tensor slot = slot_view(sharded, sharded->gradients, unit, DTYPE_F32);
    fill(model->backend, &slot, 0.0f);
}

void unit_enter(struct transformer *model, int64_t unit)
{
    unit_weights(model, unit);
    if (!model->adapters)
        unit_gradients(model, unit);
}

/* As forward(), linear_cross_entropy() and backward() of transformer_pass.c enter them. */
void transformer_idle_pass(struct transformer *model, bool trains)
{
    const struct architecture *a = &model->architecture;
    if (!model->sharded)
        return;
    units_begin(model);
    for (int64_t unit = UNIT_FIRST; unit <= unit_last(a); unit++)
        unit_weights(model, unit);
    if (!trains) {
        unit_weights(model, unit_of_head(a));
        return;
    }
    unit_enter(model, unit_of_head(a));
    for (int64_t unit = unit_last(a); unit > UNIT_FIRST; unit--)
        unit_enter(model, unit);
    if (model->adapters)
        return;
    unit_gradients(model, UNIT_FIRST);
    unit_gradients(model, UNIT_NONE);
}

/* ---- Files ---- */

enum status sharded_gather_host(const struct transformer *model, int64_t unit,
                                float *values, struct error *error)
{
    const struct sharding *sharding = &model->sharded->sharding;
    const struct held_run run = sharding_run(sharding, unit, 0, model->base.count);
    float *own = values ? values : memory_allocate_array((size_t)run.count, sizeof *own);
    enum status status =
        parameter_block_get_held(&model->base, run.place, run.count, own, error);
    if (!status)
        status = sharding_gather_host(sharding, unit, own, sizeof *own, error);
    if (!values)
        free(own);
    return status;
}

/* The unit that is being written, and the parameters of the file in their order. */
struct unit_source {
    const struct transformer *model;
    const struct safetensors_tensor *tensors; /* as model->base.entries */
    int64_t unit;
    float *values; /* [longest] */
};

/* The unit of `parameter` here, in the order of files. */
static enum status source_advance(struct unit_source *source,
                                  const struct parameter *parameter, struct error *error)
{
    const struct parameter_block *base = &source->model->base;
    const int64_t *starts = source->model->sharded->sharding.starts;
    if (source->unit != UNIT_NONE && parameter->offset < starts[source->unit + 1])
        return STATUS_OK;
    const int64_t unit = ++source->unit;
    CHECK(parameter->offset == starts[unit]);
    if (sharded_gather_host(source->model, unit, source->values, error))
        return error->status;
    for (size_t i = 0; i < base->entry_count; i++) {
        const struct parameter *of_unit = &base->entries[i];
        if (of_unit->offset >= starts[unit] && of_unit->offset < starts[unit + 1])
            parameter_to_file(of_unit, source->values + (of_unit->offset - starts[unit]));
    }
    return STATUS_OK;
}

static enum status source_read(void *context, const struct safetensors_tensor *tensor,
                               int64_t first, int64_t count, void *values,
                               struct error *error)
{
    struct unit_source *source = context;
    const struct parameter *parameter =
        &source->model->base.entries[tensor - source->tensors];
    if (source_advance(source, parameter, error))
        return error->status;
    const int64_t start = source->model->sharded->sharding.starts[source->unit];
    memcpy(values, source->values + (parameter->offset - start) + first,
           (size_t)count * sizeof(float));
    return STATUS_OK;
}

enum status sharded_write(const struct transformer *model, const char *directory,
                          enum dtype stored, size_t file_bytes, struct error *error)
{
    const struct parameter_block *base = &model->base;
    struct safetensors_tensor *tensors =
        memory_allocate_array(base->entry_count, sizeof *tensors);
    struct unit_source source = {.model = model, .tensors = tensors, .unit = UNIT_NONE};
    source.values = memory_allocate_array(
        (size_t)sharding_longest(&model->sharded->sharding), sizeof *source.values);
    for (size_t i = 0; i < base->entry_count; i++) {
        tensors[i] = (struct safetensors_tensor){.name = base->entries[i].name,
                                                 .dtype = DTYPE_F32,
                                                 .stored = stored,
                                                 .rank = base->entries[i].rank};
        parameter_file_shape(&base->entries[i], tensors[i].shape);
    }
    const struct safetensors_source reader = {source_read, &source};
    const enum status status = weight_files_write_from(
        directory, tensors, base->entry_count, file_bytes, &reader, error);
    free(source.values);
    free(tensors);
    return status;
}

enum status transformer_serve_weights(const struct transformer *model, struct error *error)
{
    enum status status = STATUS_OK;
    if (!model->sharded || model->adapters)
        return STATUS_OK;
    for (int64_t unit = 0; !status && unit < model->sharded->sharding.unit_count; unit++)
        status = sharded_gather_host(model, unit, NULL, error);
    return status;
}
