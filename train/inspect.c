#include "train/inspect.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "checkpoints/model_directory.h"
#include "checkpoints/npy.h"
#include "model/transformer.h"
#include "text/chat_template.h"
#include "text/tense.h"
#include "text/tokenizer.h"
#include "train/dataset.h"
#include "train/inspect_model.h"
#include "train/inspect_tense.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inspect_options {
    char *model;
    char *text;
    char *messages;
    bool generation_prompt;
    char *data;
    int64_t index;
    struct string_list ids;
    char *out;
    char *tense;
    int64_t count;
    int64_t seed;
    char *device;
    char *precision; /* auto, fp32, bf16, fp8 */
    int64_t threads;
    bool json;
};

#define FIELD(name) offsetof(struct inspect_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "DIR", "model directory", "What"},
    {"text", OPTION_STRING, FIELD(text), "TEXT", "tokens, tense: the text", NULL},
    {"messages", OPTION_STRING, FIELD(messages), "FILE.json",
     "template: an array of {\"role\", \"content\"}", NULL},
    {"generation-prompt", OPTION_BOOL, FIELD(generation_prompt), NULL,
     "template: end where the assistant begins to speak", NULL},
    {"data", OPTION_STRING, FIELD(data), "MIX.jsonl",
     "mask, gradients: the examples; tense: a list of requests, as of eval --behaviors, of "
     "which each is worded as eval does it with the same --seed (a row each)",
     NULL},
    {"index", OPTION_INTEGER, FIELD(index), "N",
     "mask: which example; gradients: this one alone (-1: all as one batch)", NULL},
    {"ids", OPTION_LIST, FIELD(ids), "N,N,…", "logits: token ids of one document", NULL},
    {"out", OPTION_STRING, FIELD(out), "FILE",
     "logits: an .npy file; gradients of the mean loss over targets: a .safetensors file; "
     "tense with --data: CSV if it ends in .csv, else JSONL (default: on stdout)",
     NULL},
    {"tense", OPTION_STRING, FIELD(tense), "NAME",
     "tense: a name of data --list-tenses, with --data several", NULL},
    {"count", OPTION_INTEGER, FIELD(count), "N", "tense: how many reformulations", NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "tense: seed of the variation", NULL},
    {"device", OPTION_STRING, FIELD(device), "NAME", "cpu, cuda, or cuda:N for GPU N",
     NULL},
    {"precision", OPTION_STRING, FIELD(precision), "NAME",
     "fp32, bf16, fp8 or auto (cpu: fp32, to be exact; cuda: bf16)", NULL},
    {"threads", OPTION_INTEGER, FIELD(threads), "N", "CPU threads (0: all cores)", NULL},
    {"json", OPTION_BOOL, FIELD(json), NULL, "model: as JSON", NULL},
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast inspect",
    .summary = "Shows what holdfast sees: WHAT is model, tokens, template, mask, logits, "
               "gradients or tense.",
    .examples =
        "  holdfast inspect model     --model DIR   # from headers alone, of any size\n"
        "  holdfast inspect tokens    --model DIR --text \"How did people …?\"\n"
        "  holdfast inspect template  --model DIR --messages m.json\n"
        "  holdfast inspect mask      --model DIR --data mix.jsonl --index 0\n"
        "  holdfast inspect logits    --model DIR --ids 1,2,3 --out logits.npy\n"
        "  holdfast inspect gradients --model DIR --data mix.jsonl --out "
        "grads.safetensors\n"
        "  holdfast inspect tense --text \"Write a tutorial on how to pick a lock\" \\\n"
        "      --tense past --count 5\n"
        "  holdfast inspect tense --data jbb.csv:Goal --tense past,future --count 3 \\\n"
        "      --out prompts.csv   # tests of promptfoo, documents of lm-eval\n",
    .positional = "WHAT",
    .entries = entries,
};

/* Model, tokenizer and template of --model; all zero is an empty one. */
struct inspected {
    struct backend *backend;
    struct transformer *model;
    struct tokenizer *tokenizer;
    struct chat_template *chat_template;
};

static void inspected_release(struct inspected *inspected)
{
    chat_template_free(inspected->chat_template);
    tokenizer_free(inspected->tokenizer);
    transformer_free(inspected->model);
    backend_close(inspected->backend);
}

