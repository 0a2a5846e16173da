#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_row.h"
#include "backend/cpu/cpu_target.h"

TARGET_CLONES
static void swiglu_row(float *restrict out, const float *restrict gate,
                       const float *restrict up, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

enum { PIECE = 512 }; /* of a row at a time, so that what is narrowed is on the stack */

static void forward_row(const struct cpu_row *out, const float *gate, int64_t columns)
{
    float buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        float *piece = cpu_row_piece(out, j, buffer);
        swiglu_row(piece, gate + j, gate + columns + j, count);
        cpu_row_store(out, j, piece, count);
    }
}

void cpu_swiglu_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *gate_up)
{
    const int64_t rows = out->shape[0], columns = out->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        forward_row(&(struct cpu_row){out, t * columns}, f32(gate_up) + t * 2 * columns,
                    columns);
}

/* silu'(x) = s (1 + x (1 - s)) with s = sigmoid(x) */
TARGET_CLONES
static void swiglu_backward_row(float *restrict d_gate, float *restrict d_up,
                                const float *restrict d_out, const float *restrict gate,
                                const float *restrict up, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float x = gate[i], s = sigmoid(x);
        d_gate[i] = d_out[i] * up[i] * (s * (1.0f + x * (1.0f - s)));
        d_up[i] = d_out[i] * (x * s);
    }
}

static void backward_row(const struct cpu_row *d_gate_up, const float *d_out,
                         const float *gate, int64_t columns)
{
    float gate_buffer[PIECE], up_buffer[PIECE];

    for (int64_t j = 0; j < columns; j += PIECE) {
        const int64_t count = minimum(PIECE, columns - j);
        float *d_gate = cpu_row_piece(d_gate_up, j, gate_buffer);
        float *d_up = cpu_row_piece(d_gate_up, columns + j, up_buffer);
        swiglu_backward_row(d_gate, d_up, d_out + j, gate + j, gate + columns + j, count);
        cpu_row_store(d_gate_up, j, d_gate, count);
        cpu_row_store(d_gate_up, columns + j, d_up, count);
    }
}

void cpu_swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++) {
        const float *gate = f32(gate_up) + t * 2 * columns;
        backward_row(&(struct cpu_row){d_gate_up, t * 2 * columns},
                     f32(d_out) + t * columns, gate, columns);
        if (out)
            forward_row(&(struct cpu_row){out, t * columns}, gate, columns);
    }
}
