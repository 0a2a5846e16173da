#include "model/adapters.h"

#include "base/memory.h"

#include <stdlib.h>

static const struct adapter_group *group_of(const struct adapter_call *call)
{
    return &call->adapters->weights[call->layer].groups[call->group];
}

static const struct group_gains *gains_of(const struct adapter_call *call)
{
    return &call->adapters->gains[call->layer].groups[call->group];
}

bool adapter_call_adapts(const struct adapter_call *call)
{
    return call->adapters && group_of(call)->count > 0;
}

static bool is_dora(const struct adapter_call *call)
{
    return call->adapters->options.dora;
}

/* Of matrix `index` of a group: its columns of `hidden`, and its A. */
static struct tensor hidden_part(const struct adapter_call *call,
                                 const struct tensor *hidden, int64_t index)
{
    const int64_t rank = call->adapters->options.rank;
    return tensor_columns(hidden, index * rank, rank);
}

static struct tensor a_part(const struct adapter_call *call, const struct tensor *a,
                            int64_t index)
{
    const int64_t rank = call->adapters->options.rank;
    return tensor_rows(a, index * rank, rank);
}

/* Its columns of the group's output, and its part of a vector over these. */
static struct tensor out_part(const struct adapter_call *call, const struct tensor *out,
                              int64_t index)
{
    const struct adapter_group *group = group_of(call);
    return tensor_columns(out, group->column[index], group->b[index].shape[0]);
}

static struct tensor vector_part(const struct adapter_call *call,
                                 const struct tensor *vector, int64_t index)
{
    const struct adapter_group *group = group_of(call);
    return tensor_rows(vector, group->column[index], group->b[index].shape[0]);
}

/* linear_forward(), or with the promise on rows linear_decode(). */
static void linear(const struct adapter_call *call, struct tensor *out,
                   const struct tensor *in, const struct tensor *weight,
                   const struct tensor *bias, const struct tensor *residual)
{
    if (call->rows_alone)
        linear_decode(call->backend, out, in, weight, bias, residual);
    else
        linear_forward(call->backend, out, in, weight, bias, residual);
}

/* The mask of matrix `index`: a stream of its own for each matrix of the model. */
static struct dropout_mask dropout_of(const struct adapter_call *call, int64_t index)
{
    struct dropout_mask mask = *call->dropout;
    mask.stream =
        (uint32_t)call->layer * LORA_TARGET_COUNT + (uint32_t)group_of(call)->target[index];
    return mask;
}

/* What matrix `index` reads, in call->scratch. */
static struct tensor dropped(const struct adapter_call *call, const struct tensor *in,
                             int64_t index)
{
    const struct dropout_mask mask = dropout_of(call, index);
    struct tensor out =
        tensor_view_2d(call->scratch.data, in->dtype, in->shape[0], in->shape[1]);
    dropout(call->backend, &out, in, &mask, false);
    return out;
}

void adapter_hidden(const struct adapter_call *call, struct tensor *hidden,
                    const struct tensor *in)
{
    if (!adapter_call_adapts(call))
        return;
    const struct adapter_group *group = group_of(call);
    for (int64_t i = 0; call->dropout && i < group->count; i++) {
        const struct tensor from = dropped(call, in, i), a = a_part(call, &group->a, i);
        struct tensor to = hidden_part(call, hidden, i);
        linear(call, &to, &from, &a, NULL, NULL);
    }
    if (!call->dropout)
        linear(call, hidden, in, &group->a, NULL, NULL);
    scale(call->backend, hidden, call->adapters->scale);
}

/* out += hidden B^T of each matrix. */
static void add_adapted(const struct adapter_call *call, struct tensor *out,
                        const struct tensor *hidden)
{
    const struct adapter_group *group = group_of(call);
    for (int64_t i = 0; i < group->count; i++) {
        const struct tensor from = hidden_part(call, hidden, i);
        struct tensor to = out_part(call, out, i);
        linear(call, &to, &from, &group->b[i], NULL, &to);
    }
}

/* The lower halves of the masters of `view`, a part of the adapters' weights; without data
 * where there are none. */
static struct tensor remainder_of(const struct adapters *adapters,
                                  const struct tensor *view)
{
    const struct parameter_block *block = &adapters->parameters;
    struct tensor remainder = tensor_view_1d(NULL, DTYPE_I16, view->shape[0]);
    if (block->remainders)
        remainder.data = block->remainders +
                         ((const uint16_t *)view->data - (const uint16_t *)block->weights);
    return remainder;
}

static void row_norms(const struct adapter_call *call, struct tensor *norms, int64_t index)
{
    const struct adapter_group *group = group_of(call);
    const struct tensor a = a_part(call, &group->a, index);
    const struct tensor weight =
        tensor_rows(call->weight, group->column[index], group->b[index].shape[0]);
    adapted_row_norms(call->backend, norms, &weight, &a, &group->b[index],
                      call->adapters->scale);
}

void adapter_gains(const struct adapter_call *call)
{
    const struct adapter_group *group = group_of(call);
    for (int64_t i = 0; i < group->count; i++) {
        struct tensor norms = vector_part(call, &gains_of(call)->norms, i);
        struct tensor gains = vector_part(call, &gains_of(call)->gains, i);
        const struct tensor remainder = remainder_of(call->adapters, &group->magnitude[i]);
        row_norms(call, &norms, i);
        magnitude_gains(call->backend, &gains, &group->magnitude[i],
                        remainder.data ? &remainder : NULL, &norms);
    }
}