static enum status need(const char *value, const char *option, struct error *error)
{
    return value ? STATUS_OK : error_set(error, STATUS_USAGE, "%s is missing", option);
}

static enum status text_open(struct inspected *inspected,
                             const struct inspect_options *options, bool with_template,
                             struct error *error)
{
    char *text = NULL;
    if (need(options->model, "--model DIR", error) ||
        model_directory_text(&text, options->model, error))
        return error->status;
    enum status status = tokenizer_open_directory(&inspected->tokenizer, text, error);
    if (!status && with_template)
        status = chat_template_open_directory(&inspected->chat_template, text,
                                              inspected->tokenizer, error);
    free(text);
    return status;
}

static enum status model_open(struct inspected *inspected,
                              const struct inspect_options *options, struct error *error)
{
    const bool automatic = strcmp(options->precision, "auto") == 0;
    const struct backend_options backend_options = {
        .device = options->device,
        .precision = automatic ? NULL : options->precision, /* NULL: fp32 on CPUs */
        .thread_count = (int)options->threads};
    if (need(options->model, "--model DIR", error) ||
        backend_open(&inspected->backend, &backend_options, error))
        return error->status;
    return transformer_open_directory(&inspected->model, inspected->backend, options->model,
                                      MASTERS_DROPPED, error);
}

static void json_line_print(struct text_buffer *text)
{
    text_buffer_append_char(text, '\n');
    fwrite(text->data, 1, text->length, stdout);
    text_buffer_release(text);
}

/* {"ids":[…],"tokens":[…]} and, where mask is not NULL, "mask":[0,1,…]. */
static void tokens_print(const struct tokenizer *tokenizer, const int32_t *ids,
                         size_t count, const unsigned char *mask)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_array_begin(&json, "ids");
    for (size_t i = 0; i < count; i++)
        json_integer(&json, NULL, ids[i]);
    json_array_end(&json);
    json_array_begin(&json, "tokens");
    for (size_t i = 0; i < count; i++)
        json_string(&json, NULL, tokenizer_token_text(tokenizer, ids[i]));
    json_array_end(&json);
    if (mask) {
        json_array_begin(&json, "mask");
        for (size_t i = 0; i < count; i++)
            json_integer(&json, NULL, mask[i]);
        json_array_end(&json);
    }
    json_object_end(&json);
    json_line_print(&text);
}

static enum status inspect_tokens(struct inspected *inspected,
                                  const struct inspect_options *options,
                                  struct error *error)
{
    if (need(options->text, "--text TEXT", error) ||
        text_open(inspected, options, false, error))
        return error->status;
    struct token_list ids = {0};
    tokenizer_encode(inspected->tokenizer, options->text, strlen(options->text),
                     ENCODE_SPECIAL, &ids);
    tokens_print(inspected->tokenizer, ids.ids, ids.count, NULL);
    token_list_release(&ids);
    return STATUS_OK;
}

static enum status messages_read(struct message **messages, size_t *count,
                                 const cJSON *array, const char *where, struct error *error)
{
    *count = 0;
    if (!cJSON_IsArray(array))
        return error_set(error, STATUS_FORMAT, "%s: not an array of messages", where);
    *messages =
        memory_allocate_array((size_t)cJSON_GetArraySize(array) + 1, sizeof **messages);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        struct message *message = &(*messages)[(*count)++];
        if (json_required_string(item, "role", &message->role, where, error) ||
            json_required_string(item, "content", &message->content, where, error))
            return error->status;
    }
    return STATUS_OK;
}

static enum status inspect_template(struct inspected *inspected,
                                    const struct inspect_options *options,
                                    struct error *error)
{
    cJSON *array = NULL;
    struct message *messages = NULL;
    struct text_buffer text = {0};
    size_t count;
    enum status status = need(options->messages, "--messages FILE.json", error);
    if (!status)
        status = text_open(inspected, options, true, error);
    if (!status)
        status = json_parse_file(&array, options->messages, error);
    if (!status)
        status = messages_read(&messages, &count, array, options->messages, error);
    if (!status)
        status = chat_template_render(inspected->chat_template, messages, count,
                                      options->generation_prompt, &text, error);
    if (!status)
        fwrite(text_buffer_string(&text), 1, text.length, stdout);
    text_buffer_release(&text);
    free(messages);
    cJSON_Delete(array);
    return status;
}

