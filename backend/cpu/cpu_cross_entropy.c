#include "backend/cpu/cpu_gemm.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_softmax.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>
#include <string.h>

/* Rows of a chunk: enough that reading the vocabulary matrix costs little beside the
 * products, few enough that the logits of a small vocabulary stay in cache. */
enum { CHUNK_ROWS = 1024, LOGITS_FLOATS = 64 << 20 };

struct problem {
    struct cpu_backend *cpu;
    struct tensor *d_in;     /* NULL: sums only */
    struct tensor *d_weight; /* NULL: not wanted */
    const struct tensor *in;
    const struct tensor *weight;
    const struct targets *targets;
    float cap; /* 0: none */
    float smoothing;
    float scale;
    bool narrowed; /* gradients of logits become bf16, which is what products take */
    int64_t chunk_rows;
    double *loss;  /* [chunk rows] */
    double *nll;   /* [chunk rows] */
    float *logits; /* [chunk rows, V] */
    float *rows;   /* [chunk rows, C], gathered from `in` */
    float *d_rows; /* [chunk rows, C], to be scattered into d_in */
};

TARGET_CLONES
static double row_sum(const float *z, int64_t count)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < count; v++)
        sum += (double)z[v];
    return sum;
}

TARGET_CLONES
static void row_affine(float *z, int64_t count, float factor, float offset)
{
    for (int64_t v = 0; v < count; v++)
        z[v] = z[v] * factor - offset;
}

/* z <- cap tanh(z / cap) */
TARGET_CLONES
static void row_cap(float *z, int64_t count, float cap)
{
    const float inverse = 1.0f / cap;

    for (int64_t v = 0; v < count; v++)
        z[v] = cap * hyperbolic_tangent(z[v] * inverse);
}

/* sum of exp(z - highest); leaves z, for row_capped_gradient(). */
TARGET_CLONES
static float row_exponential_sum(const float *z, int64_t count, float highest)
{
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t v = 0; v < count; v++)
        sum += exponential(z[v] - highest);
    return sum;
}

/*
 * From capped logits to gradients of the logits before the cap, whose slope is
 * 1 - (z / cap)^2: z <- (factor exp(z - highest) - offset) (1 - (z / cap)^2).
 */
TARGET_CLONES
static void row_capped_gradient(float *z, int64_t count, float highest, float factor,
                                float offset, float cap)
{
    const float inverse = 1.0f / cap;

    for (int64_t v = 0; v < count; v++) {
        const float t = z[v] * inverse;
        z[v] = (exponential(z[v] - highest) * factor - offset) * (1.0f - t * t);
    }
}

/* A row becomes bf16 where it lies, with a zero behind an odd count. */
static void row_narrow(float *z, int64_t count)
{
    enum { PIECE = 1024 };
    uint16_t *out = (uint16_t *)(void *)z, piece[PIECE];

    for (int64_t v = 0; v < count; v += PIECE) {
        const int64_t length = minimum(PIECE, count - v);
        dtype_convert(piece, DTYPE_BF16, z + v, DTYPE_F32, length);
        memcpy(out + v, piece, (size_t)length * sizeof *piece);
    }
    if (count % 2)
        out[count] = 0;
}

/* Losses of row i of the chunk; its logits become scale * d loss / d logits. */
static void cross_entropy_row(const struct problem *p, int64_t i, int32_t target)
{
    const int64_t count = p->weight->shape[0];
    const double e = (double)p->smoothing;
    const float inverse = p->cap > 0 ? 1.0f / p->cap : 0.0f;
    float *z = p->logits + i * count;
    if (p->cap > 0)
        row_cap(z, count, p->cap);
    const float highest = cpu_maximum(z, count), target_logit = z[target];
    const double mean = e > 0 ? row_sum(z, count) / (double)count : 0;
    const float sum = p->cap > 0 ? row_exponential_sum(z, count, highest)
                                 : cpu_exponentials(z, count, highest);
    const double log_sum = (double)highest + log((double)sum);
    const float factor = p->scale / sum, offset = p->scale * p->smoothing / (float)count;
    const float slope = 1.0f - target_logit * inverse * (target_logit * inverse);

    p->nll[i] = log_sum - (double)target_logit;
    p->loss[i] = (1 - e) * p->nll[i] + e * (log_sum - mean);
    if (!p->d_in)
        return;
    if (p->cap > 0)
        row_capped_gradient(z, count, highest, factor, offset, p->cap);
    else
        row_affine(z, count, factor, offset);
    z[target] -= p->scale * (1.0f - p->smoothing) * slope;
    if (p->narrowed)
        row_narrow(z, count);
}

static void chunk_logits(const struct problem *p, int64_t rows)
{
    const int64_t width = p->in->shape[1], count = p->weight->shape[0];
    const struct gemm gemm = {
        .rows = rows,
        .columns = count,
        .depth = width,
        .a = p->rows,
        .a_row = width,
        .a_depth = 1,
        .b = p->weight->data,
        .b_dtype = p->weight->dtype,
        .in_bf16 = p->weight->dtype == DTYPE_BF16,
        .b_depth = 1,
        .b_column = width,
        .c = p->logits,
        .c_row = count,
    };
    gemm_parallel(p->cpu, &gemm);
}

