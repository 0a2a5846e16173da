#include "train/inspect_model.h"

#include "base/file.h"
#include "base/json.h"
#include "checkpoints/model_directory.h"
#include "model/architecture.h"
#include "model/checkpoint_summary.h"
#include "model/lora.h"
#include "model/memory_plan.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 2048, LORA_RANK = 16, PATH_BYTES = 1 << 20 };

static const struct lora_options all_linear = {
    .rank = LORA_RANK,
    .alpha = 2 * LORA_RANK,
    .targets = {true, true, true, true, true, true, true, true, true}};

/* What people train with: the options, and the same for the plan. */
static const struct {
    const char *options;
    const struct lora_options *lora;
    enum dtype dtype;
    bool quantized, recompute, device;
} trainings[] = {
    {"--device cuda", NULL, DTYPE_BF16, false, false, true},
    {"--device cuda --recompute", NULL, DTYPE_BF16, false, true, true},
    {"--device cuda --lora 16", &all_linear, DTYPE_BF16, false, false, true},
    {"--device cuda --lora 16 --quantize nf4 --recompute", &all_linear, DTYPE_BF16, true,
     true, true},
    {"--precision fp32", NULL, DTYPE_F32, false, false, false},
    {"--precision fp32 --lora 16 --quantize nf4 --recompute", &all_linear, DTYPE_F32, true,
     true, false},
};
enum { TRAINING_COUNT = sizeof trainings / sizeof *trainings };

struct description {
    const char *directory;
    char *base; /* of an adapter, else NULL */
    bool adapted;
    struct lora_options lora;
    struct architecture architecture;
    struct checkpoint_summary weights;
    const char *tokenizer_file; /* NULL: none */
    int64_t vocabulary;         /* of the tokenizer */
    const char *template_file;  /* NULL: none, or it cannot be rendered */
    struct error template_error;
    int64_t batch_tokens;
    struct memory_plan plans[TRAINING_COUNT];
};

static bool has_file(const char *directory, const char *name)
{
    char *path = path_join(directory, name);
    const bool found = file_exists(path);
    free(path);
    return found;
}

static enum status describe_adapter(struct description *d, struct error *error)
{
    struct text_buffer text = {0};
    char *path = path_join(d->directory, "adapter_config.json");
    enum status status = file_read(&text, path, PATH_BYTES, error);
    if (!status)
        status = lora_config_parse(&d->lora, text_buffer_string(&text), text.length, path,
                                   error);
    if (!status)
        status = lora_options_resolve(&d->lora, &d->architecture, error);
    d->adapted = true;
    free(path);
    text_buffer_release(&text);
    return status;
}

/* A template that is missing or not known is told, and is no error: the weights are. */
static void describe_template(struct description *d, const char *directory,
                              const struct tokenizer *tokenizer)
{
    struct chat_template *chat_template = NULL;
    if (chat_template_open_directory(&chat_template, directory, tokenizer,
                                     &d->template_error))
        return;
    d->template_file = chat_template_file(chat_template);
    chat_template_free(chat_template);
}

static enum status describe_text(struct description *d, struct error *error)
{
    const char *directory = d->directory;
    struct tokenizer *tokenizer = NULL;
    if (d->base && !has_file(directory, "tokenizer.json") &&
        !has_file(directory, "tokenizer.model"))
        directory = d->base;
    if (has_file(directory, "tokenizer.json"))
        d->tokenizer_file = "tokenizer.json";
    else if (has_file(directory, "tokenizer.model"))
        d->tokenizer_file = "tokenizer.model";
    else
        return STATUS_OK;
    if (tokenizer_open_directory(&tokenizer, directory, error))
        return error->status;
    d->vocabulary = tokenizer_vocabulary_count(tokenizer);
    describe_template(d, directory, tokenizer);
    const enum status status =
        tokenizer_check_rows(tokenizer, d->architecture.vocabulary, directory, error);
    tokenizer_free(tokenizer);
    return status;
}

static void describe_memory(struct description *d)
{
    const int64_t limit = d->architecture.position_limit;
    d->batch_tokens = limit < BATCH_TOKENS ? limit : BATCH_TOKENS;
    for (int i = 0; i < TRAINING_COUNT; i++) {
        /* GPUs have all in the type of the weights, and so has fp32. */
        const struct training_shape shape = {.dtype = trainings[i].dtype,
                                             .activations = trainings[i].dtype,
                                             .operands = trainings[i].dtype,
                                             .moments = DTYPE_F32,
                                             .lora = trainings[i].lora,
                                             .quantized = trainings[i].quantized,
                                             .token_count = d->batch_tokens,
                                             .recompute = trainings[i].recompute,
                                             .device = trainings[i].device};
        d->plans[i] = memory_plan_make(&d->architecture, &shape);
    }
}