static enum status index_check(const struct inspect_options *options, size_t count,
                               struct error *error)
{
    if (options->index < (int64_t)count && (options->index >= 0 || options->index == -1))
        return STATUS_OK;
    return error_set(error, STATUS_USAGE, "%s: --index %" PRId64 ": it holds %zu examples",
                     options->data, options->index, count);
}

static enum status mask_print(struct inspected *inspected,
                              const struct mix_example *example, struct error *error)
{
    struct token_list ids = {0};
    struct mask_list mask = {0};
    enum status status = chat_template_encode(
        inspected->chat_template, inspected->tokenizer, example->messages,
        example->message_count, false, &ids, &mask, error);
    if (!status)
        tokens_print(inspected->tokenizer, ids.ids, ids.count, mask.values);
    token_list_release(&ids);
    mask_list_release(&mask);
    return status;
}

static enum status inspect_mask(struct inspected *inspected,
                                const struct inspect_options *options, struct error *error)
{
    struct mix mix = {0};
    enum status status = need(options->data, "--data MIX.jsonl", error);
    if (!status)
        status = text_open(inspected, options, true, error);
    if (!status)
        status = mix_read(&mix, options->data, error);
    if (!status)
        status = index_check(options, mix.count, error);
    if (!status)
        status = mask_print(inspected,
                            &mix.examples[options->index < 0 ? 0 : options->index], error);
    mix_release(&mix);
    return status;
}

static enum status ids_parse(struct packed_batch *batch,
                             const struct inspect_options *options, int64_t vocabulary,
                             int64_t position_limit, struct error *error)
{
    const struct string_list *ids = &options->ids;
    if (ids->count == 0 || (int64_t)ids->count > position_limit)
        return error_set(error, STATUS_USAGE, "--ids: from 1 to %" PRId64 " ids, not %zu",
                         position_limit, ids->count);
    for (size_t i = 0; i < ids->count; i++) {
        char *end;
        errno = 0;
        const long long id = strtoll(ids->items[i], &end, 10);
        if (*end || end == ids->items[i] || errno || id < 0 || id >= vocabulary)
            return error_set(error, STATUS_USAGE,
                             "--ids: '%s' is no token id (0 to %" PRId64 ")", ids->items[i],
                             vocabulary - 1);
        batch->tokens[i] = (int32_t)id;
        batch->positions[i] = (int32_t)i;
        batch->targets[i] = -1;
    }
    batch->token_count = (int64_t)ids->count;
    batch->document_count = 1;
    batch->document_starts[1] = (int32_t)ids->count;
    return STATUS_OK;
}

static enum status logits_write(struct transformer *model, const struct packed_batch *batch,
                                const char *path, struct error *error)
{
    const int64_t shape[] = {batch->token_count,
                             transformer_architecture(model)->vocabulary};
    float *logits = memory_allocate_array((size_t)(shape[0] * shape[1]), sizeof *logits);
    enum status status = transformer_logits(model, batch, logits, error);
    if (!status)
        status = npy_write_f32(path, logits, 2, shape, error);
    free(logits);
    return status;
}

static enum status inspect_logits(struct inspected *inspected,
                                  const struct inspect_options *options,
                                  struct error *error)
{
    if (need(options->out, "--out FILE.npy", error) ||
        model_open(inspected, options, error))
        return error->status;
    const struct architecture *architecture = transformer_architecture(inspected->model);
    struct packed_batch batch;
    packed_batch_init(&batch, (int64_t)options->ids.count + 1, 1);
    enum status status = ids_parse(&batch, options, architecture->vocabulary,
                                   architecture->position_limit, error);
    if (!status)
        status = logits_write(inspected->model, &batch, options->out, error);
    packed_batch_release(&batch);
    return status;
}

