#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

TARGET_CLONES
static void swiglu_row(float *restrict out, const float *restrict gate,
                       const float *restrict up, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

void cpu_swiglu_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *gate_up)
{
    const int64_t rows = out->shape[0], columns = out->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++)
        swiglu_row(f32(out) + t * columns, f32(gate_up) + t * 2 * columns,
                   f32(gate_up) + t * 2 * columns + columns, columns);
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

void cpu_swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];

    CPU_PARALLEL_FOR(cpu_of(backend), rows * columns)
    for (int64_t t = 0; t < rows; t++) {
        float *d_gate = f32(d_gate_up) + t * 2 * columns;
        const float *gate = f32(gate_up) + t * 2 * columns;
        swiglu_backward_row(d_gate, d_gate + columns, f32(d_out) + t * columns, gate,
                            gate + columns, columns);
        if (out)
            swiglu_row(f32(out) + t * columns, gate, gate + columns, columns);
    }
}