/* Keys and values of one token, in bf16. */
static int64_t cache_bytes(const struct architecture *a)
{
    return 2 * a->layer_count * a->key_value_heads * a->head_size *
           (int64_t)dtype_bytes(DTYPE_BF16);
}

static double millions(int64_t count)
{
    return (double)count / 1e6;
}

static double gibibytes(size_t bytes)
{
    return (double)bytes / 1073741824.0;
}

/* ---- JSON --------------------------------------------------------------------------- */

static const char *norm_name(const struct architecture *a)
{
    static const char *const names[] = {[NORM_RMS] = "RMSNorm",
                                        [NORM_RMS_ONE_PLUS] = "RMSNorm (1 + w)",
                                        [NORM_LAYER] = "LayerNorm"};
    return names[a->norm];
}

/* What families do each in their way. */
static void block_json(const struct architecture *a, struct json_writer *json)
{
    json_string(json, "norm", norm_name(a));
    json_bool(json, "pre_norms", !a->no_pre_norms);
    json_bool(json, "post_norms", a->post_norms);
    json_bool(json, "head_norms", a->head_norms);
    json_bool(json, "row_norms", a->row_norms);
    json_string(json, "activation", architecture_activation_name(a));
    json_bool(json, "gated", !a->gateless);
    json_bool(json, "learned_positions", a->learned_positions);
    json_integer(json, "rotary_size", architecture_rotary_size(a));
    json_integer(json, "window", a->window);
    json_integer(json, "windowed_layers", architecture_windowed_count(a));
    json_integer(json, "unturned_layers", architecture_unturned_count(a));
    json_number(json, "attention_soft_cap", a->attention_cap);
    json_number(json, "logit_soft_cap", a->logit_cap);
    json_number(json, "embedding_multiplier", a->embedding_multiplier);
    json_number(json, "residual_multiplier", a->residual_multiplier);
    json_number(json, "attention_multiplier", a->attention_multiplier);
    json_number(json, "logits_scaling", a->logits_scaling);
}

static void architecture_json(const struct architecture *a, struct json_writer *json)
{
    json_object_begin(json, "architecture");
    json_string(json, "class", architecture_class_name(a));
    json_string(json, "model_type", a->model_type);
    json_bool(json, "text_part", a->text_part);
    json_integer(json, "layers", a->layer_count);
    json_integer(json, "channels", a->channels);
    json_integer(json, "feed_forward", a->feed_forward);
    json_integer(json, "heads", a->heads);
    json_integer(json, "key_value_heads", a->key_value_heads);
    json_integer(json, "head_size", a->head_size);
    json_integer(json, "vocabulary", a->vocabulary);
    json_integer(json, "positions", a->position_limit);
    json_bool(json, "tied_embeddings", a->tied_embeddings);
    block_json(a, json);
    json_object_end(json);
}

static void adapter_json(const struct description *d, struct json_writer *json)
{
    json_object_begin(json, "adapter");
    json_string(json, "base", d->base);
    json_integer(json, "rank", d->lora.rank);
    json_number(json, "alpha", d->lora.alpha);
    json_number(json, "dropout", d->lora.dropout);
    json_bool(json, "rank_stabilised", d->lora.rank_stabilised);
    json_bool(json, "dora", d->lora.dora);
    json_array_begin(json, "targets");
    for (int target = 0; target < LORA_TARGET_COUNT; target++)
        if (d->lora.targets[target])
            json_string(json, NULL, lora_target_name(&d->lora, (enum lora_target)target));
    json_array_end(json);
    json_integer(json, "parameters", lora_parameter_count(&d->architecture, &d->lora));
    json_object_end(json);
}

static void weights_json(const struct checkpoint_summary *weights, struct json_writer *json)
{
    json_object_begin(json, "parameters");
    json_integer(json, "total", weights->parameters);
    for (int part = 0; part < PART_COUNT; part++)
        json_integer(json, checkpoint_part_name((enum checkpoint_part)part),
                     weights->parts[part]);
    json_object_end(json);
    json_object_begin(json, "files");
    json_integer(json, "count", (int64_t)weights->file_count);
    json_integer(json, "bytes", (int64_t)weights->file_bytes);
    json_integer(json, "tensors", (int64_t)weights->tensor_count);
    json_object_begin(json, "stored");
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (weights->stored[dtype])
            json_integer(json, dtype_name((enum dtype)dtype), weights->stored[dtype]);
    json_object_end(json);
    json_object_end(json);
}

