#include "model/memory_plan.h"

#include "backend/moments8.h"
#include "model/sharded.h"

static size_t adapter_count(const struct architecture *architecture,
                            const struct lora_options *lora)
{
    return lora ? (size_t)lora_parameter_count(architecture, lora) : 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As cuDNN's documents are padded: to whole tiles, long ones by at most half as much. */
static size_t length_rounded(size_t length)
{
    size_t step = 128;
    while (length > 4 * step)
        step *= 2;
    return (length + step - 1) / step * step;
}

/*
 * Of attention's backward, at most. cuDNN's keeps the gradients of the scores, 2 bytes for
 * each pair of tokens of a document, row sums, and, where heads share keys, dK and dV of
 * each head, of as many documents or heads at a time as 1 GiB takes; ragged documents may
 * be padded to twice their tokens (backend/cuda/cuda_cudnn.cpp). It serves bf16 without
 * soft-caps; our own kernel wants one number for each row and head, as both do.
 */
static size_t attention_workspace(const struct architecture *a,
                                  const struct training_shape *shape)
{
    enum { CUDNN_BYTES = 1 << 30 };
    const size_t tokens = (size_t)shape->token_count, heads = (size_t)a->heads;
    const size_t longest = shape->longest > 0 ? (size_t)shape->longest : tokens;
    const size_t shared = a->heads > a->key_value_heads ? 4 * (size_t)a->head_size : 0;
    const size_t each = heads * (2 * length_rounded(longest) + 4 + shared);
    const bool cudnn = shape->dtype == DTYPE_BF16 && a->attention_cap <= 0;
    return tokens * heads * sizeof(float) +
           (cudnn ? least(2 * tokens * each, CUDNN_BYTES) : 0);
}

/* Operands of FP8 products (backend/cuda/cuda_fp8.cu): a weight, and what it is multiplied
 * with in the forward or the backward, a byte each, and their scales. */
static size_t fp8_workspace(const struct architecture *a,
                            const struct training_shape *shape)
{
    const int64_t sizes[][2] = {{query_key_value_width(a), a->channels},
                                {a->channels, a->heads * a->head_size},
                                {gate_up_width(a), a->channels},
                                {a->channels, a->feed_forward}};
    size_t most = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t rows = (size_t)sizes[i][0], columns = (size_t)sizes[i][1];
        const size_t wider = rows > columns ? rows : columns;
        const size_t bytes = (size_t)shape->token_count * (wider + sizeof(float)) +
                             rows * columns + 2 * wider * sizeof(float);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/*
 * The CUDA back-end's scratch: a slice of logits in fp32, a chunk of their gradients where
 * these have another type, its rows twice (backend/cuda/cuda_cross_entropy.cu),
 * attention's, and what is small beside them: partial sums, and code of kernels.
 */
static size_t device_workspace(const struct architecture *a,
                               const struct training_shape *shape)
{
    enum { LOGITS_BYTES = 512 << 20, GRADIENT_BYTES = 1 << 30, OTHER_BYTES = 256 << 20 };
    const size_t tokens = (size_t)shape->token_count, each = dtype_bytes(shape->dtype);
    const size_t vocabulary = (size_t)a->vocabulary;
    const bool apart = shape->dtype != DTYPE_F32;
    const size_t most = apart ? GRADIENT_BYTES / each : LOGITS_BYTES / sizeof(float);
    const size_t chunk = least(tokens, most / vocabulary + 1);
    const size_t logits = least(tokens * vocabulary * sizeof(float), LOGITS_BYTES);
    const size_t d_logits = apart ? chunk * vocabulary * each : 0;
    const size_t rows = 2 * chunk * (size_t)a->channels * each;
    return logits + d_logits + rows + attention_workspace(a, shape) +
           (shape->fp8 ? fp8_workspace(a, shape) : 0) + OTHER_BYTES;
}

/* Of the model itself, without adapters. */
static size_t weight_bytes(const struct architecture *a, const struct training_shape *shape)
{
    const size_t count = (size_t)architecture_parameter_count(a);
    size_t matrices = 0;
    if (!shape->quantized)
        return count * dtype_bytes(shape->dtype);
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        const struct matrix_shape matrix = lora_target_shape(a, (enum lora_target)target);
        if (!lora_target_present(a, (enum lora_target)target))
            continue;
        matrices += (size_t)(a->layer_count * matrix.rows * matrix.columns);
    }
    return (count - matrices) * dtype_bytes(shape->dtype) +
           quantized_measure(a, shape->dtype);
}

/* The ranks that share weights and gradients out; 1: they are not. */
static size_t sharing_ranks(const struct training_shape *shape)
{
    return shape->sharded && shape->ranks > 1 ? (size_t)shape->ranks : 1;
}

/* Elements of the slot that units are gathered in. */
static size_t longest_unit(const struct architecture *a, const struct training_shape *shape)
{
    const struct unit_counts counts = unit_counts_of(a);
    const int64_t ends = counts.first > counts.last ? counts.first : counts.last;
    if (sharing_ranks(shape) == 1)
        return 0;
    return (size_t)(ends > counts.block ? ends : counts.block);
}

/* Values whose moments stay fp32 beside 8-bit ones, and runs of either kind. */
static void small_count(const struct parameter_block *block, size_t *small, size_t *runs)
{
    for (size_t i = 0; i < block->entry_count; i++) {
        const struct parameter *entry = &block->entries[i];
        const bool is_small = !entry->decayed || entry->count < 4096;
        *small += is_small ? (size_t)entry->count : 0;
        *runs += 1;
    }
}

/* One of the two moments, in all. In 8 bits a code for each value, a scale for each block
 * (an upper bound), and the fp32 moments of small parameters; of adapters, which may be
 * small, all are counted as if both were kept. */
static size_t moment_bytes(const struct architecture *architecture,
                           const struct training_shape *shape, size_t trained)
{
    size_t small = 0, runs = 0;
    if (shape->moments != DTYPE_U8)
        return trained * dtype_bytes(shape->moments);
    if (shape->lora)
        return trained * (1 + sizeof(float));
    struct transformer model = {.architecture = *architecture};
    transformer_add_parameters(&model);
    small_count(&model.base, &small, &runs);
    parameter_block_release(&model.base);
    return trained + (trained / MOMENTS8_BLOCK + 1 + runs + small) * sizeof(float);
}

struct memory_plan memory_plan_make(const struct architecture *architecture,
                                    const struct training_shape *shape)
{
    const size_t base = (size_t)architecture_parameter_count(architecture);
    const size_t adapters = adapter_count(architecture, shape->lora);
    const size_t ranks = shape->ranks > 1 ? (size_t)shape->ranks : 1;
    const size_t sharing = sharing_ranks(shape);
    const size_t slot = longest_unit(architecture, shape);
    const size_t trained = shape->lora ? adapters : base / sharing;
    const bool split = shape->dtype == DTYPE_BF16;
    return (struct memory_plan){
        .weights = weight_bytes(architecture, shape) / sharing +
                   (slot + adapters) * dtype_bytes(shape->dtype) +
                   (shape->lora ? adapters_gains_bytes(architecture, shape->lora) : 0),
        .masters = split && !shape->masters_dropped ? trained * dtype_bytes(DTYPE_I16) : 0,
        .gradients = (trained + (shape->lora ? 0 : slot)) * sizeof(float),
        .moments =
            2 * moment_bytes(architecture, shape, shape->lora ? adapters : base) / ranks,
        .activations = activations_measure(
            architecture, shape->lora, shape->activations, shape->operands,
            shape->recompute ? TRAINING_RECOMPUTE : TRAINING, shape->token_count),
        .workspace = shape->device ? device_workspace(architecture, shape) : 0,
    };
}

size_t memory_plan_total(const struct memory_plan *plan)
{
    return plan->weights + plan->masters + plan->gradients + plan->moments +
           plan->activations + plan->workspace;
}

void memory_plan_print(const struct memory_plan *plan, struct text_buffer *out)
{
    const struct {
        const char *name;
        size_t bytes;
    } parts[] = {
        {"weights", plan->weights},         {"masters", plan->masters},
        {"gradients", plan->gradients},     {"moments", plan->moments},
        {"activations", plan->activations}, {"workspace", plan->workspace},
    };
    const size_t total = memory_plan_total(plan);
    const double unit = total < (size_t)1 << 30 ? 0x1p20 : 0x1p30; /* of the total */
    const char *between = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].bytes == 0)
            continue;
        text_buffer_appendf(out, "%s%s %.2f", between, parts[i].name,
                            (double)parts[i].bytes / unit);
        between = " + ";
    }
    text_buffer_append(out, " = ");
    text_buffer_append_memory(out, total);
}

