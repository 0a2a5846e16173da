/*
 * Speed of whole models on random weights and random tokens, one JSON line a result:
 *
 *     gpu_bench train CONFIG.json      tokens/s of training steps
 *     gpu_bench generate CONFIG.json   tokens/s of replies, prompts read included
 *     gpu_bench plan CONFIG.json       memory that `train` with these options takes of a
 * GPU
 *
 * This file is the program and its generation; gpu_bench_train.c trains, on documents that
 * gpu_bench_packs.c makes; gpu_bench_model.c makes the model.
 *
 * scripts/bench/gpu/bench-gpu runs it beside PyTorch.
 */
#include "scripts/bench/gpu/gpu_bench.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "model/generator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(member) offsetof(struct settings, member)
static const struct option_entry entries[] = {
    {"device", OPTION_STRING, FIELD(device), "NAME", "cuda, cuda:N or cpu", "Where"},
    {"precision", OPTION_STRING, FIELD(precision), "NAME", "bf16, fp32, or fp8 (train)",
     NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "of weights and tokens", NULL},
    {"tokens-per-pack", OPTION_INTEGER, FIELD(tokens_per_pack), "N", "of a pass", "train"},
    {"length", OPTION_INTEGER, FIELD(length), "T", "tokens of a document", NULL},
    {"chats", OPTION_INTEGER, FIELD(chats), "N",
     "documents of a step, of many lengths up to T; 0: all of T", NULL},
    {"accumulation", OPTION_INTEGER, FIELD(accumulation), "N", "packs of a step", NULL},
    {"lora", OPTION_INTEGER, FIELD(lora), "RANK", "train adapters; 0: all weights", NULL},
    {"quantize", OPTION_STRING, FIELD(quantize), "TYPE",
     "of the frozen matrices: nf4 or none", NULL},
    {"recompute", OPTION_BOOL, FIELD(recompute), NULL, "make activations again", NULL},
    {"moments", OPTION_STRING, FIELD(moments), "TYPE", "of AdamW: f32, bf16 or 8bit", NULL},
    {"masters", OPTION_STRING, FIELD(masters), "TYPE",
     "fp32 weights behind bf16 ones, or none", NULL},
    {"lr", OPTION_NUMBER, FIELD(lr), "X", "learning rate", NULL},
    {"steps", OPTION_INTEGER, FIELD(steps), "N", "timed steps", NULL},
    {"warmup-steps", OPTION_INTEGER, FIELD(warmup_steps), "N", "steps before them", NULL},
    {"prompts", OPTION_INTEGER, FIELD(prompts), "N", "replies to make", "generate"},
    {"prompt-length", OPTION_INTEGER, FIELD(prompt_length), "N", "tokens of each", NULL},
    {"common", OPTION_INTEGER, FIELD(common), "N", "of them, that all begin with", NULL},
    {"new", OPTION_INTEGER, FIELD(new_tokens), "N", "tokens of a reply", NULL},
    {"uneven", OPTION_BOOL, FIELD(uneven), NULL,
     "replies of 1 to 2 N - 1 tokens, N on average", NULL},
    {"batch", OPTION_INTEGER, FIELD(batch), "N", "replies at a time; 0: chosen", NULL},
    {"temperature", OPTION_NUMBER, FIELD(temperature), "X", "of sampling", NULL},
    {0}};

static const struct command_line command_line = {
    .name = "gpu_bench",
    .summary = "Times training or generation with random weights of given shapes.",
    .examples = "  gpu_bench train llama-3-8b.json --tokens-per-pack 4096 --length 2048\n"
                "  gpu_bench generate llama-3-8b.json --prompts 2000 --batch 256\n"
                "  gpu_bench plan llama-3-8b.json --tokens-per-pack 4096 --length 2048\n",
    .positional = "train|generate|plan CONFIG.json",
    .entries = entries,
};

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

void result_begin(struct json_writer *json, const struct bench *bench, const char *what)
{
    char *name = config_name(bench->config);
    json_object_begin(json, NULL);
    json_string(json, "side", "holdfast");
    json_string(json, "what", what);
    json_string(json, "model", name);
    if (bench->backend)
        json_string(json, "device", backend_description(bench->backend));
    json_string(json, "precision", bench->settings->precision);
    free(name);
}

void result_end(struct json_writer *json)
{
    json_object_end(json);
    printf("%s\n", text_buffer_string(json->out));
    fflush(stdout);
    text_buffer_release(json->out);
}

/* Sorts `seconds`. */
void print_rates(struct json_writer *json, double *seconds, int64_t count, double tokens)
{
    qsort(seconds, (size_t)count, sizeof *seconds, compare_doubles);
    const double median = 0.5 * (seconds[(count - 1) / 2] + seconds[count / 2]);
    json_number(json, "tokens_per_second", tokens / median);
    json_number(json, "least", tokens / seconds[count - 1]);
    json_number(json, "most", tokens / seconds[0]);
}

