/*
 * Speed of single operations on a device, one JSON line a result:
 *
 *     gpu_operations peak          bf16 products of 8192 x 8192 x 8192, and a copy's GB/s
 *     gpu_operations linear        the products of a model's blocks
 *     gpu_operations fp8           those that --precision fp8 makes of FP8 numbers
 *     gpu_operations attention     packed causal attention, forward and backward
 *     gpu_operations memory        GB/s of what is bound by memory
 *     gpu_operations decode        GB/s of the steps of generation
 *
 * GB/s count every input read once and every output written once; attention counts the
 * causal half: 2 H D T (T + 1) a document forward, 2.5 times that backward. Random normals.
 * Medians of stretches long enough that waiting for the device at their ends costs little.
 */
#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "scripts/bench/gpu/gpu_measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(member) offsetof(struct settings, member)
static const struct option_entry entries[] = {
    {"device", OPTION_STRING, FIELD(device), "NAME", "cuda, cuda:N or cpu", NULL},
    {"tokens", OPTION_INTEGER, FIELD(tokens), "T", "rows of the batch", NULL},
    {"side", OPTION_INTEGER, FIELD(side), "N", "peak: N x N x N", NULL},
    {"stretch-ms", OPTION_NUMBER, FIELD(stretch_ms), "X", "work between waits", NULL},
    {"own-attention", OPTION_BOOL, FIELD(own_attention), NULL, "never cuDNN's", NULL},
    {"small", OPTION_BOOL, FIELD(small), NULL, "tiny shapes, to try the program", NULL},
    {0}};

static const struct command_line command_line = {
    .name = "gpu_operations",
    .summary = "Times single operations on random data.",
    .examples = "  gpu_operations peak attention\n",
    .positional = "peak|linear|fp8|attention|memory|decode…",
    .entries = entries,
};

struct shapes {
    const char *name;
    int64_t C, F, H, G, D, V;
};
static const struct shapes models[] = {
    {"qwen2.5-1.5b", 1536, 8960, 12, 2, 128, 151936},
    {"llama-3-8b", 4096, 14336, 32, 8, 128, 128256},
};
static const struct shapes small_model = {"small", 64, 160, 4, 2, 16, 512};

/* The three products of one linear layer; of FP8 numbers two, with their quantisation. */
static void linear_layer(struct bench *bench, const char *model, const char *name,
                         int64_t T, int64_t M, int64_t K, bool fp8)
{
    const double work = 2.0 * (double)T * (double)M * (double)K;
    struct tensor in = matrix(bench, T, K), weight = matrix(bench, M, K);
    struct tensor out = matrix(bench, T, M);
    struct tensor d_weight = tensor_new(bench, DTYPE_F32, M, K);
    char details[96];

    snprintf(details, sizeof details, "%s %lldx%lldx%lld", name, (long long)T, (long long)M,
             (long long)K);
    weight.fp8 = fp8;
    MEASURE(bench, fp8 ? "fp8_forward" : "linear_forward", model, details, work, "TFLOP/s",
            linear_forward(bench->backend, &out, &in, &weight, NULL, NULL));
    if (!fp8)
        MEASURE(bench, "linear_backward_weight", model, details, work, "TFLOP/s",
                linear_backward_weight(bench->backend, &d_weight, NULL, &out, &in));
    MEASURE(bench, fp8 ? "fp8_backward_input" : "linear_backward_input", model, details,
            work, "TFLOP/s",
            linear_backward_input(bench->backend, &in, &out, &weight, false));
    blocks_free(bench);
}

static void bench_peak(struct bench *bench)
{
    const int64_t side = bench->settings->side;
    const double work = 2.0 * (double)side * (double)side * (double)side;
    struct tensor in = matrix(bench, side, side), weight = matrix(bench, side, side);
    struct tensor out = matrix(bench, side, side);
    struct tensor wide = matrix(bench, bench->settings->tokens, side);
    char details[64];

    snprintf(details, sizeof details, "%lld cubed", (long long)side);
    MEASURE(bench, "peak", "", details, work, "TFLOP/s",
            linear_forward(bench->backend, &out, &in, &weight, NULL, NULL));
    MEASURE(bench, "copy", "", "scale in place", 2.0 * (double)tensor_bytes(&wide), "GB/s",
            scale(bench->backend, &wide, -1.0f));
    blocks_free(bench);
}

