/*
 * Speed of whole models on random weights and random tokens, one JSON line a result:
 *
 *     gpu_bench train CONFIG.json      tokens/s of training steps
 *     gpu_bench generate CONFIG.json   tokens/s of replies, prompts read included
 *
 * A training step is the gradients of all packs, their global norm, and AdamW's update.
 * Every token but the last of a document is a target. The same packs serve every step, so
 * that the loss must fall. Model arithmetic per token, in floating-point operations:
 *
 *     6 P + 6 L H D (length + 1)             all weights trained
 *     4 P + 6 L H D (length + 1) + 6 A       with adapters
 *
 * P counts the weights of all products: those of the blocks and of the output projection,
 * not the embedding; A those of the adapters. Each costs 2 forward, 2 for the gradient of
 * its input and, where it is trained, 2 for its own. Causal attention costs
 * 2 H D (length + 1) a layer forward and twice that backward. What recomputation does again
 * is not counted.
 *
 * scripts/bench/gpu/bench-gpu runs it beside PyTorch.
 */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"
#include "model/generator.h"
#include "model/transformer_internal.h"
#include "optim/adamw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char *device;
    char *moments;
    int64_t tokens_per_pack, length, accumulation;
    int64_t lora;
    char *quantize;
    bool recompute;
    double lr;
    int64_t steps, warmup_steps;
    int64_t prompts, prompt_length, new_tokens, batch;
    double temperature;
    int64_t seed;
};

#define FIELD(member) offsetof(struct settings, member)
static const struct option_entry entries[] = {
    {"device", OPTION_STRING, FIELD(device), "NAME", "cuda, cuda:N or cpu", "Where"},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "of weights and tokens", NULL},
    {"tokens-per-pack", OPTION_INTEGER, FIELD(tokens_per_pack), "N", "of a pass", "train"},
    {"length", OPTION_INTEGER, FIELD(length), "T", "tokens of a document", NULL},
    {"accumulation", OPTION_INTEGER, FIELD(accumulation), "N", "packs of a step", NULL},
    {"lora", OPTION_INTEGER, FIELD(lora), "RANK", "train adapters; 0: all weights", NULL},
    {"quantize", OPTION_STRING, FIELD(quantize), "TYPE",
     "of the frozen matrices: nf4 or none", NULL},
    {"recompute", OPTION_BOOL, FIELD(recompute), NULL, "make activations again", NULL},
    {"moments", OPTION_STRING, FIELD(moments), "TYPE", "of AdamW: f32 or bf16", NULL},
    {"lr", OPTION_NUMBER, FIELD(lr), "X", "learning rate", NULL},
    {"steps", OPTION_INTEGER, FIELD(steps), "N", "timed steps", NULL},
    {"warmup-steps", OPTION_INTEGER, FIELD(warmup_steps), "N", "steps before them", NULL},
    {"prompts", OPTION_INTEGER, FIELD(prompts), "N", "replies to make", "generate"},
    {"prompt-length", OPTION_INTEGER, FIELD(prompt_length), "N", "tokens of each", NULL},
    {"new", OPTION_INTEGER, FIELD(new_tokens), "N", "tokens of a reply", NULL},
    {"batch", OPTION_INTEGER, FIELD(batch), "N", "replies at a time; 0: chosen", NULL},
    {"temperature", OPTION_NUMBER, FIELD(temperature), "X", "of sampling", NULL},
    {0}};

static const struct command_line command_line = {
    .name = "gpu_bench",
    .summary = "Times training or generation with random weights of given shapes.",
    .examples = "  gpu_bench train llama-3-8b.json --tokens-per-pack 4096 --length 2048\n"
                "  gpu_bench generate llama-3-8b.json --prompts 2000 --batch 256\n",
    .positional = "train|generate CONFIG.json",
    .entries = entries,
};

static bool quantized(const struct settings *settings)
{
    return strcmp(settings->quantize, "nf4") == 0;
}

