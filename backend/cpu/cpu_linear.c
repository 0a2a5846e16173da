#include "backend/cpu/cpu_fp8.h"
#include "backend/cpu/cpu_gemm.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_panels.h"
#include "backend/cpu/cpu_target.h"

/* sum[t,:] += addend[t,:]; addend_stride 0 adds one row to all. */
TARGET_CLONES
static void add_rows(float *sum, int64_t stride, const float *addend, int64_t addend_stride,
                     int64_t rows, int64_t columns)
{
    for (int64_t t = 0; t < rows; t++)
        for (int64_t j = 0; j < columns; j++)
            sum[t * stride + j] += addend[t * addend_stride + j];
}

static void add_to_matrix(struct cpu_backend *cpu, struct tensor *out, const float *addend,
                          int64_t addend_stride)
{
    enum { ROWS = 16 };
    const int64_t rows = out->shape[0], columns = out->shape[1];
    const int64_t stride = tensor_row_stride(out);

    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t t = 0; t < rows; t += ROWS)
        add_rows(f32(out) + t * stride, stride, addend + t * addend_stride, addend_stride,
                 minimum(ROWS, rows - t), columns);
}

/* The product begins from the bias, or from the residual where there is none. */
static void forward(struct cpu_backend *cpu, struct tensor *out, const struct tensor *in,
                    const struct tensor *weight, const struct tensor *bias,
                    const struct tensor *residual)
{
    const bool accumulate = residual && residual->data == out->data;
    const bool begins = residual && !accumulate && !bias;
    const float *wide_bias = bias ? cpu_vector(cpu, bias, SCRATCH_VECTOR) : NULL;
    const struct gemm gemm = {
        .rows = in->shape[0],
        .columns = weight->shape[0],
        .depth = weight->shape[1],
        .a = in->data,
        .a_dtype = in->dtype,
        .a_row = tensor_row_stride(in),
        .a_depth = 1,
        .b = weight->data,
        .b_dtype = weight->dtype,
        .in_bf16 = weight->dtype == DTYPE_BF16,
        .b_depth = 1,
        .b_column = tensor_row_stride(weight),
        .b_panels = weight->arranged,
        .c = f32(out),
        .c_row = tensor_row_stride(out),
        .base = begins       ? f32(residual)
                : accumulate ? NULL
                             : wide_bias,
        .base_row = begins ? tensor_row_stride(residual) : 0,
        .accumulate = accumulate,
    };
    if (bias && !wide_bias)
        return;
    gemm_parallel(cpu, &gemm);
    if (bias && accumulate)
        add_to_matrix(cpu, out, wide_bias, 0);
    if (residual && !accumulate && bias)
        add_to_matrix(cpu, out, f32(residual), tensor_row_stride(residual));
}

void cpu_linear_decode(struct backend *backend, struct tensor *out, const struct tensor *in,
                       const struct tensor *weight, const struct tensor *bias,
                       const struct tensor *residual)
{
    forward(cpu_of(backend), out, in, weight, bias, residual);
}

void cpu_linear_forward(struct backend *backend, struct tensor *out,
                        const struct tensor *in, const struct tensor *weight,
                        const struct tensor *bias, const struct tensor *residual)
{
    struct cpu_backend *cpu = cpu_of(backend);

    if (!weight->fp8) {
        forward(cpu, out, in, weight, bias, residual);
        return;
    }
    const struct tensor in8 = cpu_fp8_rows(cpu, SCRATCH_FP8_INPUT, in);
    const struct tensor weight8 = cpu_fp8_rows(cpu, SCRATCH_FP8_WEIGHT, weight);
    if (in8.data && weight8.data)
        forward(cpu, out, &in8, &weight8, bias, residual);
}

void cpu_linear_arrange(struct backend *backend, struct tensor *weight)
{
    weight->arranged = panels_arrange(cpu_of(backend), weight);
}

static void backward_input(struct cpu_backend *cpu, struct tensor *d_in,
                           const struct tensor *d_out, const struct tensor *weight,
                           bool accumulate)
{
    const struct gemm gemm = {
        .rows = d_in->shape[0],
        .columns = weight->shape[1],
        .depth = weight->shape[0],
        .a = d_out->data,
        .a_dtype = d_out->dtype,
        .a_row = tensor_row_stride(d_out),
        .a_depth = 1,
        .b = weight->data,
        .b_dtype = weight->dtype,
        .in_bf16 = weight->dtype == DTYPE_BF16,
        .b_depth = tensor_row_stride(weight),
        .b_column = 1,
        .c = f32(d_in),
        .c_row = tensor_row_stride(d_in),
        .accumulate = accumulate,
    };
    gemm_parallel(cpu, &gemm);
}

void cpu_linear_backward_input(struct backend *backend, struct tensor *d_in,
                               const struct tensor *d_out, const struct tensor *weight,
                               bool accumulate)
{
    struct cpu_backend *cpu = cpu_of(backend);

    if (!weight->fp8) {
        backward_input(cpu, d_in, d_out, weight, accumulate);
        return;
    }
    const struct tensor weight8 = cpu_fp8_columns(cpu, SCRATCH_FP8_WEIGHT, weight);
    const struct tensor d_out8 = cpu_fp8_rows(cpu, SCRATCH_FP8_INPUT, d_out);
    if (weight8.data && d_out8.data)
        backward_input(cpu, d_in, &d_out8, &weight8, accumulate);
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
    const int64_t stride = tensor_row_stride(d_out);

    CPU_PARALLEL_FOR(cpu, rows * columns)
    for (int64_t j = 0; j < columns; j += BIAS_COLUMNS)
        add_column_sums(f32(d_bias) + j, f32(d_out) + j, rows, stride,
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
        .a = d_out->data,
        .a_dtype = d_out->dtype,
        .a_row = 1,
        .a_depth = tensor_row_stride(d_out),
        .b = in->data,
        .b_dtype = in->dtype,
        .b_depth = tensor_row_stride(in),
        .b_column = 1,
        .c = f32(d_weight),
        .c_row = tensor_row_stride(d_weight),
        .accumulate = true,
        .in_bf16 = backend_compute_dtype(backend) == DTYPE_BF16,
    };
    gemm_parallel(cpu_of(backend), &gemm);
    if (d_bias)
        bias_backward(cpu_of(backend), d_bias, d_out);
}
