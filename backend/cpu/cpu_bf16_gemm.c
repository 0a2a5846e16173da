#include "backend/cpu/cpu_bf16_gemm.h"

#include "backend/cpu/cpu_bf16_kernel.h"

enum {
    DEPTH_BLOCK = 1024,        /* tiles of a and b: 8 KiB each, of 32 in L1 */
    ROW_BLOCK = 64,            /* rows of a in one job: 128 KiB with a full depth block */
    STRIP_COLUMNS = 8,         /* that stay in L1 while rows pass from L2, */
    STRIP_ROWS = 16,           /* if there are so many */
    PACK_ROWS = 64,            /* of b, in one job of rounding */
    GROUP_LEAST = 32,          /* columns of a job */
    PACKED_ELEMENTS = 4 << 20, /* 8 MiB of b at a time */
    PARALLEL_MULTIPLICATIONS = 1 << 19, /* below: one thread, some 10 us, */
    PARALLEL_ELEMENTS = 1 << 16,        /* but for a b of so many */
    JOBS_A_THREAD_WANTED = 4,           /* so that a slow core holds nobody up */
};

struct plan {
    const struct bf16_kernel *kernel;
    const struct gemm *gemm;
    int64_t depth_block;
    int64_t chunk_depth;   /* a multiple of depth_block: what of b is rounded at a time */
    int64_t row_block;     /* rows of a job */
    int64_t group_columns; /* columns of a job */
    uint16_t *packed;      /* [depth blocks][columns][depth of the block]; NULL: b serves */
    float *scratch;        /* of the threads: a block of a in bf16 */
    int64_t scratch_floats;
    bool parallel;
};

static int64_t round_up(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

/* A function of the depth alone: see the order of summation in the header. */
static int64_t depth_block_of(int64_t depth)
{
    return round_up(parts(depth, parts(depth, DEPTH_BLOCK)), BF16_STEP);
}

static bool reads_in_place(const struct gemm *gemm)
{
    return gemm->b_dtype == DTYPE_BF16 && gemm->b_depth == 1;
}

static void plan_jobs(struct plan *plan, int thread_count)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t row_blocks = parts(gemm->rows, ROW_BLOCK);
    const int64_t groups = parts((int64_t)JOBS_A_THREAD_WANTED * thread_count, row_blocks);

    plan->row_block = round_up(parts(gemm->rows, row_blocks), BF16_TILE);
    plan->group_columns =
        maximum(GROUP_LEAST, round_up(parts(gemm->columns, groups), BF16_TILE));
    plan->parallel = gemm->rows * gemm->columns * gemm->depth >= PARALLEL_MULTIPLICATIONS ||
                     gemm->columns * gemm->depth >= PARALLEL_ELEMENTS;
}

static bool plan_make(struct plan *plan, struct cpu_backend *cpu, const struct gemm *gemm)
{
    *plan = (struct plan){.kernel = cpu->bf16, .gemm = gemm};
    plan->depth_block = plan->chunk_depth = depth_block_of(gemm->depth);
    plan_jobs(plan, cpu->thread_count);
    plan->scratch_floats = plan->row_block * plan->depth_block / 2;
    plan->scratch = cpu_thread_scratch(cpu, plan->scratch_floats);
    if (reads_in_place(gemm)) {
        plan->chunk_depth = round_up(gemm->depth, plan->depth_block);
        return plan->scratch;
    }
    const int64_t block = gemm->columns * plan->depth_block;
    const int64_t blocks =
        minimum(parts(gemm->depth, plan->depth_block), maximum(1, PACKED_ELEMENTS / block));
    plan->chunk_depth = blocks * plan->depth_block;
    plan->packed = cpu_scratch(cpu, SCRATCH_PACKED, blocks * block, sizeof(uint16_t));
    return plan->scratch && plan->packed;
}

/* Rows of a, or columns of b, in bf16, along the depth; `lies_along`: as they are. */
static void take(const struct plan *plan, uint16_t *out, const void *in, enum dtype type,
                 int64_t stride, bool lies_along, int64_t count, int64_t depth)
{
    const int64_t padded = round_up(depth, BF16_STEP);

    if (lies_along)
        plan->kernel->round(out, padded, in, type, stride, count, depth);
    else
        plan->kernel->round_across(out, padded, in, type, stride, count, depth);
}

static const void *element(const void *matrix, enum dtype type, int64_t offset)
{
    return (const char *)matrix + offset * (int64_t)dtype_bytes(type);
}

/* Columns from `column` on of one depth block, rounded. */
static uint16_t *packed_at(const struct plan *plan, int64_t chunk, int64_t first,
                           int64_t column, int64_t depth)
{
    return plan->packed + (first - chunk) * plan->gemm->columns +
           column * round_up(depth, BF16_STEP);
}

static void pack_job(const struct plan *plan, int64_t chunk, int64_t end, int64_t column)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t columns = minimum(PACK_ROWS, gemm->columns - column);
    const bool along = gemm->b_depth == 1;

    for (int64_t first = chunk; first < end; first += plan->depth_block) {
        const int64_t depth = minimum(plan->depth_block, end - first);
        take(plan, packed_at(plan, chunk, first, column, depth),
             element(gemm->b, gemm->b_dtype,
                     first * gemm->b_depth + column * gemm->b_column),
             gemm->b_dtype, along ? gemm->b_column : gemm->b_depth, along, columns, depth);
    }
}

