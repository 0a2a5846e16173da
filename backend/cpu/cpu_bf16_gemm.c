#include "backend/cpu/cpu_bf16_gemm.h"

#include "backend/cpu/cpu_bf16_kernel.h"

enum {
    DEPTH_BLOCK = 2048,                    /* of panels: 192 KiB a strip, of 1 MiB in L2 */
    STRIP = BF16_PANEL * BF16_TILE_PANELS, /* columns that stay there while rows pass */
    ROUND_ROWS = 8,                        /* of a, in one job of rounding; */
    ROUND_ROWS_ACROSS = 64,                /* four lines where they lie across memory */
    ROW_BLOCK_LEAST = 96,                  /* of a job: each packs its columns of b anew */
    ROUNDED_ELEMENTS = 4 << 20,            /* 8 MiB of a at a time */
    PARALLEL_MULTIPLICATIONS = 1 << 19,    /* below: one thread, some 10 us, */
    PARALLEL_ELEMENTS = 1 << 16,           /* but for a b of so many */
    JOBS_A_THREAD_WANTED = 8,              /* so that a slow core holds nobody up */
    LINE_ELEMENTS = 32,
    AHEAD = 32 * LINE_ELEMENTS, /* what is fetched of a panel before it is needed */
};

struct plan {
    const struct bf16_kernel *kernel;
    const struct gemm *gemm;
    int64_t depth_block;
    int64_t chunk_depth; /* a multiple of depth_block: what of a is rounded at a time */
    int64_t round_rows;  /* of a job that rounds */
    int64_t job_rows;
    int64_t job_columns; /* a multiple of STRIP */
    uint16_t *rounded;   /* [rows][chunk_stride]: a in bf16; across memory, in panels;
                            NULL: a is read where it lies, in one chunk */
    int64_t chunk_stride;
    float *scratch; /* of the threads: a strip of b in panels; NULL: b is in panels */
    int64_t scratch_floats;
    bool parallel;
};

/* Part of a product: of the chunk of depth that begins at chunk, the block [first, first +
 * depth). */
struct piece {
    int64_t chunk;
    int64_t first, depth;
    int64_t row, rows;
    int64_t column, columns;
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

/* Ranges of columns, and of rows where those are too few. */
static void plan_jobs(struct plan *plan, int thread_count)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t wanted = (int64_t)JOBS_A_THREAD_WANTED * thread_count;

    plan->job_columns = round_up(parts(gemm->columns, wanted), STRIP);
    const int64_t ranges = parts(gemm->columns, plan->job_columns);
    const int64_t rows = maximum(ROW_BLOCK_LEAST, parts(gemm->rows, parts(wanted, ranges)));
    plan->job_rows = round_up(minimum(rows, gemm->rows), BF16_TILE_ROWS);
    plan->parallel = gemm->rows * gemm->columns * gemm->depth >= PARALLEL_MULTIPLICATIONS ||
                     gemm->columns * gemm->depth >= PARALLEL_ELEMENTS;
}

static bool plan_make(struct plan *plan, struct cpu_backend *cpu, const struct gemm *gemm)
{
    *plan = (struct plan){.kernel = cpu->bf16, .gemm = gemm};
    plan->depth_block = depth_block_of(gemm->depth);
    plan->round_rows = gemm->a_depth == 1 ? ROUND_ROWS : ROUND_ROWS_ACROSS;
    plan_jobs(plan, cpu->thread_count);
    const bool in_place = gemm->a_dtype == DTYPE_BF16 && gemm->a_depth == 1 &&
                          (gemm->depth % 2 == 0 || gemm->a_ends_in_zero);
    const int64_t most = ROUNDED_ELEMENTS / (gemm->rows * plan->depth_block);
    const int64_t blocks = minimum(parts(gemm->depth, plan->depth_block),
                                   in_place ? INT64_MAX : maximum(1, most));
    plan->chunk_depth = blocks * plan->depth_block;
    plan->chunk_stride = round_up(minimum(plan->chunk_depth, gemm->depth), BF16_STEP);
    if (!in_place)
        plan->rounded = cpu_scratch(cpu, SCRATCH_PACKED, gemm->rows * plan->chunk_stride,
                                    sizeof *plan->rounded);
    if (gemm->b_panels)
        return plan->rounded || in_place;
    plan->scratch_floats = STRIP * plan->depth_block / 2;
    plan->scratch = cpu_thread_scratch(cpu, plan->scratch_floats);
    return (plan->rounded || in_place) && plan->scratch;
}