static void text_json(const struct description *d, struct json_writer *json)
{
    if (d->tokenizer_file) {
        json_object_begin(json, "tokenizer");
        json_string(json, "file", d->tokenizer_file);
        json_integer(json, "ids", d->vocabulary);
        json_object_end(json);
    } else {
        json_null(json, "tokenizer");
    }
    if (d->template_file) {
        json_string(json, "template", d->template_file);
    } else {
        json_null(json, "template");
        if (d->template_error.status)
            json_string(json, "template_problem", d->template_error.message);
    }
}

static void memory_json(const struct description *d, struct json_writer *json)
{
    json_object_begin(json, "memory");
    json_integer(json, "batch_tokens", d->batch_tokens);
    json_array_begin(json, "training");
    for (int i = 0; i < TRAINING_COUNT; i++) {
        const struct memory_plan *plan = &d->plans[i];
        json_object_begin(json, NULL);
        json_string(json, "options", trainings[i].options);
        json_integer(json, "weights", (int64_t)plan->weights);
        json_integer(json, "masters", (int64_t)plan->masters);
        json_integer(json, "gradients", (int64_t)plan->gradients);
        json_integer(json, "moments", (int64_t)plan->moments);
        json_integer(json, "activations", (int64_t)plan->activations);
        json_integer(json, "workspace", (int64_t)plan->workspace);
        json_integer(json, "bytes", (int64_t)memory_plan_total(plan));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_begin(json, "generation");
    json_integer(json, "weights", 2 * d->weights.parameters);
    json_integer(json, "cache_bytes_per_token", cache_bytes(&d->architecture));
    json_object_end(json);
    json_object_end(json);
}

static void print_json(const struct description *d, struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_string(&json, "model", d->directory);
    if (d->adapted)
        adapter_json(d, &json);
    architecture_json(&d->architecture, &json);
    weights_json(&d->weights, &json);
    text_json(d, &json);
    memory_json(d, &json);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

/* ---- Text --------------------------------------------------------------------------- */

static void print_block(const struct architecture *a, struct text_buffer *out)
{
    text_buffer_appendf(out, "blocks        %s%s, %s%s%s", norm_name(a),
                        a->no_pre_norms ? " after"
                        : a->post_norms ? " before and after"
                                        : "",
                        architecture_activation_name(a), a->gateless ? "" : ", gated",
                        a->row_norms    ? ", norms of queries and keys"
                        : a->head_norms ? ", norms of heads"
                                        : "");
    if (a->window > 0)
        text_buffer_appendf(out, ", a window of %" PRId64 " in %" PRId64 " of them",
                            a->window, architecture_windowed_count(a));
    if (!a->learned_positions && architecture_unturned_count(a) > 0)
        text_buffer_appendf(out, ", no rotation in %" PRId64,
                            architecture_unturned_count(a));
    if (a->attention_cap > 0)
        text_buffer_appendf(out, ", scores capped at %g", a->attention_cap);
    if (a->logit_cap > 0)
        text_buffer_appendf(out, ", logits capped at %g", a->logit_cap);
    if (a->residual_multiplier > 0)
        text_buffer_appendf(out,
                            ", multipliers: embedding %g, residual %g, attention %g, "
                            "logits 1 / %g",
                            a->embedding_multiplier, a->residual_multiplier,
                            a->attention_multiplier, a->logits_scaling);
    text_buffer_append_char(out, '\n');
}

static void print_architecture(const struct description *d, struct text_buffer *out)
{
    const struct architecture *a = &d->architecture;
    text_buffer_appendf(
        out,
        "architecture  %s%s: %" PRId64 " layers, %" PRId64
        " channels, feed-forward %" PRId64 "\n"
        "attention     %" PRId64 " heads of %" PRId64 ", %" PRId64 " of keys and values\n",
        architecture_class_name(a), a->text_part ? ", in a model of images too" : "",
        a->layer_count, a->channels, a->feed_forward, a->heads, a->head_size,
        a->key_value_heads);
    print_block(a, out);
    text_buffer_appendf(out, "positions     %" PRId64 "%s", a->position_limit,
                        a->learned_positions ? ", learned" : "");
    text_buffer_appendf(out, "\nvocabulary    %" PRId64 "%s\n", a->vocabulary,
                        a->tied_embeddings ? ", output tied to the embedding" : "");
}

static void print_adapter(const struct description *d, struct text_buffer *out)
{
    const char *between = " on ";
    text_buffer_appendf(out, "adapter       %.4g million: rank %" PRId64 ", alpha %g%s%s",
                        millions(lora_parameter_count(&d->architecture, &d->lora)),
                        d->lora.rank, d->lora.alpha,
                        d->lora.rank_stabilised ? ", rsLoRA" : "",
                        d->lora.dora ? ", DoRA" : "");
    for (int target = 0; target < LORA_TARGET_COUNT; target++) {
        if (!d->lora.targets[target])
            continue;
        text_buffer_appendf(out, "%s%s", between,
                            lora_target_name(&d->lora, (enum lora_target)target));
        between = ", ";
    }
    text_buffer_appendf(out, "\nbase          %s\n", d->base);
}

static void print_weights(const struct checkpoint_summary *weights, struct text_buffer *out)
{
    const char *between = ": ";
    text_buffer_appendf(out, "parameters    %.4g million", millions(weights->parameters));
    for (int part = 0; part < PART_COUNT; part++, between = ", ")
        text_buffer_appendf(out, "%s%s %.4g", between,
                            checkpoint_part_name((enum checkpoint_part)part),
                            millions(weights->parts[part]));
    text_buffer_appendf(out, "\nfiles         %zu, %.2f GiB, %zu tensors",
                        weights->file_count, gibibytes(weights->file_bytes),
                        weights->tensor_count);
    between = ": ";
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (weights->stored[dtype] == 0)
            continue;
        text_buffer_appendf(out, "%s%s %.4g million", between,
                            dtype_name((enum dtype)dtype),
                            millions(weights->stored[dtype]));
        between = ", ";
    }
    text_buffer_append_char(out, '\n');
}

static void print_text(const struct description *d, struct text_buffer *out)
{
    if (d->tokenizer_file)
        text_buffer_appendf(out, "tokenizer     %s, %" PRId64 " ids\n", d->tokenizer_file,
                            d->vocabulary);
    else
        text_buffer_append(out,
                           "tokenizer     none: no tokenizer.json, no tokenizer.model\n");
    if (d->template_file)
        text_buffer_appendf(out, "template      %s\n", d->template_file);
    else
        text_buffer_appendf(out, "template      none%s%s\n",
                            d->template_error.status ? ": " : "",
                            d->template_error.status ? d->template_error.message : "");
}

static void print_memory(const struct description *d, struct text_buffer *out)
{
    text_buffer_appendf(out, "memory to train, %" PRId64 " tokens a batch, in GiB\n",
                        d->batch_tokens);
    for (int i = 0; i < TRAINING_COUNT; i++) {
        text_buffer_appendf(out, "  %s\n      ", trainings[i].options);
        memory_plan_print(&d->plans[i], out);
        text_buffer_append_char(out, '\n');
    }
    text_buffer_appendf(out,
                        "memory to generate, in bf16\n  %.2f GiB of weights, %.1f KiB for "
                        "each token in the cache\n",
                        gibibytes(2 * (size_t)d->weights.parameters),
                        (double)cache_bytes(&d->architecture) / 1024.0);
}

static enum status describe(struct description *d, struct error *error)
{
    enum status status = model_directory_base(&d->base, d->directory, error);
    const char *weights = d->base ? d->base : d->directory;
    if (!status)
        status = architecture_open_directory(&d->architecture, weights, error);
    if (!status)
        status = checkpoint_summarise(&d->weights, &d->architecture, weights, error);
    if (!status && d->base)
        status = describe_adapter(d, error);
    if (!status)
        status = describe_text(d, error);
    if (!status)
        describe_memory(d);
    return status;
}

enum status inspect_model_describe(const char *directory, bool json,
                                   struct text_buffer *out, struct error *error)
{
    struct description d = {.directory = directory};
    const enum status status = describe(&d, error);
    if (!status && json) {
        print_json(&d, out);
    } else if (!status) {
        text_buffer_appendf(out, "model         %s\n", directory);
        if (d.adapted)
            print_adapter(&d, out);
        print_architecture(&d, out);
        print_weights(&d.weights, out);
        print_text(&d, out);
        print_memory(&d, out);
    }
    free(d.base);
    return status;
}