/* A model of random weights, and the least memory that was free since before it. */
struct bench {
    const struct settings *settings;
    const char *config;
    struct backend *backend;
    struct architecture architecture;
    struct transformer *model;
    size_t free_before, free_least;
};

static void memory_look(struct bench *bench)
{
    size_t free_bytes, total_bytes;
    if (backend_memory(bench->backend, &free_bytes, &total_bytes) &&
        free_bytes < bench->free_least)
        bench->free_least = free_bytes;
}

static double memory_gib(const struct bench *bench)
{
    return (double)(bench->free_before - bench->free_least) / (double)(1 << 30);
}

static enum status config_read(struct architecture *architecture, const char *path,
                               struct error *error)
{
    struct text_buffer text = {0};
    enum status status = file_read(&text, path, (size_t)1 << 20, error);
    if (!status)
        status = architecture_parse(architecture, text_buffer_string(&text), text.length,
                                    path, error);
    text_buffer_release(&text);
    return status;
}

/* A prime, so that the repeated draws give no matrix two equal rows. */
enum { DRAW_COUNT = 4194301 };

static void *table_new(enum dtype dtype, float *draws)
{
    void *table = memory_allocate_array(DRAW_COUNT, dtype_bytes(dtype));
    dtype_convert(table, dtype, draws, DTYPE_F32, DRAW_COUNT);
    return table;
}

/* Weights [first, first + count) from the table, from `shift` on, over and over. */
static void weights_put(struct bench *bench, int64_t first, int64_t count,
                        const void *table, int64_t shift)
{
    const struct tensor weights = transformer_weights(bench->model);
    const size_t each = dtype_bytes(weights.dtype);
    unsigned char *data = weights.data;
    for (int64_t done = 0; done < count;) {
        const int64_t from = (shift + done) % DRAW_COUNT;
        const int64_t left = count - done, fits = DRAW_COUNT - from;
        const int64_t taken = left < fits ? left : fits;
        backend_copy_in(bench->backend, data + (size_t)(first + done) * each,
                        (const unsigned char *)table + (size_t)from * each,
                        (size_t)taken * each);
        done += taken;
    }
}

/* The same for a quantised matrix, in pieces of whole blocks. */
static void weights_quantize(struct bench *bench, const struct parameter *parameter,
                             const float *draws)
{
    enum { PIECE = DRAW_COUNT / NF4_BLOCK * NF4_BLOCK };
    for (int64_t done = 0; done < parameter->count; done += PIECE) {
        const int64_t left = parameter->count - done;
        transformer_put(bench->model, parameter, done, draws, left < PIECE ? left : PIECE);
    }
}

/*
 * Not transformer_create(): drawing 8e9 normal numbers takes longer than what is measured.
 * The lower halves of masters stay 0.
 */
static enum status weights_fill(struct bench *bench, struct error *error)
{
    const struct tensor weights = transformer_weights(bench->model);
    const float deviation = (float)bench->architecture.initializer_range;
    struct random random = random_stream((uint64_t)bench->settings->seed, 0);
    float *draws = memory_allocate_array(DRAW_COUNT, sizeof *draws);
    size_t count;
    const struct parameter *parameters = transformer_parameters(bench->model, &count);

    for (int64_t i = 0; i < DRAW_COUNT; i++)
        draws[i] = deviation * random_normal(&random);
    void *normal = table_new(weights.dtype, draws);
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].quantized >= 0)
            weights_quantize(bench, &parameters[i], draws);
        else if (parameters[i].rank == 2)
            weights_put(bench, parameters[i].offset, parameters[i].count, normal,
                        (int64_t)random_below(&random, DRAW_COUNT));
    }
    for (int64_t i = 0; i < DRAW_COUNT; i++)
        draws[i] = 1.0f;
    void *ones = table_new(weights.dtype, draws);
    for (size_t i = 0; i < count; i++)
        if (parameters[i].rank == 1)
            weights_put(bench, parameters[i].offset, parameters[i].count, ones, 0);
    free(ones);
    free(normal);
    free(draws);
    return backend_sync(bench->backend, error);
}