/* The driver is asked for its memory now and then: it answers slowly. */
static void reply_done(void *context, struct generation_request *request)
{
    enum { REPLIES_BETWEEN = 64 };
    struct bench *bench = context;
    (void)request;
    if (bench->replies++ % REPLIES_BETWEEN == 0)
        memory_look(bench);
}

/*
 * Uneven replies have 1 to 2 mean - 1 tokens, spread evenly by the golden ratio's
 * multiples, so that any 64 in a row have nearly that mean. As reply_length() of peer.py.
 */
static int64_t reply_length(const struct settings *settings, int64_t index, int64_t mean)
{
    const uint64_t spread = (uint32_t)index * UINT32_C(2654435769); /* 2^32 / 1.618… */
    return settings->uneven ? 1 + (int64_t)(spread * (uint64_t)(2 * mean - 1) >> 32) : mean;
}

static int64_t replies_tokens(const struct settings *settings)
{
    int64_t tokens = 0;
    for (int64_t i = 0; i < settings->prompts; i++)
        tokens += reply_length(settings, i, settings->new_tokens);
    return tokens;
}

/* `count` replies of `new_tokens`, on average; their seconds, or an error. */
static enum status replies_time(struct bench *bench, int64_t count, int64_t new_tokens,
                                double *seconds, struct error *error)
{
    const struct settings *settings = bench->settings;
    struct generation_request *requests =
        memory_allocate_array((size_t)count, sizeof *requests);
    int32_t *tokens = random_tokens(bench, count * settings->prompt_length, 0);
    for (int64_t i = 1; i < count; i++)
        memcpy(tokens + i * settings->prompt_length, tokens,
               (size_t)settings->common * sizeof *tokens);
    for (int64_t i = 0; i < count; i++)
        requests[i] = (struct generation_request){
            .prompt = tokens + i * settings->prompt_length,
            .prompt_count = settings->prompt_length,
            .seed = (uint64_t)settings->seed,
            .stream = (uint64_t)i,
            .sampling = {settings->temperature, 1.0, reply_length(settings, i, new_tokens)},
        };
    const double start = clock_seconds();
    enum status status =
        generate(bench->model, requests, count, settings->batch, reply_done, bench, error);
    *seconds = clock_seconds() - start;
    for (int64_t i = 0; i < count; i++) {
        const int64_t wanted = requests[i].sampling.token_limit;
        if (!status && requests[i].reply_count != wanted)
            status = error_set(error, STATUS_FORMAT, "reply %lld has %lld tokens, not %lld",
                               (long long)i, (long long)requests[i].reply_count,
                               (long long)wanted);
        free(requests[i].reply);
    }
    free(tokens);
    free(requests);
    return status;
}

static void print_generation(const struct bench *bench, double seconds)
{
    const struct settings *settings = bench->settings;
    const int64_t tokens = replies_tokens(settings);
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    result_begin(&json, bench, "generate");
    json_string(&json, "mode", "");
    json_string(&json, "details",
                settings->common > 0 && settings->uneven ? "begin alike, uneven"
                : settings->common > 0                   ? "begin alike"
                : settings->uneven                       ? "uneven"
                                                         : "");
    json_integer(&json, "batch", settings->batch);
    json_integer(&json, "prompts", settings->prompts);
    json_integer(&json, "length", settings->prompt_length + settings->new_tokens);
    json_number(&json, "seconds", seconds);
    json_integer(&json, "reply_tokens", tokens);
    print_rates(&json, &seconds, 1, (double)tokens);
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
    if (settings->common < 0 || settings->common > settings->prompt_length)
        return error_set(error, STATUS_USAGE,
                         "--common: a prompt has --prompt-length tokens");
    enum status status = device_begin(bench, error);
    if (!status)
        status = model_begin(bench, MASTERS_DROPPED, error);
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
        return error_set(error, STATUS_USAGE,
                         "give train, generate or plan, and a CONFIG.json");
    struct bench bench = {.settings = settings, .config = positional->items[1]};
    enum status status;
    if (strcmp(positional->items[0], "train") == 0)
        status = train(&bench, error);
    else if (strcmp(positional->items[0], "generate") == 0)
        status = generation(&bench, error);
    else if (strcmp(positional->items[0], "plan") == 0)
        status = plan(&bench, error);
    else
        status = error_set(error, STATUS_USAGE, "%s: use train, generate or plan",
                           positional->items[0]);
    model_end(&bench);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.device = memory_duplicate_string("cuda"),
                                .moments = memory_duplicate_string("f32"),
                                .masters = memory_duplicate_string("fp32"),
                                .precision = memory_duplicate_string("bf16"),
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
