#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"
#include "base/error.h"

/* Elements of one job; the partition never depends on the number of threads. */
enum { PIECE = 16384 };

TARGET_CLONES
static void fill_piece(float *out, float value, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = value;
}

void cpu_fill(struct backend *backend, struct tensor *tensor, float value)
{
    const int64_t count = tensor_count(tensor);

    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += PIECE)
        fill_piece(f32(tensor) + i, value, minimum(PIECE, count - i));
}

TARGET_CLONES
static void add_piece(float *out, const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = a[i] + b[i];
}

void cpu_add(struct backend *backend, struct tensor *out, const struct tensor *a,
             const struct tensor *b)
{
    const int64_t count = tensor_count(out);

    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += PIECE)
        add_piece(f32(out) + i, f32(a) + i, f32(b) + i, minimum(PIECE, count - i));
}

TARGET_CLONES
static void scale_piece(float *out, float factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] *= factor;
}

void cpu_scale(struct backend *backend, struct tensor *tensor, float factor)
{
    const int64_t count = tensor_count(tensor);

    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += PIECE)
        scale_piece(f32(tensor) + i, factor, minimum(PIECE, count - i));
}

TARGET_CLONES
static void soft_cap_piece(float *values, float cap, int64_t count)
{
    const float inverse = 1.0f / cap;

    for (int64_t i = 0; i < count; i++)
        values[i] = cap * hyperbolic_tangent(values[i] * inverse);
}

void cpu_soft_cap(struct backend *backend, struct tensor *values, float cap)
{
    const int64_t count = tensor_count(values);

    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += PIECE)
        soft_cap_piece(f32(values) + i, cap, minimum(PIECE, count - i));
}

TARGET_CLONES
static double sum_of_squares_piece(const float *in, int64_t count)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)in[i] * (double)in[i];
    return sum;
}

void cpu_sum_of_squares(struct backend *backend, struct tensor *sum,
                        const struct tensor *tensor)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const int64_t count = tensor_count(tensor);
    const int64_t pieces = (count + PIECE - 1) / PIECE;
    double *partial = cpu_scratch(cpu, SCRATCH_PARTIAL, pieces, sizeof *partial);

    if (!partial)
        return;
    CPU_PARALLEL_FOR(cpu, count)
    for (int64_t i = 0; i < pieces; i++)
        partial[i] = sum_of_squares_piece(f32(tensor) + i * PIECE,
                                          minimum(PIECE, count - i * PIECE));
    for (int64_t i = 0; i < pieces; i++)
        *(double *)sum->data += partial[i];
}
