#include "backend/adapter_operations.h"

#include "backend/operation_checks.h"

/* Shapes and dtypes are checked here, once for all back-ends. */

void dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
             const struct dropout_mask *dropout, bool accumulate)
{
    const enum dtype dtype = held_dtype(backend, in);

    check_matrix(in, dtype, in->shape[0], in->shape[1]);
    check_matrix(out, dtype, in->shape[0], in->shape[1]);
    CHECK(dropout->documents && dropout->positions);
    CHECK(dropout->probability >= 0 && dropout->probability < 1);
    if (!backend->error.status)
        backend->table->dropout(backend, out, in, dropout, accumulate);
}

void adapted_row_norms(struct backend *backend, struct tensor *norms,
                       const struct tensor *weight, const struct tensor *a,
                       const struct tensor *b, float scale)
{
    const enum dtype dtype = held_dtype(backend, weight);
    const int64_t rank = a->shape[0];

    check_matrix(weight, dtype, weight->shape[0], weight->shape[1]);
    check_matrix(a, dtype, rank, weight->shape[1]);
    check_matrix(b, dtype, weight->shape[0], rank);
    check_vector(norms, DTYPE_F32, weight->shape[0]);
    if (!backend->error.status)
        backend->table->adapted_row_norms(backend, norms, weight, a, b, scale);
}

void magnitude_gains(struct backend *backend, struct tensor *gains,
                     const struct tensor *magnitude, const struct tensor *remainder,
                     const struct tensor *norms)
{
    const int64_t count = gains->shape[0];

    check_vector(gains, DTYPE_F32, count);
    check_vector(magnitude, held_dtype(backend, magnitude), count);
    check_vector(norms, DTYPE_F32, count);
    CHECK(!remainder || magnitude->dtype == DTYPE_BF16);
    if (remainder)
        check_vector(remainder, DTYPE_I16, count);
    if (!backend->error.status)
        backend->table->magnitude_gains(backend, gains, magnitude, remainder, norms);
}

void gain_forward(struct backend *backend, struct tensor *out, const struct tensor *gains,
                  const struct tensor *bias, const struct tensor *residual)
{
    const enum dtype dtype = held_dtype(backend, out);

    check_matrix(out, dtype, out->shape[0], out->shape[1]);
    check_vector(gains, DTYPE_F32, out->shape[1]);
    if (bias) /* held as weights are, in bf16 beside f32 activations too (cpu) */
        check_vector(bias, held_dtype(backend, bias), out->shape[1]);
    if (residual)
        check_matrix(residual, dtype, out->shape[0], out->shape[1]);
    if (!backend->error.status)
        backend->table->gain_forward(backend, out, gains, bias, residual);
}

void gain_backward(struct backend *backend, struct tensor *values,
                   struct tensor *d_magnitude, const struct tensor *d_out,
                   const struct tensor *gains, const struct tensor *norms)
{
    const enum dtype dtype = held_dtype(backend, d_out);
    const int64_t columns = d_out->shape[1];

    check_strided(d_out, dtype, d_out->shape[0], columns);
    check_strided(values, dtype, d_out->shape[0], columns);
    check_vector(gains, DTYPE_F32, columns);
    check_vector(norms, DTYPE_F32, columns);
    if (d_magnitude)
        check_vector(d_magnitude, DTYPE_F32, columns);
    if (!backend->error.status)
        backend->table->gain_backward(backend, values, d_magnitude, d_out, gains, norms);
}