static enum status bench_open(struct bench *bench, enum master_weights masters,
                              struct error *error)
{
    const struct backend_options options = {.device = bench->settings->device};
    size_t total_bytes;
    if (config_read(&bench->architecture, bench->config, error) ||
        backend_open(&bench->backend, &options, error))
        return error->status;
    if (!backend_memory(bench->backend, &bench->free_before, &total_bytes))
        bench->free_before = 0;
    bench->free_least = bench->free_before;
    if (transformer_plan(&bench->model, bench->backend, NULL, &bench->architecture, masters,
                         error))
        return error->status;
    return weights_fill(bench, error);
}

static void bench_close(struct bench *bench)
{
    transformer_free(bench->model);
    backend_close(bench->backend);
}

static int32_t *random_tokens(const struct bench *bench, int64_t count, uint64_t stream)
{
    struct random random = random_stream((uint64_t)bench->settings->seed, stream);
    int32_t *tokens = memory_allocate_array((size_t)count, sizeof *tokens);
    for (int64_t i = 0; i < count; i++)
        tokens[i] =
            (int32_t)random_below(&random, (uint64_t)bench->architecture.vocabulary);
    return tokens;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* "qwen2.5-1.5b" of "…/qwen2.5-1.5b.json" */
static char *config_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = memory_duplicate_string(slash ? slash + 1 : path);
    char *ending = strstr(name, ".json");
    if (ending)
        *ending = '\0';
    return name;
}

static void result_begin(struct json_writer *json, const struct bench *bench,
                         const char *what)
{
    char *name = config_name(bench->config);
    json_object_begin(json, NULL);
    json_string(json, "side", "holdfast");
    json_string(json, "what", what);
    json_string(json, "model", name);
    json_string(json, "device", backend_description(bench->backend));
    json_string(json, "dtype", dtype_name(backend_compute_dtype(bench->backend)));
    free(name);
}

static void result_end(struct json_writer *json)
{
    json_object_end(json);
    printf("%s\n", text_buffer_string(json->out));
    fflush(stdout);
    text_buffer_release(json->out);
}

/* Sorts `seconds`. */
static void print_rates(struct json_writer *json, double *seconds, int64_t count,
                        double tokens)
{
    qsort(seconds, (size_t)count, sizeof *seconds, compare_doubles);
    const double median = 0.5 * (seconds[(count - 1) / 2] + seconds[count / 2]);
    json_number(json, "tokens_per_second", tokens / median);
    json_number(json, "least", tokens / seconds[count - 1]);
    json_number(json, "most", tokens / seconds[0]);
}

static double training_operations(const struct bench *bench)
{
    const struct architecture *a = &bench->architecture;
    const int64_t length = bench->settings->length, lora = bench->settings->lora;
    const int64_t query = a->heads * a->head_size;
    const int64_t block = a->channels * (query_key_value_width(a) + query) +
                          3 * a->channels * a->feed_forward;
    const double products = (double)(a->layer_count * block + a->vocabulary * a->channels);
    const double adapters =
        lora > 0 ? (double)transformer_trained(bench->model)->count : 0.0;
    return (lora > 0 ? 4.0 : 6.0) * products + 6.0 * adapters +
           6.0 * (double)(a->layer_count * query * (length + 1));
}

/* Documents of `length` random tokens. */
static struct packed_batch pack_new(const struct bench *bench, uint64_t number)
{
    const int64_t count = bench->settings->tokens_per_pack;
    const int64_t length = bench->settings->length;
    struct packed_batch pack = {
        .token_count = count,
        .document_count = count / length,
        .target_count = count - count / length,
        .tokens = random_tokens(bench, count, 1 + number),
        .positions = memory_allocate_array((size_t)count, sizeof(int32_t)),
        .targets = memory_allocate_array((size_t)count, sizeof(int32_t)),
        .document_starts =
            memory_allocate_array((size_t)(count / length) + 1, sizeof(int32_t)),
    };
    for (int64_t t = 0; t < count; t++) {
        const bool last = (t + 1) % length == 0;
        pack.positions[t] = (int32_t)(t % length);
        pack.targets[t] = last ? -1 : pack.tokens[t + 1];
    }
    for (int64_t n = 0; n <= pack.document_count; n++)
        pack.document_starts[n] = (int32_t)(n * length);
    return pack;
}