static int64_t strip_columns(int64_t rows)
{
    return rows < STRIP_ROWS ? BF16_TILE : STRIP_COLUMNS;
}

/* Which of the columns `ahead` further on the tile at row i fetches: one, if there are
 * tiles enough, so that fetching never holds the products up. */
static void fetch_set(struct bf16_tile *tile, int64_t i, int64_t rows, int64_t ahead)
{
    const int64_t tiles = minimum(BF16_TILE, parts(rows, BF16_TILE)), at = i / BF16_TILE;
    const int64_t begin = BF16_TILE * at / tiles;

    tile->fetch = tile->b + (ahead + begin) * tile->b_row;
    tile->fetch_columns = at < tiles ? BF16_TILE * (at + 1) / tiles - begin : 0;
}

/* The tiles of a few rows with columns [column, end) of the group, which begins at b. */
static void run_strip(const struct plan *plan, int64_t row, int64_t rows, int64_t i,
                      struct bf16_tile *tile, const uint16_t *b, int64_t column,
                      int64_t end, int64_t first)
{
    const struct gemm *gemm = plan->gemm;

    for (int64_t j = column; j < end; j += BF16_TILE) {
        tile->b = b + (j - column) * tile->b_row;
        tile->c = gemm->c + (row + i) * gemm->c_row + j;
        tile->base = first > 0 || gemm->accumulate ? tile->c
                     : gemm->bias                  ? gemm->bias + j
                                                   : NULL;
        tile->base_row = tile->base == tile->c ? gemm->c_row : 0;
        fetch_set(tile, i, rows, strip_columns(rows));
        plan->kernel->run(minimum(BF16_TILE, rows - i), minimum(BF16_TILE, end - j), tile);
    }
}

/* All tiles of a block of rows, rounded, with columns [group, end) at one depth block. */
static void run_tiles(const struct plan *plan, const uint16_t *a, int64_t row, int64_t rows,
                      struct bf16_tile *tile, int64_t group, int64_t end, int64_t first)
{
    const uint16_t *b = tile->b;
    const int64_t strip = strip_columns(rows);

    for (int64_t j = group; j < end; j += strip)
        for (int64_t i = 0; i < rows; i += BF16_TILE) {
            tile->a = a + i * tile->a_row;
            run_strip(plan, row, rows, i, tile, b + (j - group) * tile->b_row, j,
                      minimum(end, j + strip), first);
        }
}

static void run_job(const struct plan *plan, int64_t chunk, int64_t end, int64_t row,
                    int64_t group)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t rows = minimum(plan->row_block, gemm->rows - row);
    const int64_t group_end = minimum(gemm->columns, group + plan->group_columns);
    const bool along = gemm->a_depth == 1;
    uint16_t *a = (uint16_t *)(void *)cpu_thread_piece(plan->scratch, plan->scratch_floats);

    for (int64_t first = chunk; first < end; first += plan->depth_block) {
        const int64_t depth = minimum(plan->depth_block, end - first);
        struct bf16_tile tile = {
            .depth = depth, .a_row = round_up(depth, BF16_STEP), .c_row = gemm->c_row};
        if (plan->packed) {
            tile.b = packed_at(plan, chunk, first, group, depth);
            tile.b_row = tile.a_row;
        } else {
            tile.b = element(gemm->b, DTYPE_BF16, group * gemm->b_column + first);
            tile.b_row = gemm->b_column;
        }
        take(plan, a, gemm->a + row * gemm->a_row + first * gemm->a_depth, DTYPE_F32,
             along ? gemm->a_row : gemm->a_depth, along, rows, depth);
        run_tiles(plan, a, row, rows, &tile, group, group_end, first);
    }
}

/* Called by all threads of a region: both loops share out their rounds. */
static void run_chunk(const struct plan *plan, int64_t chunk, int64_t end)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t packed = plan->packed ? gemm->columns : 0;

#pragma omp for schedule(dynamic, 1)
    for (int64_t j = 0; j < packed; j += PACK_ROWS)
        pack_job(plan, chunk, end, j);
#pragma omp for collapse(2) schedule(dynamic, 1)
    for (int64_t group = 0; group < gemm->columns; group += plan->group_columns)
        for (int64_t row = 0; row < gemm->rows; row += plan->row_block)
            run_job(plan, chunk, end, row, group);
}

void bf16_gemm_parallel(struct cpu_backend *cpu, const struct gemm *gemm)
{
    struct plan plan;

    if (!plan_make(&plan, cpu, gemm))
        return;
#pragma omp parallel num_threads(cpu->thread_count) if (plan.parallel)
    for (int64_t chunk = 0; chunk < gemm->depth; chunk += plan.chunk_depth)
        run_chunk(&plan, chunk, minimum(gemm->depth, chunk + plan.chunk_depth));
}