static void linear_layers(struct bench *bench, const struct shapes *s, bool fp8)
{
    const int64_t T = bench->settings->tokens;
    linear_layer(bench, s->name, "qkv", T, (s->H + 2 * s->G) * s->D, s->C, fp8);
    linear_layer(bench, s->name, "attention out", T, s->C, s->H * s->D, fp8);
    linear_layer(bench, s->name, "gate and up", T, 2 * s->F, s->C, fp8);
    linear_layer(bench, s->name, "down", T, s->C, s->F, fp8);
}

static void bench_linear(struct bench *bench, const struct shapes *s)
{
    linear_layers(bench, s, false);
}

static void bench_fp8(struct bench *bench, const struct shapes *s)
{
    linear_layers(bench, s, true);
}

static struct documents documents_new(struct bench *bench, int64_t tokens, int64_t length)
{
    const int64_t count = tokens / length;
    return (struct documents){ramp_new(bench, count + 1, length, INT32_MAX), count, length};
}

/* Positions of documents of which the last `rows` of `length` are to be computed. */
static int32_t *last_positions(struct bench *bench, int64_t documents, int64_t rows,
                               int64_t length)
{
    int32_t *host = memory_allocate_array((size_t)(documents * rows), sizeof *host);
    for (int64_t i = 0; i < documents * rows; i++)
        host[i] = (int32_t)(length - rows + i % rows);
    int32_t *device = integers_new(bench, host, documents * rows);
    free(host);
    return device;
}

/*
 * Prompts as one pass reads them: from qkv; the same work from the pages of the cache; the
 * last 16 rows of each from there, where the keys and values are what must be read.
 */
static void attention_prompts(struct bench *bench, const struct shapes *s, int64_t T,
                              int64_t length, const char *details, double work)
{
    enum { LAST = CACHE_PAGE_ROWS };
    const struct attention_shape shape = {s->H, s->G, s->D, 1.0f / sqrtf((float)s->D),
                                          0,    0.0f};
    const int64_t width = length / CACHE_PAGE_ROWS, count = T / length;
    struct tensor qkv = matrix(bench, T, (s->H + 2 * s->G) * s->D);
    struct tensor out = matrix(bench, T, s->H * s->D);
    const struct key_value_cache_layer cache = {matrix(bench, T, s->G * s->D),
                                                matrix(bench, T, s->G * s->D)};
    struct cached_documents cached = {documents_new(bench, T, length),
                                      last_positions(bench, count, length, length),
                                      {ramp_new(bench, count * width, 1, INT32_MAX), width},
                                      false};

    MEASURE(bench, "attention_prefill", "", details, work, "TFLOP/s",
            attention_prefill(bench->backend, &out, &qkv, &cache, &cached, &shape));
    cached.continues = true;
    MEASURE(bench, "prefill from the cache", "", details, work, "TFLOP/s",
            attention_prefill(bench->backend, &out, &qkv, &cache, &cached, &shape));
    cached.documents = documents_new(bench, count * LAST, LAST);
    cached.positions = last_positions(bench, count, LAST, length);
    struct tensor last = tensor_rows(&qkv, 0, count * LAST);
    struct tensor last_out = tensor_rows(&out, 0, count * LAST);
    MEASURE(bench, "prefill, last 16 rows", "", details,
            2.0 * (double)tensor_bytes(&cache.keys), "GB/s",
            attention_prefill(bench->backend, &last_out, &last, &cache, &cached, &shape));
    blocks_free(bench);
}

