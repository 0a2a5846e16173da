#include "model/rope_table.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/*
 * Rounded where transformers rounds: the angle to f32. Cosine and sine of that angle are
 * then exact to f32.
 */
static void rope_row(float *row, int64_t position, int64_t half, const float *frequencies,
                     float scale)
{
    for (int64_t i = 0; i < half; i++) {
        const float angle = (float)position * frequencies[i];
        row[i] = (float)cos((double)angle) * scale;
        row[half + i] = (float)sin((double)angle) * scale;
    }
}

/* [count, R]: positions [0, count) */
static void rope_rows(float *rows, const struct architecture *a, int64_t count, bool longer)
{
    const int64_t size = architecture_rotary_size(a);
    const float scale = (float)architecture_rope_scale(a);
    float *frequencies = memory_allocate_array((size_t)(size / 2), sizeof *frequencies);
    architecture_rope_frequencies(a, longer, frequencies);
#pragma omp parallel for
    for (int64_t position = 0; position < count; position++)
        rope_row(rows + position * size, position, size / 2, frequencies, scale);
    free(frequencies);
}

/* How many rows come first: the positions that never have the long factors. */
static int64_t plain_count(const struct architecture *a, int64_t position_count)
{
    return architecture_rope_longer(a, position_count) ? a->rope_original_limit
                                                       : position_count;
}

static int64_t row_count(const struct architecture *a, int64_t position_count)
{
    const int64_t plain = plain_count(a, position_count);
    return plain < position_count ? plain + position_count : plain;
}

static enum status table_make(struct tensor *table, struct backend *backend,
                              const struct architecture *a, int64_t position_count,
                              struct error *error)
{
    const int64_t size = architecture_rotary_size(a);
    const int64_t plain = plain_count(a, position_count);
    const int64_t count = row_count(a, position_count);
    const size_t bytes = (size_t)count * (size_t)size * sizeof(float);
    float *made = backend_allocate(backend, bytes, error);
    if (!made)
        return error_prefix(error, "rotary table for %lld positions",
                            (long long)position_count);
    float *rows = memory_allocate_array((size_t)(count * size), sizeof *rows);
    rope_rows(rows, a, plain, false);
    if (count > plain)
        rope_rows(rows + plain * size, a, position_count, true);
    backend_copy_in(backend, made, rows, bytes);
    free(rows);
    if (table->data)
        backend_free(backend, table->data);
    *table = tensor_view_2d(made, DTYPE_F32, count, size);
    return STATUS_OK;
}

/* The model whose layers all turn as those with the window do. */
static struct architecture all_windowed(const struct architecture *a)
{
    struct architecture windowed = *a;
    windowed.rope_kind = ROPE_DEFAULT;
    windowed.rope_theta = a->window_rope_theta;
    return windowed;
}

enum status rope_tables_reserve(struct rope_tables *tables, struct backend *backend,
                                const struct architecture *a, int64_t position_count,
                                struct error *error)
{
    if (architecture_rotary_size(a) == 0)
        return STATUS_OK; /* nothing turns */
    if (tables->plain.data && row_count(a, position_count) <= tables->plain.shape[0])
        return STATUS_OK;
    CHECK(a->window_rope_theta == 0 || a->rope_kind != ROPE_LONG); /* the same rows */
    enum status status = STATUS_OK;
    if (a->window_rope_theta > 0) {
        const struct architecture windowed = all_windowed(a);
        status = table_make(&tables->window, backend, &windowed, position_count, error);
    }
    return status ? status : table_make(&tables->plain, backend, a, position_count, error);
}

void rope_tables_release(struct rope_tables *tables, struct backend *backend)
{
    if (tables->plain.data)
        backend_free(backend, tables->plain.data);
    if (tables->window.data)
        backend_free(backend, tables->window.data);
    *tables = (struct rope_tables){0};
}

size_t rope_tables_bytes(const struct rope_tables *tables)
{
    return (tables->plain.data ? tensor_bytes(&tables->plain) : 0) +
           (tables->window.data ? tensor_bytes(&tables->window) : 0);
}

const struct tensor *rope_table_of(const struct rope_tables *tables,
                                   const struct architecture *architecture, int64_t layer)
{
    switch (architecture_turn(architecture, layer)) {
    case TURN_PLAIN:
        return &tables->plain;
    case TURN_WINDOW:
        return &tables->window;
    case TURN_NONE:
        break;
    }
    return NULL;
}

int32_t rope_table_row(const struct architecture *a, int32_t position, bool longer)
{
    return longer ? (int32_t)a->rope_original_limit + position : position;
}