static void chunk_backward_input(const struct problem *p, int64_t rows)
{
    const int64_t width = p->in->shape[1], count = p->weight->shape[0];
    const struct gemm gemm = {
        .rows = rows,
        .columns = width,
        .depth = count,
        .a = p->logits,
        .a_dtype = p->narrowed ? DTYPE_BF16 : DTYPE_F32,
        .a_row = p->narrowed ? 2 * count : count,
        .a_depth = 1,
        .a_ends_in_zero = true,
        .b = p->weight->data,
        .b_dtype = p->weight->dtype,
        .in_bf16 = p->weight->dtype == DTYPE_BF16,
        .b_depth = width,
        .b_column = 1,
        .c = p->d_rows,
        .c_row = width,
    };
    gemm_parallel(p->cpu, &gemm);
}

static void chunk_backward_weight(const struct problem *p, int64_t rows)
{
    const int64_t width = p->in->shape[1], count = p->weight->shape[0];
    const struct gemm gemm = {
        .rows = count,
        .columns = width,
        .depth = rows,
        .a = p->logits,
        .a_dtype = p->narrowed ? DTYPE_BF16 : DTYPE_F32,
        .a_row = 1,
        .a_depth = p->narrowed ? 2 * count : count,
        .b = p->rows,
        .b_depth = width,
        .b_column = 1,
        .c = f32(p->d_weight),
        .c_row = width,
        .accumulate = true,
        .in_bf16 = p->weight->dtype == DTYPE_BF16,
    };
    gemm_parallel(p->cpu, &gemm);
}

/* Targets [first, first + rows). */
static void chunk_run(const struct problem *p, int64_t first, int64_t rows)
{
    const int32_t *indices = p->targets->rows + first;
    const int64_t width = p->in->shape[1];
    const size_t bytes = (size_t)width * sizeof(float);

    for (int64_t i = 0; i < rows; i++)
        memcpy(p->rows + i * width, f32(p->in) + indices[i] * width, bytes);
    chunk_logits(p, rows);
#pragma omp parallel for num_threads(p->cpu->thread_count) schedule(dynamic, 4)
    for (int64_t i = 0; i < rows; i++)
        cross_entropy_row(p, i, p->targets->tokens[first + i]);
    if (!p->d_in)
        return;
    chunk_backward_input(p, rows);
    for (int64_t i = 0; i < rows; i++)
        memcpy(f32(p->d_in) + indices[i] * width, p->d_rows + i * width, bytes);
    if (p->d_weight)
        chunk_backward_weight(p, rows);
}

/* Equal chunks of at most CHUNK_ROWS rows and LOGITS_FLOATS logits. */
static int64_t chunk_rows_of(int64_t rows, int64_t vocabulary)
{
    const int64_t most =
        maximum(1, minimum(CHUNK_ROWS, LOGITS_FLOATS / maximum(1, vocabulary)));
    const int64_t chunks = maximum(1, (rows + most - 1) / most);

    return maximum(1, (rows + chunks - 1) / chunks);
}

static bool problem_reserve(struct problem *p)
{
    const int64_t width = p->in->shape[1];
    const int64_t rows = chunk_rows_of(p->targets->count, p->weight->shape[0]);

    p->chunk_rows = rows;
    p->loss = cpu_scratch(p->cpu, SCRATCH_PARTIAL, 2 * rows, sizeof(double));
    p->logits =
        cpu_scratch(p->cpu, SCRATCH_LOGITS, rows * p->weight->shape[0], sizeof(float));
    p->rows = cpu_scratch(p->cpu, SCRATCH_ROWS, 2 * rows * width, sizeof(float));
    if (!p->loss || !p->logits || !p->rows)
        return false;
    p->nll = p->loss + rows;
    p->d_rows = p->rows + rows * width;
    return true;
}

void cpu_linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                              struct tensor *d_in, struct tensor *d_weight,
                              const struct tensor *in, const struct tensor *weight,
                              const struct targets *targets, float cap,
                              float label_smoothing, float scale)
{
    struct problem p = {.cpu = cpu_of(backend),
                        .d_in = d_in,
                        .d_weight = d_weight,
                        .in = in,
                        .weight = weight,
                        .targets = targets,
                        .cap = cap,
                        .smoothing = label_smoothing,
                        .scale = scale};
    p.narrowed = p.cpu->bf16 && weight->dtype == DTYPE_BF16;

    if (!problem_reserve(&p))
        return;
    if (d_in)
        cpu_fill(backend, d_in, 0.0f);
    for (int64_t first = 0; first < targets->count; first += p.chunk_rows) {
        const int64_t rows = minimum(p.chunk_rows, targets->count - first);
        chunk_run(&p, first, rows);
        for (int64_t i = 0; i < rows; i++) {
            sums->loss += p.loss[i];
            sums->nll += p.nll[i];
        }
    }
}
