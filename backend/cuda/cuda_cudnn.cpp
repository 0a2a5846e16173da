#include "backend/cuda/cuda_cudnn.h"

/*
 * cuDNN's fused attention: what it serves, how a call is cut into launches, and where the
 * operands of each lie.
 *
 * Uniform batches are dense tensors, others ragged ones with a padding mask. In both, Q, K
 * and V are views of qkv and their gradients views of d_qkv: a token's row is qkv_stride
 * elements long. Lengths and document counts of ragged batches are rounded up, so that few
 * plans serve many batches.
 *
 * The backward is the deterministic one. On Hopper, cuDNN before 9.25 then stores the
 * gradient of the scores, 2 bytes for each pair of tokens and head; WORKSPACE_BYTES bounds
 * that by cutting the call into launches of fewer documents, or of one document and fewer
 * heads. What cannot be cut so is refused.
 */

enum {
    HEAD_SIZE_MOST = 256,
    TILE = 128, /* rows that cuDNN's kernels take at a time */
};
static const int64_t WORKSPACE_BYTES = (int64_t)1 << 30;

/* One call: how it is cut into launches, and its operands. */
struct attention_call {
    struct cuda_cudnn_layout layout;
    struct cuda_cudnn_plan_key key;
    int64_t key_value_heads; /* G, of which a launch has key.key_value_heads */
    const int32_t *starts;
    const void *qkv, *out, *d_out;
    void *d_qkv;
    float *log_sum;
};

static int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* Whole tiles; of long documents at most half as much more, in steps that grow with them. */
static int64_t length_rounded(int64_t length)
{
    int64_t step = TILE;

    while (length > 4 * step)
        step *= 2;
    return round_up(length, step);
}

static int64_t count_rounded(int64_t count)
{
    int64_t rounded = 1;

    while (rounded < count)
        rounded *= 2;
    return rounded;
}

static int64_t largest_divisor(int64_t number, int64_t limit)
{
    int64_t divisor = limit < number ? limit : number;

    while (number % divisor)
        divisor--;
    return divisor;
}

static bool aligned16(const struct tensor *tensor)
{
    return (uintptr_t)tensor->data % 16 == 0;
}

/* Whether cuDNN may serve at all, by what is known before a plan is made. */
static bool servable(const struct cuda_backend *cuda, const struct tensor *qkv,
                     const struct tensor *out, const struct documents *documents,
                     const struct attention_shape *shape)
{
    const int64_t size = shape->head_size;

    return cuda->attention_plans && qkv->dtype == DTYPE_BF16 && size % 8 == 0 &&
           size <= HEAD_SIZE_MOST && qkv->shape[0] > 0 && documents->count > 0 &&
           documents->longest > 1 && tensor_count(qkv) <= INT32_MAX && aligned16(qkv) &&
           aligned16(out);
}

/* No document is longer than `longest`: if that many fit exactly, none is shorter. */
bool cuda_cudnn_uniform(const struct documents *documents, int64_t tokens)
{
    return documents->count * documents->longest == tokens &&
           documents->longest % TILE == 0;
}

static struct cuda_cudnn_layout layout_make(const struct tensor *qkv,
                                            const struct documents *documents,
                                            const struct attention_shape *shape)
{
    const int64_t count = documents->count, longest = documents->longest;
    struct cuda_cudnn_layout layout = {};

    layout.uniform = cuda_cudnn_uniform(documents, qkv->shape[0]);
    layout.tokens = qkv->shape[0];
    layout.documents = count;
    layout.length = layout.uniform ? longest : length_rounded(longest);
    layout.batch = layout.uniform ? count : count_rounded(count);
    layout.heads = shape->heads;
    layout.qkv_stride = qkv->shape[1];
    layout.out_stride = shape->heads * shape->head_size;
    return layout;
}

