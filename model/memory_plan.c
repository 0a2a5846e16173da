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

/*
 * The CUDA back-end's scratch: a chunk of logits in fp32 and their gradients in the compute
 * type (backend/cuda/cuda_cross_entropy.cu), the rows of the chunk twice, fp32 sums of
 * attention's backward, cuBLASLt's workspace and the libraries' own.
 */
static size_t device_workspace(const struct architecture *a,
                               const struct training_shape *shape)
{
    enum { LOGITS_BYTES = 512 << 20, GRADIENT_BYTES = 1 << 30, LIBRARY_BYTES = 512 << 20 };
    const size_t tokens = (size_t)shape->token_count;
    const size_t all = tokens * (size_t)a->vocabulary;
    const size_t logits = least(all * sizeof(float), LOGITS_BYTES);
    const size_t d_logits = least(all * dtype_bytes(shape->dtype), GRADIENT_BYTES);
    const size_t rows = 2 * tokens * (size_t)a->channels * dtype_bytes(shape->dtype);
    const size_t attention =
        tokens * (size_t)(a->heads * a->head_size + a->heads) * sizeof(float);
    return logits + d_logits + rows + attention + LIBRARY_BYTES;
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

static double gibibytes(size_t bytes)
{
    return (double)bytes / 1073741824.0;
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
    const char *between = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].bytes == 0)
            continue;
        text_buffer_appendf(out, "%s%s %.2f", between, parts[i].name,
                            gibibytes(parts[i].bytes));
        between = " + ";
    }
    text_buffer_appendf(out, " = %.2f GiB", gibibytes(memory_plan_total(plan)));
}

/* One change after another, as far as it takes. */
void memory_plan_advise(const struct architecture *architecture,
                        const struct training_shape *shape, size_t bytes,
                        struct text_buffer *out)
{
    static const struct lora_options lora = {
        .rank = 16, .targets = {true, true, true, true, true, true, true, true, true}};
    struct training_shape less = *shape;
    for (int change = 0; change < 8; change++) {
        const char *option = NULL;
        if (change == 0 && !less.recompute)
            option = "--recompute", less.recompute = true;
        else if (change == 1 && less.token_count > 1024)
            option = "a smaller --batch-tokens", less.token_count = 1024;
        else if (change == 2 && less.ranks > 1 && !less.sharded && !less.quantized &&
                 !(less.lora && less.lora->dora))
            option = "--shard full", less.sharded = true;
        else if (change == 3 && less.dtype == DTYPE_BF16 && less.moments == DTYPE_F32 &&
                 !less.lora)
            option = "--moments bf16", less.moments = DTYPE_BF16;
        else if (change == 4 && less.moments != DTYPE_U8 && !less.lora)
            option = "--moments 8bit", less.moments = DTYPE_U8;
        else if (change == 5 && less.dtype == DTYPE_BF16 && !less.masters_dropped &&
                 !less.lora)
            option = "--masters none", less.masters_dropped = true;
        else if (change == 6 && !less.lora)
            option = "--lora 16", less.lora = &lora, less.masters_dropped = false;
        else if (change == 7 && !less.quantized && !less.sharded)
            option = "--quantize nf4", less.quantized = true;
        if (!option)
            continue;
        const struct memory_plan plan = memory_plan_make(architecture, &less);
        const size_t total = memory_plan_total(&plan);
        text_buffer_appendf(out, "%s%s (%.2f GiB)", out->length ? ", then " : "", option,
                            gibibytes(total));
        if (total <= bytes)
            return;
    }
    text_buffer_append(out, out->length ? ": still too much" : "nothing is left to save");
}