/* One step of the advice. */
struct change {
    const char *option;
    bool (*make)(struct training_shape *shape); /* false: it does not apply */
};

static bool recompute_more(struct training_shape *shape)
{
    const bool applies = !shape->recompute;
    shape->recompute = true;
    return applies;
}

/* A pack holds the longest example, whatever --batch-tokens says. */
static bool pack_less(struct training_shape *shape)
{
    enum { FEW_TOKENS = 1024 };
    const int64_t fewest = shape->longest > FEW_TOKENS ? shape->longest : FEW_TOKENS;
    const bool applies = shape->token_count > fewest;
    if (applies)
        shape->token_count = fewest;
    return applies;
}

static bool shard_all(struct training_shape *shape)
{
    const bool applies = shape->ranks > 1 && !shape->sharded && !shape->quantized &&
                         !(shape->lora && shape->lora->dora);
    if (applies)
        shape->sharded = true;
    return applies;
}

static bool moments_bf16(struct training_shape *shape)
{
    const bool applies =
        shape->dtype == DTYPE_BF16 && shape->moments == DTYPE_F32 && !shape->lora;
    if (applies)
        shape->moments = DTYPE_BF16;
    return applies;
}

static bool moments_8bit(struct training_shape *shape)
{
    const bool applies = shape->moments != DTYPE_U8 && !shape->lora;
    if (applies)
        shape->moments = DTYPE_U8;
    return applies;
}

