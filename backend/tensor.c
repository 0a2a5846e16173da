#include "backend/tensor.h"

#include "base/error.h"

struct tensor tensor_view_1d(void *data, enum dtype dtype, int64_t count)
{
    CHECK(count >= 0);
    return (struct tensor){.data = data, .dtype = dtype, .rank = 1, .shape = {count}};
}

struct tensor tensor_view_2d(void *data, enum dtype dtype, int64_t rows, int64_t columns)
{
    CHECK(rows >= 0 && columns >= 0);
    return (struct tensor){
        .data = data, .dtype = dtype, .rank = 2, .shape = {rows, columns}};
}

int64_t tensor_count(const struct tensor *tensor)
{
    int64_t count = 1;

    CHECK(tensor->rank >= 1 && tensor->rank <= TENSOR_DIMENSIONS_MAXIMUM);
    for (int i = 0; i < tensor->rank; i++)
        CHECK(!__builtin_mul_overflow(count, tensor->shape[i], &count));
    return count;
}

size_t tensor_bytes(const struct tensor *tensor)
{
    return (size_t)tensor_count(tensor) * dtype_bytes(tensor->dtype);
}

struct tensor tensor_rows(const struct tensor *tensor, int64_t first, int64_t rows)
{
    struct tensor view = *tensor;

    CHECK(first >= 0 && rows >= 0 && first + rows <= tensor->shape[0]);
    CHECK(tensor->row_stride == 0 && !tensor->arranged);
    view.shape[0] = rows;
    if (tensor->data && tensor->shape[0] > 0)
        view.data = (unsigned char *)tensor->data +
                    (size_t)first * (tensor_bytes(tensor) / (size_t)tensor->shape[0]);
    return view;
}

struct tensor tensor_columns(const struct tensor *tensor, int64_t first, int64_t columns)
{
    struct tensor view = *tensor;

    CHECK(tensor->rank == 2 && first >= 0 && columns >= 0);
    CHECK(first + columns <= tensor->shape[1] && !tensor->arranged);
    view.row_stride = tensor_row_stride(tensor);
    view.shape[1] = columns;
    if (tensor->data)
        view.data = (unsigned char *)tensor->data + (size_t)first * dtype_bytes(view.dtype);
    return view;
}

int64_t tensor_row_stride(const struct tensor *tensor)
{
    CHECK(tensor->rank == 2);
    return tensor->row_stride > 0 ? tensor->row_stride : tensor->shape[1];
}