enum status adapter_magnitudes_begin(const struct adapter_call *call,
                                     struct parameter_block *parameters,
                                     struct error *error)
{
    const struct adapter_group *group = group_of(call);
    const size_t each = dtype_bytes(parameters->dtype);
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < group->count && !status; i++) {
        struct tensor norms = vector_part(call, &gains_of(call)->norms, i);
        const int64_t count = norms.shape[0];
        const size_t from = (size_t)((const unsigned char *)group->magnitude[i].data -
                                     (const unsigned char *)parameters->weights);
        float *host = memory_allocate_array((size_t)count, sizeof *host);
        row_norms(call, &norms, i);
        backend_copy_out(call->backend, host, norms.data, tensor_bytes(&norms));
        status = backend_sync(call->backend, error);
        if (!status)
            parameter_block_put(parameters, (int64_t)(from / each), host, count);
        free(host);
    }
    return status;
}

void adapter_forward(const struct adapter_call *call, struct tensor *out,
                     struct tensor *hidden, const struct tensor *in,
                     const struct tensor *residual)
{
    const bool gained = adapter_call_adapts(call) && is_dora(call);
    linear(call, out, in, call->weight, gained ? NULL : call->bias,
           gained ? NULL : residual);
    if (!adapter_call_adapts(call))
        return;
    adapter_hidden(call, hidden, in);
    add_adapted(call, out, hidden);
    if (!gained)
        return;
    if (!call->gains_ready)
        adapter_gains(call);
    gain_forward(call->backend, out, &gains_of(call)->gains, call->bias, residual);
}

/* Columns [first, first + columns) of `values`; d_magnitude NULL: they are not adapted. */
static void columns_backward(const struct adapter_call *call, struct tensor *values,
                             struct tensor *d_magnitude, const struct tensor *d_out,
                             int64_t first, int64_t columns)
{
    struct tensor to = tensor_columns(values, first, columns);
    const struct tensor from = tensor_columns(d_out, first, columns);
    const struct tensor gains = tensor_rows(&gains_of(call)->gains, first, columns);
    const struct tensor norms = tensor_rows(&gains_of(call)->norms, first, columns);
    if (columns > 0)
        gain_backward(call->backend, &to, d_magnitude, &from, &gains, &norms);
}

/*
 * DoRA: the gradients of the magnitudes, and that of the product before the gains, in
 * call->scratch. The product is made again, which costs less than the memory.
 */
static struct tensor gained_backward(const struct adapter_call *call,
                                     const struct tensor *d_out,
                                     const struct tensor *hidden, const struct tensor *in)
{
    const struct adapter_group *group = group_of(call);
    struct adapter_group *gradients =
        &call->adapters->gradients[call->layer].groups[call->group];
    struct tensor values =
        tensor_view_2d(call->scratch.data, in->dtype, d_out->shape[0], d_out->shape[1]);
    int64_t done = 0; /* columns */
    linear(call, &values, in, call->weight, NULL, NULL);
    add_adapted(call, &values, hidden);
    for (int64_t i = 0; i < group->count; i++) {
        const int64_t first = group->column[i], columns = group->b[i].shape[0];
        columns_backward(call, &values, NULL, d_out, done, first - done);
        columns_backward(call, &values, &gradients->magnitude[i], d_out, first, columns);
        done = first + columns;
    }
    columns_backward(call, &values, NULL, d_out, done, d_out->shape[1] - done);
    return values;
}

/* From d_hidden, scaled: the gradients of A, and what goes on to d_in. */
static void a_backward(const struct adapter_call *call, struct adapter_group *gradients,
                       struct tensor *d_in, const struct tensor *d_hidden,
                       const struct tensor *in)
{
    const struct adapter_group *group = group_of(call);
    for (int64_t i = 0; call->dropout && i < group->count; i++) {
        const struct tensor from = hidden_part(call, d_hidden, i);
        const struct tensor a = a_part(call, &group->a, i);
        const struct dropout_mask mask = dropout_of(call, i);
        struct tensor d_a = a_part(call, &gradients->a, i), read = dropped(call, in, i);
        linear_backward_weight(call->backend, &d_a, NULL, &from, &read);
        linear_backward_input(call->backend, &read, &from, &a, false);
        dropout(call->backend, d_in, &read, &mask, true);
    }
    if (call->dropout)
        return;
    linear_backward_weight(call->backend, &gradients->a, NULL, d_hidden, in);
    linear_backward_input(call->backend, d_in, d_hidden, &group->a, true);
}

void adapter_backward(const struct adapter_call *call, struct tensor *d_in,
                      struct tensor *d_hidden, const struct tensor *d_out,
                      const struct tensor *hidden, const struct tensor *in, bool accumulate)
{
    if (!adapter_call_adapts(call)) {
        linear_backward_input(call->backend, d_in, d_out, call->weight, accumulate);
        return;
    }
    const struct adapter_group *group = group_of(call);
    struct adapter_group *gradients =
        &call->adapters->gradients[call->layer].groups[call->group];
    const struct tensor d_product =
        is_dora(call) ? gained_backward(call, d_out, hidden, in) : *d_out;
    linear_backward_input(call->backend, d_in, &d_product, call->weight, accumulate);
    for (int64_t i = 0; i < group->count; i++) {
        const struct tensor from = out_part(call, &d_product, i);
        const struct tensor kept = hidden_part(call, hidden, i);
        struct tensor to = hidden_part(call, d_hidden, i);
        linear_backward_weight(call->backend, &gradients->b[i], NULL, &from, &kept);
        linear_backward_input(call->backend, &to, &from, &group->b[i], false);
    }
    scale(call->backend, d_hidden, call->adapters->scale);
    a_backward(call, gradients, d_in, d_hidden, in);
}
