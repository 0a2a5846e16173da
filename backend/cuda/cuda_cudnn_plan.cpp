#include "backend/cuda/cuda_cudnn.h"

/*
 * The graphs of cuDNN's fused attention, through the cudnn-frontend headers that
 * scripts/install-deps fetches. Built without them there are no plans, and our own kernel
 * serves.
 *
 * Sources: cudnn-frontend 1.18, node/scaled_dot_product_flash_attention.h (what is
 * supported, workspace); its docs/operations/Attention.md (ragged layout, statistics).
 */

#if defined(__has_include)
#if __has_include(<cudnn.h>) && __has_include(<cudnn_frontend.h>)
#define HAVE_CUDNN 1
#endif
#endif

#ifdef HAVE_CUDNN

#define CUDNN_FRONTEND_SKIP_JSON_LIB /* nothing is serialised */
#include <cudnn_frontend.h>

#include <exception>
#include <memory>
#include <new>
#include <stdio.h>
#include <unordered_map>
#include <vector>

namespace fe = cudnn_frontend;
using fe::graph::Graph;
using fe::graph::Tensor_attributes;
using key_of_plan = cuda_cudnn_plan_key;
using tensor_pointer = std::shared_ptr<Tensor_attributes>;
using graph_pointer = std::shared_ptr<Graph>;

enum {
    /* An uninitialised workspace in Hopper's backward with ragged tensors: fixed in 9.18.
     */
    VERSION_LEAST = 91800,
    COMPUTE_CAPABILITY_LEAST = 90, /* of ragged tensors */
    /* Beyond these our own kernel serves, and which keys came first decides the bits: more
     * than a run has: numbers of documents are powers of two, and lengths two of each
     * octave (cuda_cudnn.cpp); uniform batches come on top. */
    PLANS_MOST = 4096,
};

struct cuda_cudnn_plan {
    key_of_plan key;
    graph_pointer graph; /* empty: cuDNN does not serve this key */
    size_t workspace_bytes;
};

/* Plans stay to the end: a recording may hold their kernels. */
struct cuda_attention_plans {
    cudnnHandle_t handle;
    std::vector<cuda_cudnn_plan> plans;
    char refusal[512];
};

static bool same_key(const key_of_plan *a, const key_of_plan *b)
{
    return a->batch == b->batch && a->length == b->length && a->heads == b->heads &&
           a->key_value_heads == b->key_value_heads && a->head_size == b->head_size &&
           a->qkv_stride == b->qkv_stride && a->out_stride == b->out_stride &&
           a->scale == b->scale && a->uniform == b->uniform && a->backward == b->backward;
}

/* Graphs name their tensors by numbers from 1. */
static int64_t operand_number(enum cuda_cudnn_operand operand)
{
    return (int64_t)operand + 1;
}

/* A graph under construction, and the tensors that say where ragged documents lie. */
struct draft {
    const key_of_plan *key;
    graph_pointer graph;
    tensor_pointer offset_query, offset_key, offset_value, offset_out, offset_stats;
    tensor_pointer length_query, length_key;
};

static tensor_pointer input_index(const draft *draft, enum cuda_cudnn_operand operand,
                                  int64_t count, fe::DataType_t type)
{
    return draft->graph->tensor(Tensor_attributes()
                                    .set_uid(operand_number(operand))
                                    .set_dim({count, 1, 1, 1})
                                    .set_stride({1, 1, 1, 1})
                                    .set_data_type(type));
}

static void draft_index(draft *draft)
{
    const int64_t lengths = draft->key->batch, offsets = lengths + 1;
    const fe::DataType_t int32 = fe::DataType_t::INT32, int64 = fe::DataType_t::INT64;

    draft->offset_query = input_index(draft, CUDNN_OFFSET_QUERY, offsets, int64);
    draft->offset_key = input_index(draft, CUDNN_OFFSET_KEY, offsets, int64);
    draft->offset_value = input_index(draft, CUDNN_OFFSET_VALUE, offsets, int64);
    draft->offset_out = input_index(draft, CUDNN_OFFSET_OUT, offsets, int64);
    draft->offset_stats = input_index(draft, CUDNN_OFFSET_STATS, offsets, int64);
    draft->length_query = input_index(draft, CUDNN_LENGTH_QUERY, lengths, int32);
    draft->length_key = input_index(draft, CUDNN_LENGTH_KEY, lengths, int32);
}

static draft draft_begin(const key_of_plan *key)
{
    draft draft = {};

    draft.key = key;
    draft.graph = std::make_shared<Graph>();
    draft.graph->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    if (!key->uniform)
        draft_index(&draft);
    return draft;
}