static const void *element(const void *matrix, enum dtype type, int64_t offset)
{
    return (const char *)matrix + offset * (int64_t)dtype_bytes(type);
}

/* Rows of a chunk of a, in bf16: as they lie along the depth, else as columns of panels. */
static void round_job(const struct plan *plan, int64_t chunk, int64_t end, int64_t row)
{
    const struct gemm *gemm = plan->gemm;
    const void *a =
        element(gemm->a, gemm->a_dtype, row * gemm->a_row + chunk * gemm->a_depth);
    uint16_t *out = plan->rounded + row * plan->chunk_stride;
    const int64_t rows = minimum(plan->round_rows, gemm->rows - row);

    if (gemm->a_depth == 1)
        plan->kernel->round(out, plan->chunk_stride, a, gemm->a_dtype, gemm->a_row, rows,
                            end - chunk);
    else
        plan->kernel->pack_across(out, BF16_PANEL * plan->chunk_stride, a, gemm->a_dtype,
                                  gemm->a_depth, rows, end - chunk);
}

/* Where the tile from `row` on finds its rows of a. */
static void find_rows(const struct plan *plan, const struct piece *at, int64_t row,
                      struct bf16_tile *tile)
{
    const int64_t depth = at->first - at->chunk, panel = row / BF16_PANEL * BF16_PANEL;

    if (!plan->rounded) {
        tile->a = (const uint16_t *)plan->gemm->a + row * plan->gemm->a_row + at->first;
        tile->a_row = plan->gemm->a_row;
        return;
    }
    if (plan->gemm->a_depth == 1) {
        tile->a = plan->rounded + row * plan->chunk_stride + depth;
        return;
    }
    const int64_t width = minimum(BF16_PANEL, plan->gemm->rows - panel);
    tile->a =
        plan->rounded + panel * plan->chunk_stride + depth * width + 2 * (row - panel);
    tile->a_row = 2;
    tile->a_pair = 2 * width;
}

/* The piece's strip of b in panels, one after another. */
static void pack_strip(const struct plan *plan, const struct piece *at, uint16_t *out)
{
    const struct gemm *gemm = plan->gemm;
    const char *in = element(gemm->b, gemm->b_dtype,
                             at->first * gemm->b_depth + at->column * gemm->b_column);
    const int64_t panel = BF16_PANEL * round_up(at->depth, 2);

    if (gemm->b_depth != 1) {
        plan->kernel->pack_across(out, panel, in, gemm->b_dtype, gemm->b_depth, at->columns,
                                  at->depth);
        return;
    }
    for (int64_t j = 0; j < at->columns; j += BF16_PANEL)
        plan->kernel->pack(out + j / BF16_PANEL * panel,
                           element(in, gemm->b_dtype, j * gemm->b_column), gemm->b_dtype,
                           gemm->b_column, minimum(BF16_PANEL, at->columns - j), at->depth);
}

/* Where the strip's panels lie: as packed, or in b. */
static void find_panels(const struct plan *plan, const struct piece *at,
                        struct bf16_tile *tile)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t width = minimum(BF16_PANEL, at->columns);

    if (plan->scratch) {
        uint16_t *packed =
            (uint16_t *)(void *)cpu_thread_piece(plan->scratch, plan->scratch_floats);
        pack_strip(plan, at, packed);
        tile->b = packed;
        tile->b_panel = BF16_PANEL * round_up(at->depth, 2);
        return;
    }
    tile->b = (const uint16_t *)gemm->b + at->column * gemm->depth + at->first * width;
    tile->b_panel = BF16_PANEL * gemm->depth;
}

/* Panel after panel, in the order of memory: what few rows wait for. */
static void run_panels(const struct plan *plan, int64_t whole, int64_t rows,
                       const struct bf16_tile *tile)
{
    struct bf16_tile one = *tile;

    one.fetch_lines = one.pairs;
    for (int64_t j = 0; j < whole; j++) {
        one.fetch = one.b + AHEAD;
        plan->kernel->run(rows, 1, &one);
        one.b += one.b_panel;
        one.c += BF16_PANEL;
        if (one.base)
            one.base += BF16_PANEL;
    }
}