static void attention_length(struct bench *bench, const struct shapes *s, int64_t T,
                             int64_t length)
{
    const struct attention_shape shape = {s->H, s->G, s->D, 1.0f / sqrtf((float)s->D),
                                          0,    0.0f};
    const int64_t width = (s->H + 2 * s->G) * s->D;
    const struct documents documents = documents_new(bench, T, length);
    const double work = 2.0 * (double)(s->H * s->D) * (double)length *
                        (double)(length + 1) * (double)documents.count;
    struct tensor qkv = matrix(bench, T, width), d_qkv = matrix(bench, T, width);
    struct tensor out = matrix(bench, T, s->H * s->D);
    struct tensor d_out = matrix(bench, T, s->H * s->D);
    struct tensor log_sum = tensor_new(bench, DTYPE_F32, s->H, T);
    const char *model = bench->settings->own_attention ? "own kernel" : "";
    char details[96];

    snprintf(details, sizeof details, "%lld/%lld heads of %lld, %lld x %lld tokens",
             (long long)s->H, (long long)s->G, (long long)s->D, (long long)documents.count,
             (long long)length);
    MEASURE(bench, "attention_forward", model, details, work, "TFLOP/s",
            attention_forward(bench->backend, &out, &log_sum, &qkv, &documents, &shape));
    MEASURE(bench, "attention_backward", model, details, 2.5 * work, "TFLOP/s",
            attention_backward(bench->backend, &d_qkv, &d_out, &qkv, &out, &log_sum,
                               &documents, &shape));
    blocks_free(bench);
    attention_prompts(bench, s, T, length, details, work);
}

/* 64 query and 8 key heads of 128, as published figures have it; then Qwen2.5-0.5B's. */
static void bench_attention(struct bench *bench)
{
    static const struct shapes wide = {.H = 64, .G = 8, .D = 128};
    static const struct shapes narrow = {.H = 14, .G = 2, .D = 64};
    const bool small = bench->settings->small;
    for (int64_t length = 1024; length <= 8192 && !small; length *= 2)
        attention_length(bench, &wide, 16384, length);
    attention_length(bench, small ? &small_model : &narrow, small ? 64 : 16384,
                     small ? 32 : 1024);
}

static void memory_norm(struct bench *bench, const struct shapes *s, int64_t T)
{
    struct tensor x = matrix(bench, T, s->C), y = matrix(bench, T, s->C);
    struct tensor z = matrix(bench, T, s->C);
    struct tensor weight = vector(bench, x.dtype, s->C);
    struct tensor d_weight = vector(bench, DTYPE_F32, s->C);
    struct tensor rstd = vector(bench, DTYPE_F32, T);
    const double bytes = (double)tensor_bytes(&x);

    MEASURE(bench, "rms_norm_forward", s->name, "", 2 * bytes, "GB/s",
            rms_norm_forward(bench->backend, &y, &rstd, &x, &weight, 0.0f, 1e-5f));
    MEASURE(bench, "rms_norm_backward", s->name, "", 4 * bytes, "GB/s",
            rms_norm_backward(bench->backend, &z, &d_weight, &y, &x, &weight, 0.0f, &rstd));
    MEASURE(bench, "add", s->name, "", 3 * bytes, "GB/s", add(bench->backend, &z, &x, &y));
    blocks_free(bench);
}

static void memory_swiglu(struct bench *bench, const struct shapes *s, int64_t T)
{
    struct tensor gate_up = matrix(bench, T, 2 * s->F);
    struct tensor d_gate_up = matrix(bench, T, 2 * s->F);
    struct tensor out = matrix(bench, T, s->F), d_out = matrix(bench, T, s->F);
    const double bytes = (double)tensor_bytes(&out);

    MEASURE(bench, "swiglu_forward", s->name, "", 3 * bytes, "GB/s",
            swiglu_forward(bench->backend, &out, &gate_up));
    MEASURE(bench, "swiglu_backward", s->name, "", 6 * bytes, "GB/s",
            swiglu_backward(bench->backend, &d_gate_up, &out, &d_out, &gate_up));
    blocks_free(bench);
}

/* True turns, so that numbers turned over and over stay as large as they are. */
static struct tensor turns_new(struct bench *bench, int64_t length, int64_t D)
{
    struct tensor table = tensor_new(bench, DTYPE_F32, length, D);
    float *host = memory_allocate_array((size_t)(length * D), sizeof *host);
    for (int64_t i = 0; i < length * D; i++) {
        const int64_t position = i / D, column = i % D;
        const float angle = (float)(position * (1 + column % (D / 2)));
        host[i] = column < D / 2 ? cosf(angle) : sinf(angle);
    }
    backend_copy_in(bench->backend, table.data, host, tensor_bytes(&table));
    free(host);
    return table;
}