static void pack_free(struct packed_batch *pack)
{
    free(pack->tokens);
    free(pack->positions);
    free(pack->targets);
    free(pack->document_starts);
}

struct training {
    struct adamw adamw;
    struct packed_batch *packs;
    struct cross_entropy_sums *sums; /* of the last step */
    double *seconds;                 /* of the timed steps */
    double loss_first, loss_last, gradient_norm;
};

static enum status adapters_begin(const struct bench *bench, struct error *error)
{
    struct lora_options options = {.rank = bench->settings->lora,
                                   .alpha = 2.0 * (double)bench->settings->lora,
                                   .seed = (uint64_t)bench->settings->seed};
    enum status status = lora_targets_parse(&options, "all-linear", error);
    if (!status)
        status = transformer_lora_begin(bench->model, &options, MASTERS_KEPT, error);
    return status;
}

static enum status optimiser_open(struct training *training, const struct bench *bench,
                                  struct error *error)
{
    const bool half = strcmp(bench->settings->moments, "bf16") == 0;
    const struct parameter_block *block = transformer_trained(bench->model);
    struct adamw_range *ranges = memory_allocate_array(block->entry_count, sizeof *ranges);
    for (size_t i = 0; i < block->entry_count; i++) {
        const struct parameter *entry = &block->entries[i];
        ranges[i] = (struct adamw_range){entry->offset, entry->count, entry->decayed};
    }
    const enum status status = adamw_init(&training->adamw, bench->backend, block->count,
                                          half ? DTYPE_BF16 : DTYPE_F32, ranges,
                                          (int64_t)block->entry_count, error);
    free(ranges);
    return status;
}

static enum status training_open(struct training *training, const struct bench *bench,
                                 struct error *error)
{
    const struct settings *settings = bench->settings;
    const size_t packs = (size_t)settings->accumulation;

    training->packs = memory_allocate_array(packs, sizeof *training->packs);
    training->sums = memory_allocate_array(packs, sizeof *training->sums);
    training->seconds =
        memory_allocate_array((size_t)settings->steps, sizeof *training->seconds);
    for (size_t i = 0; i < packs; i++)
        training->packs[i] = pack_new(bench, i);
    if ((settings->lora > 0 && adapters_begin(bench, error)) ||
        transformer_training_begin(bench->model, settings->tokens_per_pack,
                                   settings->recompute, error))
        return error->status;
    return optimiser_open(training, bench, error);
}

static void training_close(struct training *training, const struct bench *bench)
{
    for (int64_t i = 0; training->packs && i < bench->settings->accumulation; i++)
        pack_free(&training->packs[i]);
    adamw_release(&training->adamw);
    free(training->packs);
    free(training->sums);
    free(training->seconds);
}

static enum status training_step(struct training *training, struct bench *bench,
                                 struct error *error)
{
    const struct settings *settings = bench->settings;
    const struct adamw_options options = {.beta1 = 0.9,
                                          .beta2 = 0.95,
                                          .epsilon = 1e-8,
                                          .weight_decay = 0.1,
                                          .clip_norm = 1.0,
                                          .seed = (uint64_t)settings->seed};
    struct tensor weights = transformer_weights(bench->model);
    struct tensor remainders = transformer_remainders(bench->model);
    const struct tensor gradients = transformer_gradients(bench->model);
    const int64_t targets = settings->accumulation * training->packs[0].target_count;

