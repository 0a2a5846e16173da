/* The model that gpu_bench times: random weights of given shapes, made fast. */
#include "scripts/bench/gpu/gpu_bench.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>

void memory_look(struct bench *bench)
{
    size_t free_bytes, total_bytes;
    if (backend_memory(bench->backend, &free_bytes, &total_bytes) &&
        free_bytes < bench->free_least)
        bench->free_least = free_bytes;
}

double memory_gib(const struct bench *bench)
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

enum status config_open(struct bench *bench, struct error *error)
{
    return config_read(&bench->architecture, bench->config, error);
}

enum status device_begin(struct bench *bench, struct error *error)
{
    const struct backend_options options = {.device = bench->settings->device,
                                            .precision = bench->settings->precision};
    size_t total_bytes;
    if (config_open(bench, error) || backend_open(&bench->backend, &options, error))
        return error->status;
    if (!backend_memory(bench->backend, &bench->free_before, &total_bytes))
        bench->free_before = 0;
    bench->free_least = bench->free_before;
    return STATUS_OK;
}

enum status model_begin(struct bench *bench, enum master_weights masters,
                        struct error *error)
{
    if (transformer_plan(&bench->model, bench->backend, NULL, &bench->architecture, masters,
                         error))
        return error->status;
    return weights_fill(bench, error);
}

void model_end(struct bench *bench)
{
    transformer_free(bench->model);
    backend_close(bench->backend);
}

int32_t *random_tokens(const struct bench *bench, int64_t count, uint64_t stream)
{
    struct random random = random_stream((uint64_t)bench->settings->seed, stream);
    int32_t *tokens = memory_allocate_array((size_t)count, sizeof *tokens);
    for (int64_t i = 0; i < count; i++)
        tokens[i] =
            (int32_t)random_below(&random, (uint64_t)bench->architecture.vocabulary);
    return tokens;
}