static void memory_rope(struct bench *bench, const struct shapes *s, int64_t T)
{
    const struct attention_shape shape = {s->H, s->G, s->D, 1.0f, 0, 0.0f};
    const int64_t length = T < 1024 ? T : 1024;
    struct tensor qkv = matrix(bench, T, (s->H + 2 * s->G) * s->D);
    const struct tensor table = turns_new(bench, length, s->D);
    const int32_t *positions = ramp_new(bench, T, 1, length);
    const double bytes =
        (double)(T * (s->H + s->G) * s->D) * (double)dtype_bytes(qkv.dtype);

    MEASURE(bench, "rope_forward", s->name, "", 2 * bytes, "GB/s",
            rope_forward(bench->backend, &qkv, &table, positions, &shape));
    blocks_free(bench);
}

static void memory_embedding(struct bench *bench, const struct shapes *s, int64_t T)
{
    struct tensor weight = matrix(bench, s->V, s->C), out = matrix(bench, T, s->C);
    struct tensor d_weight = tensor_new(bench, DTYPE_F32, s->V, s->C);
    const int32_t *tokens = ramp_new(bench, T, 7919, s->V);
    const double bytes = (double)tensor_bytes(&out);
    const double touched = (double)((T < s->V ? T : s->V) * s->C) * sizeof(float);
    MEASURE(bench, "embedding_forward", s->name, "", 2 * bytes, "GB/s",
            embedding_forward(bench->backend, &out, &weight, tokens));
    MEASURE(bench, "embedding_backward", s->name, "", bytes + 2 * touched, "GB/s",
            embedding_backward(bench->backend, &d_weight, &out, tokens));
    blocks_free(bench);
}

static void memory_cross_entropy(struct bench *bench, const struct shapes *s, int64_t T)
{
    struct tensor in = matrix(bench, T, s->C), d_in = matrix(bench, T, s->C);
    struct tensor weight = matrix(bench, s->V, s->C);
    struct tensor d_weight = tensor_new(bench, DTYPE_F32, s->V, s->C);
    const struct targets targets = {ramp_new(bench, T, 1, INT32_MAX),
                                    ramp_new(bench, T, 7919, s->V), T};
    const double work = 6.0 * (double)(T * s->C) * (double)s->V;
    struct cross_entropy_sums sums;

    MEASURE(bench, "linear_cross_entropy", s->name, "", work, "TFLOP/s",
            linear_cross_entropy(bench->backend, &sums, &d_in, &d_weight, &in, &weight,
                                 &targets, 0.0f, 0.0f, 1e-4f));
    blocks_free(bench);
}

/* As one update of about 270 million weights, masters and fp32 moments included. */
static void memory_adamw(struct bench *bench, int64_t count)
{
    struct tensor weight = vector(bench, backend_compute_dtype(bench->backend), count);
    const bool split = weight.dtype == DTYPE_BF16;
    struct tensor remainder =
        tensor_view_1d(block_new(bench, (size_t)count * sizeof(int16_t)), DTYPE_I16, count);
    struct tensor gradient = vector(bench, DTYPE_F32, count);
    struct tensor moment1 =
        tensor_view_1d(block_new(bench, (size_t)count * sizeof(float)), DTYPE_F32, count);
    struct tensor moment2 =
        tensor_view_1d(block_new(bench, (size_t)count * sizeof(float)), DTYPE_F32, count);
    struct tensor sum = tensor_view_1d(block_new(bench, sizeof(double)), DTYPE_F64, 1);
    const struct adamw_step_parameters step = {1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f,
                                               1.0f,  1,    1,     0};

    MEASURE(bench, "sum_of_squares", "", "", 4.0 * (double)count, "GB/s",
            sum_of_squares(bench->backend, &sum, &gradient));
    MEASURE(bench, "adamw_update", "", split ? "masters split" : "f32",
            28.0 * (double)count, "GB/s",
            adamw_update(bench->backend, &weight, split ? &remainder : NULL, &moment1,
                         &moment2, &gradient, &sum, &step));
    blocks_free(bench);
}

