#include "backend/cpu/cpu_gemm.h"

#include "backend/cpu/cpu_bf16_gemm.h"
#include "backend/cpu/cpu_gemm_pack.h"

enum {
    ROW_BLOCK = 96,       /* rows of a in one job: 144 KiB with a full depth block, */
    ROW_BLOCK_LEAST = 36, /* fewer if there would not be enough jobs */
    PACK_PANELS = 4,      /* in one job of packing */
    PARALLEL_MULTIPLICATIONS = 1 << 19, /* below: one thread, some 10 us */
    PARALLEL_FEW_ROWS = 1 << 16,        /* elements of b below which few rows take one */
    FEW_ROWS = 48,                      /* up to here, packing b is no longer shared */
    PACKED_FLOATS = 2 << 20,            /* 8 MiB of b at a time, in L3 */
    JOBS_A_THREAD_WANTED = 4,           /* so that a slow core holds nobody up */
};

/* A function of the depth alone: see the order of summation in the header. */
static int64_t depth_block(int64_t depth)
{
    const int64_t blocks = maximum(1, (depth + GEMM_DEPTH_BLOCK - 1) / GEMM_DEPTH_BLOCK);

    return maximum(8, ((depth + blocks - 1) / blocks + 7) / 8 * 8);
}

static int64_t panel_count(const struct gemm_kernel *kernel, int64_t columns)
{
    return (columns + kernel->columns - 1) / kernel->columns;
}

/* A block of rows of a: as it lies in memory, or packed by gemm_pack_rows(). */
struct row_block {
    const float *a;
    int64_t rows;
    bool packed;
};

/* The tile at a row and one panel; `first` is the depth already summed. */
static void run_tile(const struct gemm_kernel *kernel, const struct gemm *gemm,
                     struct gemm_tile *tile, int64_t row, int64_t rows, int64_t column,
                     int64_t first)
{
    const int64_t width = minimum(kernel->columns, gemm->columns - column);
    float edge[GEMM_TILE_ROWS_MAXIMUM * GEMM_TILE_COLUMNS_MAXIMUM];
    float *c = gemm->c + row * gemm->c_row + column;

    tile->c = c;
    tile->c_row = gemm->c_row;
    gemm_base_take(gemm, row, column, first, &tile->base, &tile->base_row);
    if (width == kernel->columns) {
        kernel->run(rows, tile);
        return;
    }
    const float *base = tile->base; /* added here: there is not a full vector of it */
    tile->c = edge;
    tile->c_row = kernel->columns;
    tile->base = NULL;
    kernel->run(rows, tile);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++)
            c[i * gemm->c_row + j] = edge[i * kernel->columns + j] +
                                     (base ? base[i * tile->base_row + j] : 0.0f);
}

/* All tiles of one block of rows with one panel. */
static void run_panel(const struct gemm_kernel *kernel, const struct gemm *gemm,
                      const struct row_block *block, int64_t row, struct gemm_panel panel,
                      int64_t column, int64_t first, int64_t depth)
{
    for (int64_t i = 0; i < block->rows; i += kernel->rows) {
        const int64_t rows = minimum(kernel->rows, block->rows - i);
        struct gemm_tile tile = {
            .depth = depth,
            .a = block->packed ? block->a + i * depth : block->a + i * gemm->a_row,
            .a_row = block->packed ? 1 : gemm->a_row,
            .a_depth = block->packed ? rows : gemm->a_depth,
            .b = panel.b,
            .b_pairs = panel.pairs,
            .ahead = block->rows > kernel->rows ? panel.bytes : 0,
        };
        run_tile(kernel, gemm, &tile, row + i, rows, column, first);
    }
}

/* Rows that lie across memory (a_row 1) are packed: a tile would touch a page a step. */
static struct row_block row_block_take(const struct gemm_kernel *kernel,
                                       const struct gemm *gemm, int64_t row, int64_t rows,
                                       int64_t first, int64_t depth, float *scratch)
{
    struct row_block block = {.a = (const float *)gemm->a + row * gemm->a_row +
                                   first * gemm->a_depth,
                              .rows = rows};

    if (gemm->a_depth == 1 || !scratch)
        return block;
    gemm_pack_rows(kernel, block.a, gemm->a_depth, rows, depth, scratch);
    block.a = scratch;
    block.packed = true;
    return block;
}

/*
 * Many rows: all threads pack a chunk of b together, then share out its jobs, a block of
 * rows times a range of panels each. A chunk is all of b if it fits the cache, else all of
 * its depth and a range of columns, or all of its columns and a range of depth.
 */
struct plan {
    int64_t chunk_columns;
    int64_t chunk_depth;   /* a multiple of depth_block, or the depth */
    int64_t group_columns; /* of a job */
    int64_t row_block;     /* of a job */
    int64_t depth_block;
    float *packed; /* [depth blocks][panels][depth of the block][kernel columns] */
    float *rows;   /* scratch of the threads */
    int64_t rows_floats;
    bool parallel; /* enough work for more than one thread */
};

