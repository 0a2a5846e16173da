#ifndef HOLDFAST_BACKEND_OPERATION_CHECKS_H
#define HOLDFAST_BACKEND_OPERATION_CHECKS_H

#include "backend/operation_table.h"

/* What the files of operations check of their operands, before a back-end sees them. A
 * mistake here is a bug of the caller. */

static inline void check_data(const struct tensor *tensor, enum dtype dtype)
{
    CHECK(tensor->dtype == dtype && !tensor->arranged);
    CHECK(tensor->data || tensor_count(tensor) == 0);
}

static inline void check_vector(const struct tensor *tensor, enum dtype dtype,
                                int64_t count)
{
    check_data(tensor, dtype);
    CHECK(tensor->rank == 1 && tensor->shape[0] == count);
}

/* A matrix whose rows may lie apart. */
static inline void check_strided(const struct tensor *tensor, enum dtype dtype,
                                 int64_t rows, int64_t columns)
{
    check_data(tensor, dtype);
    CHECK(tensor->rank == 2 && tensor->shape[0] == rows && tensor->shape[1] == columns);
    CHECK(tensor_row_stride(tensor) >= columns);
}

static inline void check_matrix(const struct tensor *tensor, enum dtype dtype, int64_t rows,
                                int64_t columns)
{
    check_strided(tensor, dtype, rows, columns);
    CHECK(tensor->row_stride == 0);
}

/* The element type that all activations of a call share with `tensor`. */
static inline enum dtype compute_dtype(const struct backend *backend,
                                       const struct tensor *tensor)
{
    CHECK(tensor->dtype == DTYPE_F32 || tensor->dtype == backend->activation_dtype);
    return tensor->dtype;
}

/* The same, where `tensor` may be in the type of operands that only products read. */
static inline enum dtype operand_compute_dtype(const struct backend *backend,
                                               const struct tensor *tensor)
{
    const bool mixed = backend->activation_dtype != backend->operand_dtype;
    return mixed && tensor->dtype == backend->operand_dtype
               ? backend->activation_dtype
               : compute_dtype(backend, tensor);
}

/* That of weights beside activations of type `dtype`. */
static inline enum dtype weight_dtype(const struct backend *backend,
                                      const struct tensor *weight, enum dtype dtype)
{
    const bool mixed = backend->activation_dtype != backend->compute_dtype;
    CHECK(weight->dtype == dtype || (mixed && weight->dtype == backend->compute_dtype));
    return weight->dtype;
}

/* That of weights alone. */
static inline enum dtype held_dtype(const struct backend *backend,
                                    const struct tensor *weight)
{
    CHECK(weight->dtype == DTYPE_F32 || weight->dtype == backend->compute_dtype);
    return weight->dtype;
}

static inline void check_heads(const struct attention_shape *shape)
{
    CHECK(shape->heads > 0 && shape->key_value_heads > 0 && shape->head_size > 0);
    CHECK(shape->heads % shape->key_value_heads == 0);
}

static inline int64_t qkv_columns(const struct attention_shape *shape)
{
    check_heads(shape);
    return (shape->heads + 2 * shape->key_value_heads) * shape->head_size;
}

/* Each of indices[0 … count) is in [low, limit), where they can be read. */
static inline void check_indices(const struct backend *backend, const int32_t *indices,
                                 int64_t count, int64_t low, int64_t limit)
{
    CHECK(indices || count == 0);
    if (!backend->table->on_host)
        return;
    for (int64_t t = 0; t < count; t++)
        CHECK(indices[t] >= low && indices[t] < limit);
}

#endif