/* Causal, and where documents are ragged, within their lengths. */
template <typename OPTIONS> static void mask(const draft *draft, OPTIONS *options)
{
    options->set_attn_scale(draft->key->scale)
        .set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
        .set_diagonal_band_right_bound(0);
    if (!draft->key->uniform)
        options->set_padding_mask(true)
            .set_seq_len_q(draft->length_query)
            .set_seq_len_kv(draft->length_key);
}

/* The shape [batch, heads, length, D]; rows lie `stride` elements apart. */
static void shape_rows(const draft *draft, Tensor_attributes *tensor,
                       enum cuda_cudnn_operand operand, int64_t heads, int64_t stride,
                       const tensor_pointer &offset)
{
    const key_of_plan *key = draft->key;

    tensor->set_uid(operand_number(operand))
        .set_dim({key->batch, heads, key->length, key->head_size})
        .set_stride({key->length * stride, key->head_size, stride, 1})
        .set_data_type(fe::DataType_t::BFLOAT16);
    if (offset)
        tensor->set_ragged_offset(offset);
}

/* The shape [batch, heads, length, 1]: packed where documents are uniform (before 9.26
 * cuDNN allows no other order), else in the order [T, H]. */
static void shape_stats(const draft *draft, Tensor_attributes *tensor)
{
    const key_of_plan *key = draft->key;
    const int64_t heads = key->out_stride / key->head_size; /* of the whole tensor */

    tensor->set_uid(operand_number(CUDNN_STATS))
        .set_dim({key->batch, key->heads, key->length, 1})
        .set_data_type(fe::DataType_t::FLOAT);
    if (key->uniform)
        tensor->set_stride({key->heads * key->length, key->length, 1, 1});
    else
        tensor->set_stride({heads * key->length, 1, heads, 1})
            .set_ragged_offset(draft->offset_stats);
}

static tensor_pointer input_rows(const draft *draft, enum cuda_cudnn_operand operand,
                                 int64_t heads, int64_t stride,
                                 const tensor_pointer &offset)
{
    Tensor_attributes tensor;

    shape_rows(draft, &tensor, operand, heads, stride, offset);
    return draft->graph->tensor(tensor);
}

static tensor_pointer input_stats(const draft *draft)
{
    Tensor_attributes stats;

    shape_stats(draft, &stats);
    return draft->graph->tensor(stats);
}

struct query_key_value {
    tensor_pointer query, key, value;
};

static query_key_value input_qkv(const draft *draft)
{
    const key_of_plan *key = draft->key;
    const int64_t stride = key->qkv_stride, groups = key->key_value_heads;

    return {input_rows(draft, CUDNN_QUERY, key->heads, stride, draft->offset_query),
            input_rows(draft, CUDNN_KEY, groups, stride, draft->offset_key),
            input_rows(draft, CUDNN_VALUE, groups, stride, draft->offset_value)};
}

static graph_pointer forward_graph(const key_of_plan *key)
{
    const draft draft = draft_begin(key);
    const query_key_value in = input_qkv(&draft);
    fe::graph::SDPA_attributes options;

    options.set_generate_stats(true);
    mask(&draft, &options);

    auto [out, stats] = draft.graph->sdpa(in.query, in.key, in.value, options);
    shape_rows(&draft, out.get(), CUDNN_OUT, key->heads, key->out_stride, draft.offset_out);
    shape_stats(&draft, stats.get());
    out->set_output(true);
    stats->set_output(true);
    return draft.graph;
}

static graph_pointer backward_graph(const key_of_plan *key)
{
    const draft draft = draft_begin(key);
    const query_key_value in = input_qkv(&draft);
    const int64_t heads = key->heads, groups = key->key_value_heads;
    const int64_t stride = key->qkv_stride;
    const tensor_pointer out =
        input_rows(&draft, CUDNN_OUT, heads, key->out_stride, draft.offset_out);
    const tensor_pointer d_out =
        input_rows(&draft, CUDNN_D_OUT, heads, key->out_stride, draft.offset_out);
    fe::graph::SDPA_backward_attributes options;

    options.set_deterministic_algorithm(true);
    mask(&draft, &options);

    auto [d_query, d_key, d_value] = draft.graph->sdpa_backward(
        in.query, in.key, in.value, out, d_out, input_stats(&draft), options);
    shape_rows(&draft, d_query.get(), CUDNN_D_QUERY, heads, stride, draft.offset_query);
    shape_rows(&draft, d_key.get(), CUDNN_D_KEY, groups, stride, draft.offset_key);
    shape_rows(&draft, d_value.get(), CUDNN_D_VALUE, groups, stride, draft.offset_value);
    d_query->set_output(true);
    d_key->set_output(true);
    d_value->set_output(true);
    return draft.graph;
}