/* Up to BF16_TILE_ROWS rows with all whole panels of the strip, and the narrow one. */
static void run_tile(const struct plan *plan, const struct piece *at, int64_t rows,
                     struct bf16_tile *tile)
{
    const int64_t whole = at->columns / BF16_PANEL, rest = at->columns % BF16_PANEL;

    if (at->rows <= BF16_TILE_ROWS)
        run_panels(plan, whole, rows, tile);
    else if (whole > 0)
        plan->kernel->run(rows, whole, tile);
    if (rest == 0)
        return;
    /* It lies behind the whole ones; its pairs are not as far apart as theirs. */
    struct bf16_tile last = *tile;
    last.b += whole * tile->b_panel;
    if (whole > 0 && !plan->scratch)
        last.b -= at->first * (BF16_PANEL - rest);
    last.c += whole * BF16_PANEL;
    if (last.base)
        last.base += whole * BF16_PANEL;
    last.fetch_lines = 0;
    plan->kernel->run_narrow(rows, rest, &last);
}

/* A tile at row i fetches its share of the strip behind this one, which is needed next. */
static void fetch_set(const struct plan *plan, const struct piece *at, int64_t i,
                      struct bf16_tile *tile)
{
    const int64_t lines = at->columns * tile->pairs * 2 / LINE_ELEMENTS;
    const int64_t tiles = parts(at->rows, BF16_TILE_ROWS), n = i / BF16_TILE_ROWS;

    tile->fetch =
        tile->b + BF16_TILE_PANELS * tile->b_panel + lines * n / tiles * LINE_ELEMENTS;
    tile->fetch_lines = plan->scratch ? 0 : lines * (n + 1) / tiles - lines * n / tiles;
}

static void run_strip(const struct plan *plan, const struct piece *at)
{
    const struct gemm *gemm = plan->gemm;
    struct bf16_tile tile = {.pairs = (at->depth + 1) / 2,
                             .a_row = plan->chunk_stride,
                             .a_pair = 2,
                             .c_row = gemm->c_row};

    find_panels(plan, at, &tile);
    for (int64_t i = 0; i < at->rows; i += BF16_TILE_ROWS) {
        find_rows(plan, at, at->row + i, &tile);
        tile.c = gemm->c + (at->row + i) * gemm->c_row + at->column;
        gemm_base_take(gemm, at->row + i, at->column, at->first, &tile.base,
                       &tile.base_row);
        fetch_set(plan, at, i, &tile);
        run_tile(plan, at, minimum(BF16_TILE_ROWS, at->rows - i), &tile);
    }
}

/* Rows [row, ...) of one job with its columns, strip by strip. */
static void run_job(const struct plan *plan, int64_t chunk, int64_t end, int64_t row,
                    int64_t column)
{
    const struct gemm *gemm = plan->gemm;
    const int64_t last = minimum(gemm->columns, column + plan->job_columns);
    struct piece at = {.chunk = chunk, .row = row};

    at.rows = minimum(plan->job_rows, gemm->rows - row);
    for (at.column = column; at.column < last; at.column += STRIP) {
        at.columns = minimum(STRIP, last - at.column);
        for (at.first = chunk; at.first < end; at.first += plan->depth_block) {
            at.depth = minimum(plan->depth_block, end - at.first);
            run_strip(plan, &at);
        }
    }
}

/* Called by all threads of a region: both loops share out their rounds. */
static void run_chunk(const struct plan *plan, int64_t chunk, int64_t end)
{
    const struct gemm *gemm = plan->gemm;

#pragma omp for schedule(dynamic, 1)
    for (int64_t row = 0; row < (plan->rounded ? gemm->rows : 0); row += plan->round_rows)
        round_job(plan, chunk, end, row);
#pragma omp for collapse(2) schedule(dynamic, 1)
    for (int64_t column = 0; column < gemm->columns; column += plan->job_columns)
        for (int64_t row = 0; row < gemm->rows; row += plan->job_rows)
            run_job(plan, chunk, end, row, column);
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