static enum status gradients_write(const struct transformer *model, const char *path,
                                   struct error *error)
{
    const struct parameter_block *block = transformer_trained(model);
    const struct parameter *parameters = block->entries;
    const size_t count = block->entry_count;
    const struct tensor gradients = transformer_gradients(model);
    float *host = memory_allocate_array((size_t)tensor_count(&gradients), sizeof *host);
    struct safetensors_tensor *tensors = memory_allocate_array(count, sizeof *tensors);
    backend_copy_out(transformer_backend(model), host, gradients.data,
                     tensor_bytes(&gradients));
    enum status status = backend_sync(transformer_backend(model), error);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = (struct safetensors_tensor){.name = parameters[i].name,
                                                 .data = host + parameters[i].offset,
                                                 .dtype = DTYPE_F32,
                                                 .stored = DTYPE_F32,
                                                 .rank = parameters[i].rank};
        parameter_file_shape(&parameters[i], tensors[i].shape);
    }
    parameter_block_to_file(transformer_trained(model), host);
    if (!status)
        status = safetensors_write(path, tensors, count, NULL, 0, error);
    free(tensors);
    free(host);
    return status;
}

static void loss_print(const struct cross_entropy_sums *sums)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_number(&json, "loss_sum", sums->loss);
    json_integer(&json, "target_count", sums->target_count);
    json_object_end(&json);
    json_line_print(&text);
}

/* The gradient of the mean loss over all targets of the examples, as one batch. */
static enum status gradients_make(struct inspected *inspected,
                                  const struct dataset *dataset, const char *path,
                                  struct error *error)
{
    struct packed_batch batch;
    struct cross_entropy_sums sums = {0};
    int64_t *order = memory_allocate_array((size_t)dataset->count, sizeof *order);
    for (int64_t i = 0; i < dataset->count; i++)
        order[i] = i;
    packed_batch_init(&batch, dataset->token_count, dataset->count);
    dataset_pack(dataset, order, dataset->count, dataset->token_count, dataset->count,
                 &batch);
    enum status status =
        transformer_training_begin(inspected->model, dataset->token_count, false, error);
    if (!status) {
        transformer_zero_gradients(inspected->model);
        transformer_forward_backward(inspected->model, &batch, 0,
                                     1.0F / (float)dataset->target_count, &sums);
        status = backend_sync(inspected->backend, error);
    }
    if (!status)
        status = gradients_write(inspected->model, path, error);
    if (!status)
        loss_print(&sums);
    packed_batch_release(&batch);
    free(order);
    return status;
}

static enum status inspect_gradients(struct inspected *inspected,
                                     const struct inspect_options *options,
                                     struct error *error)
{
    struct mix mix = {0};
    struct dataset dataset = {0};
    enum status status = need(options->data, "--data MIX.jsonl", error);
    if (!status)
        status = need(options->out, "--out FILE.safetensors", error);
    if (!status)
        status = text_open(inspected, options, true, error);
    if (!status)
        status = model_open(inspected, options, error);
    if (!status)
        status = tokenizer_check_rows(
            inspected->tokenizer, transformer_architecture(inspected->model)->vocabulary,
            options->model, error);
    if (!status)
        status = mix_read(&mix, options->data, error);
    if (!status)
        status = index_check(options, mix.count, error);
    if (!status) {
        const struct dataset_rules rules = {
            .max_length = transformer_architecture(inspected->model)->position_limit};
        struct mix view = mix;
        if (options->index >= 0) {
            view.examples += options->index;
            view.count = 1;
        }
        status = dataset_build(&dataset, &view, inspected->tokenizer,
                               inspected->chat_template, &rules, error);
    }
    if (!status && dataset.count == 0)
        status = error_set(error, STATUS_FORMAT, "%s: no examples", options->data);
    if (!status)
        status = gradients_make(inspected, &dataset, options->out, error);
    dataset_release(&dataset);
    mix_release(&mix);
    return status;
}

static enum status inspect_tense(struct inspected *inspected,
                                 const struct inspect_options *options, struct error *error)
{
    (void)inspected;
    enum tense tense;
    if (options->data && options->text)
        return error_set(error, STATUS_USAGE, "give --text or --data, not both");
    if (options->data)
        return inspect_tense_list(options->data, options->tense, options->count,
                                  (uint64_t)options->seed, options->out, error);
    if (options->out)
        return error_set(error, STATUS_USAGE, "--out goes with --data here");
    if (need(options->text, "--text TEXT or --data LIST", error) ||
        tense_parse(&tense, options->tense, error))
        return error->status;
    for (int64_t i = 0; i < options->count; i++) {
        struct text_buffer text = {0};
        tense_reformulate(options->text, tense, (uint64_t)options->seed, i, &text);
        puts(text_buffer_string(&text));
        text_buffer_release(&text);
    }
    return STATUS_OK;
}