/* All documents and heads in one launch. */
static struct attention_call call_make(const struct tensor *qkv,
                                       const struct documents *documents,
                                       const struct attention_shape *shape)
{
    struct attention_call call = {};

    call.layout = layout_make(qkv, documents, shape);
    call.key.batch = call.layout.batch;
    call.key.length = call.layout.length;
    call.key.heads = shape->heads;
    call.key.key_value_heads = shape->key_value_heads;
    call.key.head_size = shape->head_size;
    call.key.qkv_stride = call.layout.qkv_stride;
    call.key.out_stride = call.layout.out_stride;
    call.key.scale = shape->scale;
    call.key.uniform = call.layout.uniform;
    call.key_value_heads = shape->key_value_heads;
    call.starts = documents->starts;
    call.qkv = qkv->data;
    return call;
}

/* Workspace of the backward for one token and one query head: the gradient of the scores,
 * the row sum, and, where heads share keys, dK and dV of each head. */
static int64_t row_workspace(const struct attention_call *call, int64_t length)
{
    const int64_t group = call->layout.heads / call->key_value_heads;
    const int64_t shared = group > 1 ? 2 * 2 * call->key.head_size : 0;

    return 2 * length + 4 + shared;
}

/* The same for one document and one group of query heads. */
static int64_t group_workspace(const struct attention_call *call)
{
    const int64_t length = round_up(call->key.length, TILE);
    const int64_t group = call->layout.heads / call->key_value_heads;

    return group * length * row_workspace(call, length);
}

/* For any batch of as many tokens, in documents no longer: ragged ones are padded, to twice
 * their tokens at most (cut_backward()). model/memory_plan.c counts with it. */
static int64_t workspace_most(const struct attention_call *call)
{
    const struct cuda_cudnn_layout *layout = &call->layout;
    const int64_t length = length_rounded(layout->length);
    const int64_t bytes = 2 * layout->tokens * layout->heads * row_workspace(call, length);

    return bytes < WORKSPACE_BYTES ? bytes : WORKSPACE_BYTES;
}

/* Fewer documents, then fewer heads, until the workspace is small enough. False: it cannot
 * be, or it is mostly padding, so that clearing it costs more than it gains. */
static bool cut_backward(struct attention_call *call)
{
    struct cuda_cudnn_layout *layout = &call->layout;
    const int64_t groups = call->key_value_heads;
    const int64_t affordable = WORKSPACE_BYTES / group_workspace(call);

    if (affordable < 1)
        return false;
    if (affordable < groups) {
        layout->batch = 1;
        call->key.key_value_heads = largest_divisor(groups, affordable);
        call->key.heads = layout->heads / groups * call->key.key_value_heads;
    } else if (layout->uniform) {
        layout->batch = largest_divisor(layout->documents, affordable / groups);
    } else {
        while (layout->batch > affordable / groups)
            layout->batch /= 2;
    }
    call->key.batch = layout->batch;
    return 2 * layout->tokens >=
           cuda_cudnn_launches(layout) * layout->batch * layout->length;
}

/* The parts of the scratch slot. */
struct scratch_parts {
    char *index;
    float *stats;
    char *workspace;
};

/* Returns the bytes of all parts; `base` NULL only measures. */
static size_t scratch_place(struct scratch_parts *parts, char *base,
                            const struct attention_call *call, size_t workspace_bytes)
{
    const struct cuda_cudnn_layout *layout = &call->layout;
    const int64_t indices = layout->uniform ? 0 : cuda_cudnn_launches(layout);
    const int64_t index_bytes =
        round_up(indices * (int64_t)cuda_cudnn_index_bytes(layout), 256);
    int64_t stats_bytes =
        round_up(layout->heads * layout->tokens * (int64_t)sizeof(float), 256);

    if (cuda_cudnn_stats_in_place(layout))
        stats_bytes = 0;
    if (base) {
        parts->index = base;
        parts->stats = stats_bytes ? (float *)(base + index_bytes) : call->log_sum;
        parts->workspace = base + index_bytes + stats_bytes;
    }
    /* One byte more: an empty workspace, too, is a place. */
    return (size_t)(index_bytes + stats_bytes) + workspace_bytes + 1;
}