/* A chunk of b: columns [column, + columns), depth [first, end). */
struct chunk {
    int64_t column, columns;
    int64_t first, end;
};

/* `whole` in equal parts of at most `most`, each a multiple of `unit`. */
static int64_t part_of(int64_t whole, int64_t most, int64_t unit)
{
    const int64_t units = (whole + unit - 1) / unit;
    const int64_t units_fit = maximum(1, most / unit);
    const int64_t parts = (units + units_fit - 1) / units_fit;

    return (units + parts - 1) / parts * unit;
}

static bool plan_make(struct plan *plan, struct cpu_backend *cpu, const struct gemm *gemm)
{
    const int64_t width = cpu->kernel->columns;
    const int64_t jobs_wanted = (int64_t)JOBS_A_THREAD_WANTED * cpu->thread_count;
    const bool wide = gemm->columns >= gemm->depth;

    plan->depth_block = depth_block(gemm->depth);
    plan->chunk_columns =
        part_of(gemm->columns, wide ? PACKED_FLOATS / gemm->depth : INT64_MAX / 2, width);
    plan->chunk_depth = minimum(
        gemm->depth,
        part_of(gemm->depth, wide ? INT64_MAX / 2 : PACKED_FLOATS / plan->chunk_columns,
                plan->depth_block));
    plan->row_block = minimum(
        ROW_BLOCK, part_of(gemm->rows, maximum(ROW_BLOCK_LEAST, gemm->rows / jobs_wanted),
                           cpu->kernel->rows));
    const int64_t row_blocks = (gemm->rows + plan->row_block - 1) / plan->row_block;
    const int64_t groups = (jobs_wanted + row_blocks - 1) / row_blocks;
    plan->group_columns =
        part_of(plan->chunk_columns, (plan->chunk_columns + groups - 1) / groups, width);
    plan->rows_floats = ROW_BLOCK * plan->depth_block;
    plan->parallel = gemm->rows * gemm->columns * gemm->depth >= PARALLEL_MULTIPLICATIONS;
    plan->packed = cpu_scratch(cpu, SCRATCH_PACKED, plan->chunk_columns * plan->chunk_depth,
                               sizeof(float));
    plan->rows = cpu_thread_scratch(cpu, plan->rows_floats);
    return plan->packed && plan->rows;
}

static float *packed_panel(const struct gemm_kernel *kernel, const struct plan *plan,
                           const struct chunk *chunk, int64_t column, int64_t first,
                           int64_t depth)
{
    const int64_t padded = panel_count(kernel, chunk->columns) * kernel->columns;

    return plan->packed + (first - chunk->first) * padded + column * depth;
}

static void run_job(const struct gemm_kernel *kernel, const struct gemm *gemm,
                    const struct plan *plan, const struct chunk *chunk, int64_t row,
                    int64_t group)
{
    const int64_t end = minimum(chunk->columns, group + plan->group_columns);
    float *scratch = cpu_thread_piece(plan->rows, plan->rows_floats);

    for (int64_t first = chunk->first; first < chunk->end; first += plan->depth_block) {
        const int64_t depth = minimum(plan->depth_block, chunk->end - first);
        const struct row_block block =
            row_block_take(kernel, gemm, row, minimum(plan->row_block, gemm->rows - row),
                           first, depth, scratch);
        for (int64_t j = group; j < end; j += kernel->columns) {
            const struct gemm_panel panel = {
                .b = packed_panel(kernel, plan, chunk, j, first, depth)};
            run_panel(kernel, gemm, &block, row, panel, chunk->column + j, first, depth);
        }
    }
}

static void pack_job(const struct gemm_kernel *kernel, const struct gemm *gemm,
                     const struct plan *plan, const struct chunk *chunk, int64_t j)
{
    const int64_t columns = minimum(PACK_PANELS * kernel->columns, chunk->columns - j);

    for (int64_t first = chunk->first; first < chunk->end; first += plan->depth_block) {
        const int64_t depth = minimum(plan->depth_block, chunk->end - first);
        gemm_pack_panels(kernel, gemm, chunk->column + j, columns, first, depth,
                         packed_panel(kernel, plan, chunk, j, first, depth));
    }
}

/* Called by all threads of a region: both loops share out their rounds. */
static void run_chunk(const struct gemm_kernel *kernel, const struct gemm *gemm,
                      const struct plan *plan, const struct chunk *chunk)
{
#pragma omp for schedule(dynamic, 1)
    for (int64_t j = 0; j < chunk->columns; j += PACK_PANELS * kernel->columns)
        pack_job(kernel, gemm, plan, chunk, j);
#pragma omp for collapse(2) schedule(dynamic, 1)
    for (int64_t group = 0; group < chunk->columns; group += plan->group_columns)
        for (int64_t row = 0; row < gemm->rows; row += plan->row_block)
            run_job(kernel, gemm, plan, chunk, row, group);
}