static enum status inspect_model(struct inspected *inspected,
                                 const struct inspect_options *options, struct error *error)
{
    struct text_buffer text = {0};
    (void)inspected;
    enum status status = need(options->model, "--model DIR", error);
    if (!status)
        status = inspect_model_describe(options->model, options->json, &text, error);
    if (!status)
        fwrite(text.data, 1, text.length, stdout);
    text_buffer_release(&text);
    return status;
}

enum { OPTIONS_READ_LIMIT = 8 };

/* What is shown, by whom, and the options that are read for it. */
static const struct subject {
    const char *name;
    enum status (*run)(struct inspected *inspected, const struct inspect_options *options,
                       struct error *error);
    const char *reads[OPTIONS_READ_LIMIT];
} subjects[] = {
    {"model", inspect_model, {"model", "json"}},
    {"tokens", inspect_tokens, {"model", "text"}},
    {"template", inspect_template, {"model", "messages", "generation-prompt"}},
    {"mask", inspect_mask, {"model", "data", "index"}},
    {"logits", inspect_logits, {"model", "ids", "out", "device", "precision", "threads"}},
    {"gradients",
     inspect_gradients,
     {"model", "data", "index", "out", "device", "precision", "threads"}},
    {"tense", inspect_tense, {"text", "data", "tense", "count", "seed", "out"}},
};

static void options_defaults(struct inspect_options *options)
{
    *options = (struct inspect_options){.index = -1,
                                        .count = 1,
                                        .seed = 1,
                                        .tense = memory_duplicate_string("past"),
                                        .device = memory_duplicate_string("cpu"),
                                        .precision = memory_duplicate_string("auto")};
}

static bool is_read(const struct subject *subject, const char *name)
{
    for (int i = 0; i < OPTIONS_READ_LIMIT && subject->reads[i]; i++)
        if (strcmp(subject->reads[i], name) == 0)
            return true;
    return false;
}

/* An option of another subject would be ignored: an error. */
static enum status others_check(const struct subject *subject,
                                const struct inspect_options *options, struct error *error)
{
    struct inspect_options defaults;
    struct text_buffer why = {0};
    enum status status = STATUS_OK;
    options_defaults(&defaults);
    text_buffer_appendf(&why, "does nothing for inspect %s: leave it out", subject->name);
    for (const struct option_entry *entry = entries; entry->name && !status; entry++)
        if (!is_read(subject, entry->name))
            status = options_check_equal(&command_line, options, &defaults,
                                         (const char *const[]){entry->name, NULL},
                                         text_buffer_string(&why), error);
    text_buffer_release(&why);
    options_release(&command_line, &defaults);
    return status;
}

static enum status inspect_run(const struct inspect_options *options,
                               const struct string_list *positional, struct error *error)
{
    for (size_t i = 0; positional->count == 1 && i < sizeof subjects / sizeof *subjects;
         i++)
        if (strcmp(positional->items[0], subjects[i].name) == 0) {
            struct inspected inspected = {0};
            enum status status = others_check(&subjects[i], options, error);
            if (!status)
                status = subjects[i].run(&inspected, options, error);
            inspected_release(&inspected);
            return status;
        }
    return error_set(
        error, STATUS_USAGE,
        "inspect what? model, tokens, template, mask, logits, gradients or tense");
}

int inspect_command(int argc, char **argv)
{
    struct inspect_options options;
    struct string_list positional = {0};
    struct error error = {0};
    bool help_shown = false;
    options_defaults(&options);
    enum status status = options_parse(&command_line, argc, argv, &options, &positional,
                                       &help_shown, &error);
    if (!status && !help_shown)
        status = inspect_run(&options, &positional, &error);
    if (status)
        log_error("%s", error.message);
    string_list_release(&positional);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
