#include "model/parameters.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void parameter_block_init(struct parameter_block *block, struct backend *backend)
{
    *block = (struct parameter_block){.backend = backend,
                                      .dtype = backend_compute_dtype(backend)};
}

void parameter_block_release(struct parameter_block *block)
{
    parameter_block_drop_gradients(block);
    backend_free(block->backend, block->remainders);
    backend_free(block->backend, block->weights);
    for (size_t i = 0; i < block->entry_count; i++)
        free(block->entries[i].name);
    free(block->entries);
    *block = (struct parameter_block){0};
}

static struct parameter *entry_append(struct parameter_block *block, const char *name,
                                      int64_t rows, int64_t columns)
{
    if (block->entry_count == block->entry_capacity) {
        block->entry_capacity = block->entry_capacity ? 2 * block->entry_capacity : 64;
        block->entries = memory_resize_array(block->entries, block->entry_capacity,
                                             sizeof *block->entries);
    }
    struct parameter *entry = &block->entries[block->entry_count++];
    *entry = (struct parameter){
        .name = memory_duplicate_string(name),
        .offset = block->count,
        .count = columns > 0 ? rows * columns : rows,
        .rank = columns > 0 ? 2 : 1,
        .shape = {rows, columns},
        .decayed = columns > 0,
        .quantized = -1,
    };
    return entry;
}

void parameter_block_add(struct parameter_block *block, const char *name, int64_t rows,
                         int64_t columns)
{
    block->count += entry_append(block, name, rows, columns)->count;
}

void parameter_block_add_quantized(struct parameter_block *block, const char *name,
                                   int64_t rows, int64_t columns)
{
    entry_append(block, name, rows, columns)->quantized = block->quantized_count++;
}

int64_t parameter_block_held(const struct parameter_block *block)
{
    return block->sharding ? sharding_held_count(block->sharding) : block->count;
}

static void *allocate(const struct parameter_block *block, enum dtype dtype,
                      struct error *error)
{
    const size_t count = (size_t)parameter_block_held(block);
    return backend_allocate(block->backend, count * dtype_bytes(dtype), error);
}

enum status parameter_block_allocate(struct parameter_block *block,
                                     enum master_weights masters, struct error *error)
{
    const bool split = masters == MASTERS_KEPT && block->dtype == DTYPE_BF16;
    block->weights = allocate(block, block->dtype, error);
    if (block->weights && split)
        block->remainders = allocate(block, DTYPE_I16, error);
    if (block->weights && (block->remainders || !split))
        return STATUS_OK;
    return error_prefix(error, "the weights");
}

enum status parameter_block_reserve_gradients(struct parameter_block *block,
                                              struct error *error)
{
    if (!block->gradients)
        block->gradients = allocate(block, DTYPE_F32, error);
    return block->gradients ? STATUS_OK : error_prefix(error, "the gradients");
}

void parameter_block_drop_gradients(struct parameter_block *block)
{
    if (block->gradients)
        backend_free(block->backend, block->gradients);
    block->gradients = NULL;
}

enum { PIECE = 1 << 14 };

/* At most PIECE of them. */
static void put_split(struct parameter_block *block, int64_t place, const float *values,
                      int64_t count)
{
    uint16_t upper[PIECE];
    int16_t lower[PIECE];
    bf16_split_all(upper, lower, values, count);
    backend_copy_in(block->backend, (uint16_t *)block->weights + place, upper,
                    (size_t)count * sizeof *upper);
    if (block->remainders)
        backend_copy_in(block->backend, block->remainders + place, lower,
                        (size_t)count * sizeof *lower);
}

/* Elements [first, first + count) of the block, which are held at `place`. */
static void put_run(struct parameter_block *block, const struct held_run *run,
                    const float *values)
{
    if (block->dtype == DTYPE_F32) {
        backend_copy_in(block->backend, (float *)block->weights + run->place, values,
                        (size_t)run->count * sizeof *values);
        return;
    }
    for (int64_t done = 0; done < run->count; done += PIECE) {
        const int64_t left = run->count - done;
        put_split(block, run->place + done, values + done, left < PIECE ? left : PIECE);
    }
}

/* Runs of a block that are held, one a unit: the next one of [first, first + count). */
static bool next_run(const struct parameter_block *block, int64_t *unit, int64_t first,
                     int64_t count, struct held_run *run)
{
    const int64_t units = block->sharding ? block->sharding->unit_count : 1;
    *run = (struct held_run){.first = first, .count = count, .place = first};
    for (; *unit < units; (*unit)++) {
        if (block->sharding)
            *run = sharding_run(block->sharding, *unit, first, count);
        if (run->count == 0)
            continue;
        (*unit)++;
        return true;
    }
    return false;
}