    transformer_zero_gradients(bench->model);
    for (int64_t i = 0; i < settings->accumulation; i++)
        transformer_forward_backward(bench->model, &training->packs[i], 0.0f,
                                     1.0f / (float)targets, &training->sums[i]);
    if (adamw_step(&training->adamw, &weights, &remainders, &gradients, settings->lr,
                   &options, &training->gradient_norm, error))
        return error->status;
    training->loss_last = 0;
    for (int64_t i = 0; i < settings->accumulation; i++)
        training->loss_last += training->sums[i].loss / (double)targets;
    if (training->adamw.step == 1)
        training->loss_first = training->loss_last;
    return STATUS_OK;
}

static enum status training_run(struct training *training, struct bench *bench,
                                struct error *error)
{
    const int64_t steps = bench->settings->steps, warmup = bench->settings->warmup_steps;
    for (int64_t i = 0; i < warmup + steps; i++) {
        const double start = clock_seconds();
        if (training_step(training, bench, error))
            return error->status;
        if (i >= warmup)
            training->seconds[i - warmup] = clock_seconds() - start;
    }
    memory_look(bench);
    return STATUS_OK;
}

static void print_training(struct training *training, const struct bench *bench)
{
    const struct settings *settings = bench->settings;
    const double tokens = (double)(settings->accumulation * settings->tokens_per_pack);
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    char mode[32] = "full";
    if (settings->lora > 0)
        snprintf(mode, sizeof mode, "%slora%lld", quantized(settings) ? "q" : "",
                 (long long)settings->lora);
    result_begin(&json, bench, "train");
    json_string(&json, "mode", mode);
    json_string(&json, "details", settings->recompute ? "recompute" : "");
    json_string(&json, "moments", settings->moments);
    json_integer(&json, "length", settings->length);
    json_integer(&json, "tokens_per_pass", settings->tokens_per_pack);
    json_number(&json, "tokens_per_step", tokens);
    print_rates(&json, training->seconds, settings->steps, tokens);
    json_number(&json, "operations_per_token", training_operations(bench));
    json_number(&json, "memory_gib", memory_gib(bench));
    json_number(&json, "loss_first", training->loss_first);
    json_number(&json, "loss_last", training->loss_last);
    json_number(&json, "gradient_norm", training->gradient_norm);
    result_end(&json);
}

static enum status train(struct bench *bench, struct error *error)
{
    const struct settings *settings = bench->settings;
    struct training training = {0};
    if (settings->length < 2 || settings->tokens_per_pack < settings->length ||
        settings->tokens_per_pack % settings->length != 0 || settings->accumulation < 1 ||
        settings->lora < 0 || settings->steps < 1 || settings->warmup_steps < 0)
        return error_set(error, STATUS_USAGE,
                         "a pack holds whole documents of at least 2 tokens, and a step "
                         "at least one pack");
    if (!quantized(settings) && strcmp(settings->quantize, "none") != 0)
        return error_set(error, STATUS_USAGE, "--quantize takes nf4 or none");
    if (quantized(settings) && settings->lora == 0)
        return error_set(error, STATUS_USAGE, "--quantize nf4 goes with --lora");
    enum status status = bench_open(bench,
                                    quantized(settings)  ? MASTERS_DROPPED_NF4
                                    : settings->lora > 0 ? MASTERS_DROPPED
                                                         : MASTERS_KEPT,
                                    error);
    if (!status)
        status = training_open(&training, bench, error);
    if (!status)
        status = training_run(&training, bench, error);
    if (!status)
        print_training(&training, bench);
    training_close(&training, bench);
    return status;
}

static void reply_done(void *context, struct generation_request *request)
{
    (void)request;
    memory_look(context);
}