static void gemm_many_rows(struct cpu_backend *cpu, const struct gemm *gemm)
{
    const struct gemm_kernel *kernel = cpu->kernel;
    struct plan plan;

    if (!plan_make(&plan, cpu, gemm))
        return;
#pragma omp parallel num_threads(cpu->thread_count) if (plan.parallel)
    for (int64_t first = 0; first < gemm->depth; first += plan.chunk_depth)
        for (int64_t column = 0; column < gemm->columns; column += plan.chunk_columns) {
            const struct chunk chunk = {
                .column = column,
                .columns = minimum(plan.chunk_columns, gemm->columns - column),
                .first = first,
                .end = minimum(gemm->depth, first + plan.chunk_depth)};
            run_chunk(kernel, gemm, &plan, &chunk);
        }
}

/* A block of rows with one panel, in all its depth. */
static void run_column(const struct gemm_kernel *kernel, const struct gemm *gemm,
                       int64_t row, int64_t column, float *scratch)
{
    const int64_t block = depth_block(gemm->depth);

    for (int64_t first = 0; first < gemm->depth; first += block) {
        const int64_t depth = minimum(block, gemm->depth - first);
        const struct row_block rows =
            row_block_take(kernel, gemm, row, minimum(ROW_BLOCK, gemm->rows - row), first,
                           depth, scratch + block * kernel->columns);
        const struct gemm_panel panel =
            gemm_panel_take(kernel, gemm, column, first, depth, scratch);
        run_panel(kernel, gemm, &rows, row, panel, column, first, depth);
    }
}

/*
 * Few rows, as in decoding, or a b that is arranged: a thread multiplies a panel with all
 * rows of a block at once, from where it lies or from its cache, into which it packs it. So
 * b is read from memory once for these rows, and written nowhere.
 */
static void gemm_by_panels(struct cpu_backend *cpu, const struct gemm *gemm)
{
    const struct gemm_kernel *kernel = cpu->kernel;
    const int64_t floats = depth_block(gemm->depth) * (kernel->columns + ROW_BLOCK);
    float *scratch = cpu_thread_scratch(cpu, floats);

    if (!scratch)
        return;
#pragma omp parallel for collapse(2) num_threads(cpu->thread_count)                        \
    schedule(dynamic, 2) if (gemm->columns * gemm->depth >= PARALLEL_FEW_ROWS)
    for (int64_t row = 0; row < gemm->rows; row += ROW_BLOCK)
        for (int64_t j = 0; j < gemm->columns; j += kernel->columns)
            run_column(kernel, gemm, row, j, cpu_thread_piece(scratch, floats));
}

/* A product over nothing: c = base, 0, or what it was. */
static void gemm_empty(const struct gemm *gemm)
{
    for (int64_t i = 0; i < gemm->rows && !gemm->accumulate; i++)
        for (int64_t j = 0; j < gemm->columns; j++)
            gemm->c[i * gemm->c_row + j] =
                gemm->base ? gemm->base[i * gemm->base_row + j] : 0.0f;
}

void gemm_parallel(struct cpu_backend *cpu, const struct gemm *gemm)
{
    CHECK(gemm->a_dtype == DTYPE_F32 || (gemm->in_bf16 && cpu->bf16));
    if (gemm->rows == 0 || gemm->columns == 0)
        return;
    if (gemm->depth == 0)
        gemm_empty(gemm);
    else if (gemm->in_bf16 && cpu->bf16)
        bf16_gemm_parallel(cpu, gemm);
    else if (gemm->rows <= FEW_ROWS || gemm->b_panels)
        gemm_by_panels(cpu, gemm);
    else
        gemm_many_rows(cpu, gemm);
}

int64_t gemm_packed_floats(const struct gemm_kernel *kernel, int64_t columns, int64_t depth)
{
    return panel_count(kernel, columns) * kernel->columns * depth;
}

void gemm_pack(const struct gemm_kernel *kernel, const struct gemm *gemm, float *packed)
{
    const int64_t padded = panel_count(kernel, gemm->columns) * kernel->columns;
    const int64_t block = depth_block(gemm->depth);

    for (int64_t first = 0; first < gemm->depth; first += block) {
        const int64_t depth = minimum(block, gemm->depth - first);
        gemm_pack_panels(kernel, gemm, 0, gemm->columns, first, depth,
                         packed + first * padded);
    }
}

void gemm_packed(const struct gemm_kernel *kernel, const struct gemm *gemm,
                 const float *packed)
{
    const int64_t padded = panel_count(kernel, gemm->columns) * kernel->columns;
    const int64_t block = depth_block(gemm->depth);

    for (int64_t first = 0; first < gemm->depth; first += block) {
        const int64_t depth = minimum(block, gemm->depth - first);
        const struct row_block rows =
            row_block_take(kernel, gemm, 0, gemm->rows, first, depth, NULL);
        for (int64_t j = 0; j < gemm->columns; j += kernel->columns) {
            const struct gemm_panel panel = {.b = packed + first * padded + j * depth};
            run_panel(kernel, gemm, &rows, 0, panel, j, first, depth);
        }
    }
}