/* The first document, key/value head and query head of a launch. */
struct launch_place {
    int64_t number; /* launches of other documents before it */
    int64_t document;
    int64_t group;
    int64_t head;
};

static void *element(const void *base, int64_t index)
{
    return (char *)(uintptr_t)base + index * (int64_t)sizeof(__nv_bfloat16);
}

/* For the order of the statistics see cuda_cudnn.h. */
static float *stats_at(const struct cuda_cudnn_layout *layout, float *stats,
                       const struct launch_place *place)
{
    if (!layout->uniform)
        return stats + place->head;
    return stats + (place->document * layout->heads + place->head) * layout->length;
}

static void operands_index(void **pointers, const struct cuda_cudnn_index *index)
{
    pointers[CUDNN_OFFSET_QUERY] = index->qkv;
    pointers[CUDNN_OFFSET_KEY] = index->qkv;
    pointers[CUDNN_OFFSET_VALUE] = index->qkv;
    pointers[CUDNN_OFFSET_OUT] = index->out;
    pointers[CUDNN_OFFSET_STATS] = index->stats;
    pointers[CUDNN_LENGTH_QUERY] = index->lengths;
    pointers[CUDNN_LENGTH_KEY] = index->lengths;
}

/* Ragged documents are found by the index: their pointers are those of whole tensors. */
static struct cuda_cudnn_operands operands_make(const struct attention_call *call,
                                                const struct scratch_parts *parts,
                                                const struct launch_place *place)
{
    const struct cuda_cudnn_layout *layout = &call->layout;
    const int64_t size = call->key.head_size;
    const int64_t token = layout->uniform ? place->document * layout->length : 0;
    const int64_t row = token * layout->qkv_stride;
    const int64_t query = row + place->head * size;
    const int64_t key = row + (layout->heads + place->group) * size;
    const int64_t value = key + call->key_value_heads * size;
    const int64_t out = token * layout->out_stride + place->head * size;
    struct cuda_cudnn_operands operands = {};
    void **pointers = operands.pointers;

    pointers[CUDNN_QUERY] = element(call->qkv, query);
    pointers[CUDNN_KEY] = element(call->qkv, key);
    pointers[CUDNN_VALUE] = element(call->qkv, value);
    pointers[CUDNN_OUT] = element(call->out, out);
    pointers[CUDNN_STATS] = stats_at(layout, parts->stats, place);
    if (call->key.backward) {
        pointers[CUDNN_D_OUT] = element(call->d_out, out);
        pointers[CUDNN_D_QUERY] = element(call->d_qkv, query);
        pointers[CUDNN_D_KEY] = element(call->d_qkv, key);
        pointers[CUDNN_D_VALUE] = element(call->d_qkv, value);
    }
    if (!layout->uniform) {
        const struct cuda_cudnn_index index =
            cuda_cudnn_index_at(parts->index, layout, place->number);
        operands_index(pointers, &index);
    }
    return operands;
}

/* What lay in the workspace turned into NaN gradients of ragged tensors on Hopper
 * (TransformerEngine issue 2186). 9.18 is said to have mended it; not relied on here. */
static bool workspace_clear(struct cuda_backend *cuda, const struct attention_call *call,
                            void *workspace, size_t bytes)
{
    if (!call->key.backward || call->layout.uniform || bytes == 0)
        return true;
    return cuda_good(cuda, cudaMemsetAsync(workspace, 0, bytes, cuda->stream),
                     "attention: clearing the workspace");
}

