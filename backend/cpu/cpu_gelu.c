#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_row.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

/* sqrt(2 / pi), and the cubic term of the approximation. */
static const float slope = 0.797884560802865f, cubic = 0.044715f;

/* values[i] <- gelu(in[i]), slopes[i] <- gelu'(in[i]) */
TARGET_CLONES
static void tanh_row(float *restrict values, float *restrict slopes,
                     const float *restrict in, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float x = in[i];
        const float t = hyperbolic_tangent(slope * (x + cubic * x * x * x));
        const float d_inner = slope * (1.0f + 3.0f * cubic * x * x);
        values[i] = 0.5f * x * (1.0f + t);
        slopes[i] = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * d_inner;
    }
}

/* gelu'(x) = Phi(x) + x phi(x), phi the normal density */
static void exact_row(float *restrict values, float *restrict slopes,
                      const float *restrict in, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float x = in[i];
        const float phi = 0.398942280401433f * exponential(-0.5f * x * x);
        const float share = 0.5f * erfcf(-0.707106781186548f * x);
        values[i] = x * share;
        slopes[i] = share + x * phi;
    }
}

static void gelu_row(float *values, float *slopes, const float *in, int64_t count,
                     enum gelu_kind kind)
{
    if (kind == GELU_TANH)
        tanh_row(values, slopes, in, count);
    else
        exact_row(values, slopes, in, count);
}

TARGET_CLONES
static void multiply(float *restrict out, const float *restrict a, const float *restrict b,
                     int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = a[i] * b[i];
}

enum { PIECE = 512 }; /* numbers of a row at a time, so that scratch is on the stack */

/* `in`, `in` + columns: gate and up of one row, or (not gated) in alone. */
static void forward_row(const struct cpu_row *out, const float *in, int64_t columns,
                        bool gated, enum gelu_kind kind)
{
    float slopes[PIECE], buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        float *values = cpu_row_piece(out, j, buffer);
        gelu_row(values, slopes, in + j, count, kind);
        for (int64_t i = 0; gated && i < count; i++)
            values[i] *= in[columns + j + i];
        cpu_row_store(out, j, values, count);
    }
}

void cpu_gelu_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                      enum gelu_kind kind)
{
    const int64_t rows = out->shape[0], columns = out->shape[1], width = in->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        forward_row(&(struct cpu_row){out, t * columns}, f32(in) + t * width, columns,
                    width > columns, kind);
}

static void backward_row(const struct cpu_row *d_in, const float *d_out, const float *in,
                         int64_t columns, bool gated, enum gelu_kind kind)
{
    float values[PIECE], slopes[PIECE], buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        gelu_row(values, slopes, in + j, count, kind);
        float *d_gate = cpu_row_piece(d_in, j, buffer);
        multiply(d_gate, d_out + j, slopes, count);
        for (int64_t i = 0; gated && i < count; i++)
            d_gate[i] *= in[columns + j + i];
        cpu_row_store(d_in, j, d_gate, count);
        if (!gated)
            continue;
        float *d_up = cpu_row_piece(d_in, columns + j, buffer);
        multiply(d_up, d_out + j, values, count);
        cpu_row_store(d_in, columns + j, d_up, count);
    }
}

void cpu_gelu_backward(struct backend *backend, struct tensor *d_in, struct tensor *out,
                       const struct tensor *d_out, const struct tensor *in,
                       enum gelu_kind kind)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1], width = in->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        backward_row(&(struct cpu_row){d_in, t * width}, f32(d_out) + t * columns,
                     f32(in) + t * width, columns, width > columns, kind);
    if (out)
        cpu_gelu_forward(backend, out, in, kind);
}