/* The largest matrix of a block, brought back from NF4. */
static void memory_nf4(struct bench *bench, const struct shapes *s)
{
    struct tensor out = matrix(bench, 2 * s->F, s->C);
    const int64_t count = tensor_count(&out), scales = nf4_block_count(count);
    const struct nf4_tensor in = {
        .count = count,
        .codes = block_new(bench, (size_t)nf4_code_bytes(count)),
        .scale_codes = block_new(bench, (size_t)scales),
        .steps = block_new(bench, (size_t)nf4_group_count(count) * sizeof(float))};

    MEASURE(bench, "nf4_dequantize", s->name, "gate and up",
            (double)tensor_bytes(&out) + (double)(nf4_code_bytes(count) + scales), "GB/s",
            nf4_dequantize(bench->backend, &out, &in));
    blocks_free(bench);
}

static void bench_memory(struct bench *bench, const struct shapes *s)
{
    const int64_t T = bench->settings->tokens;
    memory_norm(bench, s, T);
    memory_swiglu(bench, s, T);
    memory_rope(bench, s, T);
    memory_embedding(bench, s, T);
    memory_cross_entropy(bench, s, T);
    memory_nf4(bench, s);
}

/* The products of a step of generation: the weight is what must be read. */
static void decode_linear(struct bench *bench, const struct shapes *s, int64_t S)
{
    struct tensor in = matrix(bench, S, s->C), out = matrix(bench, S, 2 * s->F);
    struct tensor weight = matrix(bench, 2 * s->F, s->C);
    char details[64];

    snprintf(details, sizeof details, "gate and up, %lld rows", (long long)S);
    MEASURE(bench, "linear_decode", s->name, details,
            (double)(tensor_bytes(&weight) + tensor_bytes(&in) + tensor_bytes(&out)),
            "GB/s", linear_decode(bench->backend, &out, &in, &weight, NULL, NULL));
    blocks_free(bench);
}

static void decode_attention(struct bench *bench, const struct shapes *s, int64_t S,
                             int64_t context)
{
    const struct attention_shape shape = {s->H, s->G, s->D, 1.0f / sqrtf((float)s->D),
                                          0,    0.0f};
    const int64_t width = (context + CACHE_PAGE_ROWS - 1) / CACHE_PAGE_ROWS;
    const int64_t rows = S * width * CACHE_PAGE_ROWS;
    struct tensor qkv = matrix(bench, S, (s->H + 2 * s->G) * s->D);
    struct tensor out = matrix(bench, S, s->H * s->D);
    const struct key_value_cache_layer cache = {matrix(bench, rows, s->G * s->D),
                                                matrix(bench, rows, s->G * s->D)};
    const struct cache_pages pages = {ramp_new(bench, S * width, 1, INT32_MAX), width};
    int32_t *host = memory_allocate_array((size_t)S, sizeof *host);
    char details[64];

    for (int64_t i = 0; i < S; i++)
        host[i] = (int32_t)(context - 1);
    const int32_t *positions = integers_new(bench, host, S);
    snprintf(details, sizeof details, "%lld replies at %lld tokens", (long long)S,
             (long long)context);
    MEASURE(
        bench, "attention_decode", s->name, details,
        2.0 * (double)(S * context * s->G * s->D) * (double)dtype_bytes(qkv.dtype), "GB/s",
        attention_decode(bench->backend, &out, &qkv, &cache, &pages, positions, &shape));
    free(host);
    blocks_free(bench);
}

/* Logits are normal numbers: temperature 0.125 makes rows as peaked as a language model's,
 * temperature 1 leaves tens of thousands of tokens in the nucleus. */