static bool masters_drop(struct training_shape *shape)
{
    const bool applies =
        shape->dtype == DTYPE_BF16 && !shape->masters_dropped && !shape->lora;
    if (applies)
        shape->masters_dropped = true;
    return applies;
}

/* Adapters keep masters, and their moments are small. */
static bool adapt(struct training_shape *shape)
{
    static const struct lora_options lora = {
        .rank = 16, .targets = {true, true, true, true, true, true, true, true, true}};
    const bool applies = !shape->lora && !shape->untrained;
    if (!applies)
        return false;
    shape->lora = &lora;
    shape->moments = DTYPE_F32;
    shape->masters_dropped = false;
    return true;
}

static bool quantize(struct training_shape *shape)
{
    const bool applies = shape->lora && !shape->quantized && !shape->sharded;
    if (applies)
        shape->quantized = true;
    return applies;
}

/* One change after another, as far as it takes. */
void memory_plan_advise(const struct architecture *architecture,
                        const struct training_shape *shape, size_t bytes,
                        struct text_buffer *out)
{
    static const struct change changes[] = {
        {"--recompute", recompute_more},
        {"a smaller --batch-tokens", pack_less},
        {"--shard full", shard_all},
        {"--moments bf16", moments_bf16},
        {"--moments 8bit", moments_8bit},
        {"--masters none", masters_drop},
        {"--lora 16", adapt},
        {"--quantize nf4", quantize},
    };
    struct training_shape less = *shape;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const bool small = less.moments != DTYPE_F32 || less.masters_dropped;
        if (!changes[i].make(&less))
            continue;
        const struct memory_plan plan = memory_plan_make(architecture, &less);
        const size_t total = memory_plan_total(&plan);
        text_buffer_appendf(
            out, "%s%s%s (", out->length ? ", then " : "", changes[i].option,
            changes[i].make == adapt && small ? " in place of --moments and --masters"
                                              : "");
        text_buffer_append_memory(out, total);
        text_buffer_append_char(out, ')');
        if (total <= bytes)
            return;
    }
    text_buffer_append(out, out->length ? ": still too much" : "nothing is left to save");
}