/* `count` replies of `new_tokens`; their seconds, or an error. */
static enum status replies_time(struct bench *bench, int64_t count, int64_t new_tokens,
                                double *seconds, struct error *error)
{
    const struct settings *settings = bench->settings;
    struct generation_request *requests =
        memory_allocate_array((size_t)count, sizeof *requests);
    int32_t *tokens = random_tokens(bench, count * settings->prompt_length, 0);
    for (int64_t i = 0; i < count; i++)
        requests[i] = (struct generation_request){
            .prompt = tokens + i * settings->prompt_length,
            .prompt_count = settings->prompt_length,
            .seed = (uint64_t)settings->seed,
            .stream = (uint64_t)i,
            .sampling = {settings->temperature, 1.0, new_tokens},
        };
    const double start = clock_seconds();
    enum status status =
        generate(bench->model, requests, count, settings->batch, reply_done, bench, error);
    *seconds = clock_seconds() - start;
    for (int64_t i = 0; i < count; i++) {
        if (!status && requests[i].reply_count != new_tokens)
            status = error_set(error, STATUS_FORMAT, "reply %lld has %lld tokens, not %lld",
                               (long long)i, (long long)requests[i].reply_count,
                               (long long)new_tokens);
        free(requests[i].reply);
    }
    free(tokens);
    free(requests);
    return status;
}

static void print_generation(const struct bench *bench, double seconds)
{
    const struct settings *settings = bench->settings;
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    result_begin(&json, bench, "generate");
    json_string(&json, "mode", "");
    json_integer(&json, "batch", settings->batch);
    json_integer(&json, "prompts", settings->prompts);
    json_integer(&json, "length", settings->prompt_length + settings->new_tokens);
    json_number(&json, "seconds", seconds);
    print_rates(&json, &seconds, 1, (double)(settings->prompts * settings->new_tokens));
    json_number(&json, "memory_gib", memory_gib(bench));
    result_end(&json);
}

static enum status generation(struct bench *bench, struct error *error)
{
    const struct settings *settings = bench->settings;
    double seconds;
    if (settings->prompts < 1 || settings->prompt_length < 1 || settings->new_tokens < 1 ||
        settings->batch < 0)
        return error_set(error, STATUS_USAGE, "give a prompt of a token at least");
    enum status status = bench_open(bench, MASTERS_DROPPED, error);
    const int64_t batch = settings->batch > 0 ? settings->batch : settings->prompts;
    const int64_t warm = batch < settings->prompts ? batch : settings->prompts;
    if (!status)
        status =
            replies_time(bench, warm, settings->new_tokens < 4 ? 1 : 4, &seconds, error);
    if (!status)
        status =
            replies_time(bench, settings->prompts, settings->new_tokens, &seconds, error);
    if (!status)
        print_generation(bench, seconds);
    return status;
}

static enum status run(const struct settings *settings,
                       const struct string_list *positional, struct error *error)
{
    if (positional->count != 2)
        return error_set(error, STATUS_USAGE, "give train or generate, and a CONFIG.json");
    struct bench bench = {.settings = settings, .config = positional->items[1]};
    enum status status;
    if (strcmp(positional->items[0], "train") == 0)
        status = train(&bench, error);
    else if (strcmp(positional->items[0], "generate") == 0)
        status = generation(&bench, error);
    else
        status = error_set(error, STATUS_USAGE, "%s: use train or generate",
                           positional->items[0]);
    bench_close(&bench);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.device = memory_duplicate_string("cuda"),
                                .moments = memory_duplicate_string("f32"),
                                .quantize = memory_duplicate_string("none"),
                                .tokens_per_pack = 16384,
                                .length = 1024,
                                .accumulation = 1,
                                .lr = 1e-4,
                                .steps = 5,
                                .warmup_steps = 3,
                                .prompts = 2000,
                                .prompt_length = 40,
                                .new_tokens = 150,
                                .batch = 256,
                                .temperature = 1.0,
                                .seed = 1};
    struct string_list positional = {0};
    struct error error = {0};
    bool help_shown = false;
    enum status status = options_parse(&command_line, argc, argv, &settings, &positional,
                                       &help_shown, &error);
    if (!status && !help_shown)
        status = run(&settings, &positional, &error);
    if (status)
        log_error("%s", error.message);
    string_list_release(&positional);
    options_release(&command_line, &settings);
    return status_exit_code(status);
}