static void decode_sample(struct bench *bench, const struct shapes *s, int64_t S,
                          float top_p, float temperature)
{
    struct tensor logits = tensor_new(bench, DTYPE_F32, S, s->V);
    float *host = memory_allocate_array((size_t)(2 * S), sizeof *host);
    double *draws = memory_allocate_array((size_t)S, sizeof *draws);
    char details[64];

    for (int64_t i = 0; i < S; i++) {
        host[i] = temperature;
        host[S + i] = top_p;
        draws[i] = ((double)i + 0.5) / (double)S;
    }
    float *numbers = block_new(bench, (size_t)(2 * S) * sizeof *numbers);
    double *device_draws = block_new(bench, (size_t)S * sizeof *device_draws);
    int32_t *tokens = block_new(bench, (size_t)S * sizeof *tokens);
    backend_copy_in(bench->backend, numbers, host, (size_t)(2 * S) * sizeof *host);
    backend_copy_in(bench->backend, device_draws, draws, (size_t)S * sizeof *draws);
    const struct sampling_rows rows = {numbers, numbers + S, device_draws};
    snprintf(details, sizeof details, "%lld rows, top_p %g, temperature %g", (long long)S,
             (double)top_p, (double)temperature);
    MEASURE(bench, "sample_tokens", s->name, details, (double)tensor_bytes(&logits), "GB/s",
            sample_tokens(bench->backend, tokens, &logits, &rows));
    free(draws);
    free(host);
    blocks_free(bench);
}

static void bench_decode(struct bench *bench, const struct shapes *s)
{
    const int64_t most = bench->settings->small ? 4 : 256;
    decode_linear(bench, s, 1);
    decode_linear(bench, s, most / 4);
    decode_linear(bench, s, most);
    decode_attention(bench, s, most, bench->settings->small ? 33 : 192);
    decode_attention(bench, s, most / 4, bench->settings->small ? 65 : 2048);
    decode_sample(bench, s, most, 1.0f, 1.0f);
    decode_sample(bench, s, most, 0.95f, 1.0f);
    decode_sample(bench, s, most, 0.95f, 0.125f);
    decode_sample(bench, s, 1, 0.95f, 0.125f);
}

static void for_models(struct bench *bench,
                       void (*function)(struct bench *, const struct shapes *))
{
    if (bench->settings->small) {
        function(bench, &small_model);
        return;
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        function(bench, &models[i]);
}

static enum status run_part(struct bench *bench, const char *part)
{
    if (strcmp(part, "peak") == 0)
        bench_peak(bench);
    else if (strcmp(part, "linear") == 0)
        for_models(bench, bench_linear);
    else if (strcmp(part, "fp8") == 0)
        for_models(bench, bench_fp8);
    else if (strcmp(part, "attention") == 0)
        bench_attention(bench);
    else if (strcmp(part, "decode") == 0)
        for_models(bench, bench_decode);
    else if (strcmp(part, "memory") == 0) {
        for_models(bench, bench_memory);
        memory_adamw(bench, bench->settings->small ? 4099 : (int64_t)1 << 28);
    } else
        return error_set(bench->error, STATUS_USAGE,
                         "%s: use peak, linear, fp8, attention, memory or decode", part);
    return backend_sync(bench->backend, bench->error);
}

static enum status run(const struct settings *settings, const struct string_list *parts,
                       struct error *error)
{
    const struct backend_options options = {.device = settings->device};
    struct bench bench = {.settings = settings, .error = error};
    enum status status = STATUS_OK;
    if (settings->own_attention)
        setenv("HOLDFAST_ATTENTION", "own", 1);
    if (parts->count == 0 || settings->tokens < 1 || settings->side < 1)
        return error_set(error, STATUS_USAGE, "nothing to time: see --help");
    if (backend_open(&bench.backend, &options, error))
        return error->status;
    draws_fill(&bench);
    for (size_t i = 0; i < parts->count && !status; i++)
        status = run_part(&bench, parts->items[i]);
    free(bench.draws[0]);
    free(bench.draws[1]);
    backend_close(bench.backend);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.device = memory_duplicate_string("cuda"),
                                .tokens = 16384,
                                .side = 8192,
                                .stretch_ms = 5.0};
    struct string_list parts = {0};
    struct error error = {0};
    bool help_shown = false;
    enum status status =
        options_parse(&command_line, argc, argv, &settings, &parts, &help_shown, &error);
    if (!status && !help_shown)
        status = run(&settings, &parts, &error);
    if (status)
        log_error("%s", error.message);
    string_list_release(&parts);
    options_release(&command_line, &settings);
    return status_exit_code(status);
}