static void launch_all(struct cuda_backend *cuda, const struct cuda_cudnn_plan *plan,
                       const struct attention_call *call, const struct scratch_parts *parts)
{
    const struct cuda_cudnn_layout *layout = &call->layout;
    const int64_t launches = cuda_cudnn_launches(layout);
    const int64_t heads_of_group = layout->heads / call->key_value_heads;
    struct launch_place place;

    for (place.number = 0; place.number < launches; place.number++) {
        place.document = place.number * layout->batch;
        for (place.group = 0; place.group < call->key_value_heads;
             place.group += call->key.key_value_heads) {
            place.head = place.group * heads_of_group;

            const struct cuda_cudnn_operands operands = operands_make(call, parts, &place);
            if (!workspace_clear(cuda, call, parts->workspace,
                                 cuda_cudnn_plan_workspace(plan)) ||
                !cuda_cudnn_plan_run(cuda, plan, &operands, parts->workspace))
                return;
        }
    }
}

/* All that the call wants of the scratch slot; of a backward, what the backward of other
 * batches may want as well, so that the slot does not grow with the next one. */
static size_t scratch_wanted(const struct attention_call *call, size_t workspace)
{
    enum { INDEX_BYTES = 1 << 20 };
    const struct cuda_cudnn_layout *layout = &call->layout;
    struct scratch_parts parts = {};
    const size_t bytes = scratch_place(&parts, NULL, call, workspace);
    const size_t stats = (size_t)(layout->heads * layout->tokens) * sizeof(float);
    const size_t most = INDEX_BYTES + stats + (size_t)workspace_most(call);

    return call->key.backward && most > bytes ? most : bytes;
}

/* False: refused, nothing has been done. */
static bool call_run(struct cuda_backend *cuda, const struct attention_call *call)
{
    const struct cuda_cudnn_layout *layout = &call->layout;
    const struct cuda_cudnn_plan *plan = cuda_cudnn_plan_get(cuda, &call->key);
    const bool in_place = cuda_cudnn_stats_in_place(layout);
    struct scratch_parts parts = {};

    if (!plan)
        return false;

    const size_t workspace = cuda_cudnn_plan_workspace(plan);
    char *memory =
        (char *)cuda_scratch(cuda, CUDA_SCRATCH_ATTENTION, scratch_wanted(call, workspace));

    if (!memory)
        return true; /* the error is set */
    scratch_place(&parts, memory, call, workspace);
    if (!layout->uniform)
        cuda_cudnn_index_write(cuda, parts.index, layout, call->starts);
    if (call->key.backward && !in_place)
        cuda_cudnn_stats_write(cuda, parts.stats, call->log_sum, layout);
    if (!cuda->backend.error.status)
        launch_all(cuda, plan, call, &parts);
    if (!call->key.backward && !in_place && !cuda->backend.error.status)
        cuda_cudnn_stats_read(cuda, call->log_sum, parts.stats, layout);
    return true;
}

bool cuda_cudnn_attention_forward(struct cuda_backend *cuda, struct tensor *out,
                                  struct tensor *log_sum, const struct tensor *qkv,
                                  const struct documents *documents,
                                  const struct attention_shape *shape)
{
    if (!servable(cuda, qkv, out, documents, shape) || !aligned16(log_sum))
        return false;

    struct attention_call call = call_make(qkv, documents, shape);
    call.out = out->data;
    call.log_sum = (float *)log_sum->data;
    return call_run(cuda, &call);
}

bool cuda_cudnn_attention_backward(struct cuda_backend *cuda, struct tensor *d_qkv,
                                   const struct tensor *d_out, const struct tensor *qkv,
                                   const struct tensor *out, const struct tensor *log_sum,
                                   const struct documents *documents,
                                   const struct attention_shape *shape)
{
    if (!servable(cuda, qkv, out, documents, shape) || !aligned16(log_sum) ||
        !aligned16(d_qkv) || !aligned16(d_out))
        return false;

    struct attention_call call = call_make(qkv, documents, shape);
    call.key.backward = true;
    call.out = out->data;
    call.d_out = d_out->data;
    call.d_qkv = d_qkv->data;
    call.log_sum = (float *)log_sum->data;
    return cut_backward(&call) && call_run(cuda, &call);
}