void parameter_block_put(struct parameter_block *block, int64_t first, const float *values,
                         int64_t count)
{
    struct held_run run;
    for (int64_t unit = 0; next_run(block, &unit, first, count, &run);)
        put_run(block, &run, values + (run.first - first));
}

void parameter_block_put_halves(struct parameter_block *block, int64_t first,
                                const uint16_t *halves, int64_t count)
{
    struct held_run run;
    CHECK(block->dtype == DTYPE_BF16);
    for (int64_t unit = 0; next_run(block, &unit, first, count, &run);)
        backend_copy_in(block->backend, (uint16_t *)block->weights + run.place,
                        halves + (run.first - first), (size_t)run.count * sizeof *halves);
}

/* By pieces: what is copied on the way stays small. */
static enum status get_joined(const struct parameter_block *block, int64_t place,
                              int64_t total, float *values, struct error *error)
{
    enum { JOIN_PIECE = 1 << 20 };
    uint16_t *upper = memory_allocate_array(JOIN_PIECE, sizeof *upper);
    int16_t *lower = memory_allocate_array(JOIN_PIECE, sizeof *lower); /* zero */
    enum status status = STATUS_OK;
    for (int64_t first = 0; first < total && !status; first += JOIN_PIECE) {
        const int64_t left = total - first;
        const int64_t count = left < JOIN_PIECE ? left : JOIN_PIECE;
        backend_copy_out(block->backend, upper,
                         (const uint16_t *)block->weights + place + first,
                         (size_t)count * sizeof *upper);
        if (block->remainders)
            backend_copy_out(block->backend, lower, block->remainders + place + first,
                             (size_t)count * sizeof *lower);
        status = backend_sync(block->backend, error);
        bf16_join_all(values + first, upper, lower, count);
    }
    free(upper);
    free(lower);
    return status;
}

enum status parameter_block_get_held(const struct parameter_block *block, int64_t place,
                                     int64_t count, float *values, struct error *error)
{
    if (block->dtype == DTYPE_BF16)
        return get_joined(block, place, count, values, error);
    backend_copy_out(block->backend, values, (const float *)block->weights + place,
                     (size_t)count * sizeof *values);
    return backend_sync(block->backend, error);
}

enum status parameter_block_get(const struct parameter_block *block, float *values,
                                struct error *error)
{
    CHECK(!block->sharding);
    return parameter_block_get_held(block, 0, block->count, values, error);
}

void parameter_file_shape(const struct parameter *parameter, int64_t *shape)
{
    for (int i = 0; i < parameter->rank; i++)
        shape[i] = parameter->shape[parameter->transposed ? 1 - i : i];
}

/* values [rows, columns] becomes [columns, rows] */
static void transpose(float *values, int64_t rows, int64_t columns)
{
    const size_t count = (size_t)(rows * columns);
    float *from = memory_allocate_array(count, sizeof *from);
    memcpy(from, values, count * sizeof *from);
#pragma omp parallel for
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++)
            values[j * rows + i] = from[i * columns + j];
    free(from);
}

void parameter_from_file(const struct parameter *parameter, float *values)
{
    if (parameter->transposed)
        transpose(values, parameter->shape[1], parameter->shape[0]);
}

void parameter_to_file(const struct parameter *parameter, float *values)
{
    if (parameter->transposed)
        transpose(values, parameter->shape[0], parameter->shape[1]);
}

void parameter_block_to_file(const struct parameter_block *block, float *values)
{
    for (size_t i = 0; i < block->entry_count; i++)
        parameter_to_file(&block->entries[i], values + block->entries[i].offset);
}

size_t parameter_block_bytes(const struct parameter_block *block)
{
    const size_t each = dtype_bytes(block->dtype) +
                        (block->remainders ? sizeof *block->remainders : 0) +
                        (block->gradients ? sizeof *block->gradients : 0);
    return (size_t)parameter_block_held(block) * each;
}

struct tensor parameter_take(struct parameter_cursor *cursor, int64_t rows, int64_t columns)
{
    void *data = cursor->next;
    const int64_t count = columns > 0 ? rows * columns : rows;
    cursor->next += (size_t)count * dtype_bytes(cursor->dtype);
    return columns > 0 ? tensor_view_2d(data, cursor->dtype, rows, columns)
                       : tensor_view_1d(data, cursor->dtype, rows);
}