/* Fills in graph and workspace, or leaves the graph empty. May throw. */
static fe::error_t plan_compile(cuda_cudnn_plan *plan, const struct cuda_backend *cuda)
{
    const key_of_plan *key = &plan->key;
    const graph_pointer graph = key->backward ? backward_graph(key) : forward_graph(key);
    int64_t bytes = 0;

    graph->set_sm_version(cuda->compute_capability);
    fe::error_t error = graph->build(cuda->attention_plans->handle,
                                     {fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK});
    if (error.is_good())
        error = graph->get_workspace_size(bytes);
    if (error.is_good()) {
        plan->graph = graph;
        plan->workspace_bytes = (size_t)bytes;
    }
    return error;
}

const struct cuda_cudnn_plan *cuda_cudnn_plan_get(struct cuda_backend *cuda,
                                                  const key_of_plan *key)
{
    struct cuda_attention_plans *plans = cuda->attention_plans;
    cuda_cudnn_plan made = {*key, {}, 0};

    for (const cuda_cudnn_plan &known : plans->plans)
        if (same_key(&known.key, key))
            return known.graph ? &known : NULL;
    if (cuda->recording || plans->plans.size() >= PLANS_MOST)
        return NULL;
    try {
        fe::error_t error = plan_compile(&made, cuda);
        if (error.is_bad())
            snprintf(plans->refusal, sizeof plans->refusal, "%s",
                     error.get_message().c_str());
    } catch (const std::exception &exception) {
        snprintf(plans->refusal, sizeof plans->refusal, "%s", exception.what());
    }
    plans->plans.push_back(made); /* does not move: reserved at the start */
    return made.graph ? &plans->plans.back() : NULL;
}

size_t cuda_cudnn_plan_workspace(const struct cuda_cudnn_plan *plan)
{
    return plan->workspace_bytes;
}

bool cuda_cudnn_plan_run(struct cuda_backend *cuda, const struct cuda_cudnn_plan *plan,
                         const struct cuda_cudnn_operands *operands, void *workspace)
{
    try {
        std::unordered_map<int64_t, void *> pointers;

        for (int i = 0; i < CUDNN_OPERAND_COUNT; i++)
            if (operands->pointers[i])
                pointers[operand_number((enum cuda_cudnn_operand)i)] =
                    operands->pointers[i];

        fe::error_t error =
            plan->graph->execute(cuda->attention_plans->handle, pointers, workspace);
        if (error.is_good())
            return true;
        error_set(&cuda->backend.error, STATUS_DEVICE, "cuda: cuDNN's attention: %s",
                  error.get_message().c_str());
    } catch (const std::exception &exception) {
        error_set(&cuda->backend.error, STATUS_DEVICE, "cuda: cuDNN's attention: %s",
                  exception.what());
    }
    return false;
}

const char *cuda_cudnn_refusal(const struct cuda_attention_plans *plans)
{
    return plans->refusal;
}

/* The parts that can fail. */
static bool plans_open(struct cuda_attention_plans *plans, struct cuda_backend *cuda)
{
    try {
        plans->plans.reserve(PLANS_MOST);
    } catch (const std::exception &) {
        return false;
    }
    return cudnnCreate(&plans->handle) == CUDNN_STATUS_SUCCESS &&
           cudnnSetStream(plans->handle, cuda->stream) == CUDNN_STATUS_SUCCESS;
}

struct cuda_attention_plans *cuda_attention_plans_create(struct cuda_backend *cuda)
{
    struct cuda_attention_plans *plans;

    if (cuda->compute_capability < COMPUTE_CAPABILITY_LEAST ||
        cudnnGetVersion() < VERSION_LEAST)
        return NULL;
    plans = new (std::nothrow) cuda_attention_plans();
    if (plans && !plans_open(plans, cuda)) {
        cuda_attention_plans_free(plans);
        plans = NULL;
    }
    return plans;
}

void cuda_attention_plans_free(struct cuda_attention_plans *plans)
{
    if (!plans)
        return;
    plans->plans.clear();
    if (plans->handle)
        cudnnDestroy(plans->handle);
    delete plans;
}

#else

struct cuda_attention_plans *cuda_attention_plans_create(struct cuda_backend *)
{
    return NULL;
}

void cuda_attention_plans_free(struct cuda_attention_plans *)
{
}

/* Without plans nobody comes here: see cuda_cudnn.cpp. */
const struct cuda_cudnn_plan *cuda_cudnn_plan_get(struct cuda_backend *,
                                                  const struct cuda_cudnn_plan_key *)
{
    return NULL;
}

size_t cuda_cudnn_plan_workspace(const struct cuda_cudnn_plan *)
{
    return 0;
}

bool cuda_cudnn_plan_run(struct cuda_backend *, const struct cuda_cudnn_plan *,
                         const struct cuda_cudnn_operands *, void *)
{
    return false;
}

const char *cuda_cudnn_refusal(const struct cuda_attention_plans *)
{
    return "";
}

#endif
