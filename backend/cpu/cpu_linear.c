#include "backend/cpu/cpu_gemm.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

void cpu_linear_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias)
{
    const int64_t depth = weight->shape[1];
    const struct gemm gemm = {
        .rows = in->shape[0],
        .columns = weight->shape[0],
        .depth = depth,
        .a = f32(in),
        .a_row = depth,
        .a_depth = 1,
        .b = f32(weight),
        .b_depth = 1,
        .b_column = depth,
        .c = f32(out),
        .c_row = weight->shape[0],
        .bias = bias ? f32(bias) : NULL,
    };
    gemm_parallel(cpu_of(backend), &gemm);
}

void cpu_linear_backward_input(struct backend *backend, struct tensor *d_in,
                               const struct tensor *d_out, const struct tensor *weight,
                               bool accumulate)
{
    const int64_t depth = weight->shape[0];
    const struct gemm gemm = {
        .rows = d_in->shape[0],
        .columns = weight->shape[1],
        .depth = depth,
        .a = f32(d_out),
        .a_row = depth,
        .a_depth = 1,
        .b = f32(weight),
        .b_depth = weight->shape[1],
        .b_column = 1,
        .c = f32(d_in),
        .c_row = weight->shape[1],
        .accumulate = accumulate,
    };
    gemm_parallel(cpu_of(backend), &gemm);
}

enum { BIAS_COLUMNS = 64 }; /* of one job, so that no two write to one cache line */

TARGET_CLONES
static void add_column_sums(float *sum, const float *rows, int64_t row_count,
                            int64_t stride, int64_t columns)
{
    float partial[BIAS_COLUMNS] = {0};

    for (int64_t t = 0; t < row_count; t++)
        for (int64_t j = 0; j < columns; j++)
            partial[j] += rows[t * stride + j];
    for (int64_t j = 0; j < columns; j++)
        sum[j] += partial[j];
}

static void bias_backward(struct cpu_backend *cpu, struct tensor *d_bias,
                          const struct tensor *d_out)
{
    const int64_t rows = d_out->shape[0], columns = d_out->shape[1];

    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t j = 0; j < columns; j += BIAS_COLUMNS)
        add_column_sums(f32(d_bias) + j, f32(d_out) + j, rows, columns,
                        minimum(BIAS_COLUMNS, columns - j));
}

void cpu_linear_backward_weight(struct backend *backend, struct tensor *d_weight,
                                struct tensor *d_bias, const struct tensor *d_out,
                                const struct tensor *in)
{
    const struct gemm gemm = {
        .rows = d_weight->shape[0],
        .columns = d_weight->shape[1],
        .depth = in->shape[0],
        .a = f32(d_out),
        .a_row = 1,
        .a_depth = d_weight->shape[0],
        .b = f32(in),
        .b_depth = d_weight->shape[1],
        .b_column = 1,
        .c = f32(d_weight),
        .c_row = d_weight->shape[1],
        .accumulate = true,
    };
    gemm_parallel(cpu_of(backend), &gemm);
    if (d_bias)
        bias_backward(cpu_of(backend), d_bias, d_out);
}
