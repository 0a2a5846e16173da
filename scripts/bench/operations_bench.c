/*
 * GFLOP/s of the products and GB/s of the rest, per operation of the CPU back-end, on the
 * shapes of a small model and of one the size of GPT-2. Best of several runs.
 *
 * scripts/bench/bench-operations builds and runs it; OpenBLAS is the peer of the products.
 */
#include "backend/operations.h"

#include <cblas.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct shapes {
    const char *name;
    int64_t T, C, F, H, G, V, document;
};

static struct backend *backend;
static struct error error;

/* With one thread the time of the processor, so that a busy machine can be measured too. */
static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(backend_thread_count(backend) == 1 ? CLOCK_PROCESS_CPUTIME_ID
                                                     : CLOCK_MONOTONIC,
                  &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct tensor tensor_new(int64_t rows, int64_t columns)
{
    const size_t bytes = (size_t)(rows * columns) * sizeof(float);
    struct tensor t =
        tensor_view_2d(backend_allocate(backend, bytes, &error), DTYPE_F32, rows, columns);
    float *data = t.data;

    for (int64_t i = 0; i < rows * columns; i++)
        data[i] = (float)((i * 7919) % 1000 - 500) * 1e-3f;
    return t;
}

/* In the type that weights have. */
static struct tensor weight_new(int64_t rows, int64_t columns)
{
    const enum dtype dtype = backend_compute_dtype(backend);
    struct tensor t = tensor_new(rows, columns);

    dtype_convert(t.data, dtype, t.data, DTYPE_F32,
                  dtype == DTYPE_F32 ? 0 : rows * columns);
    return tensor_view_2d(t.data, dtype, rows, columns);
}

static struct tensor vector_new(int64_t count)
{
    struct tensor t = tensor_new(1, count);

    return tensor_view_1d(t.data, DTYPE_F32, count);
}

#define REPORT(work, unit, name, call)                                                     \
    do {                                                                                   \
        double best = 1e9;                                                                 \
        for (int run = 0; run < 7; run++) {                                                \
            const double begin = seconds_now();                                            \
            call;                                                                          \
            const double seconds = seconds_now() - begin;                                  \
            best = seconds < best ? seconds : best;                                        \
        }                                                                                  \
        printf("  %-34s %9.3f ms %8.1f %s\n", name, best * 1e3, (work) / best * 1e-9,      \
               unit);                                                                      \
    } while (0)

/* The peer, on the same three products and the same memory. */
static void bench_openblas(int64_t T, int64_t M, int64_t K, float *in, float *weight,
                           float *out)
{
    const double flops = 2.0 * (double)T * (double)M * (double)K;
    const int t = (int)T, m = (int)M, k = (int)K;

    REPORT(flops, "GFLOP/s", "forward, OpenBLAS",
           cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, m, k, 1, in, k, weight,
                       k, 0, out, m));
    REPORT(flops, "GFLOP/s", "backward input, OpenBLAS",
           cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, k, m, 1, out, m,
                       weight, k, 0, in, k));
    REPORT(flops, "GFLOP/s", "backward weight, OpenBLAS",
           cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, k, t, 1, out, m, in, k,
                       1, weight, k));
}

static void bench_linear(int64_t T, int64_t M, int64_t K)
{
    struct tensor in = tensor_new(T, K), weight = weight_new(M, K), out = tensor_new(T, M);
    struct tensor d_weight = tensor_new(M, K);
    const double flops = 2.0 * (double)T * (double)M * (double)K;
    const size_t each = dtype_bytes(weight.dtype);
    char name[64];

    snprintf(name, sizeof name, "%ldx%ldx%ld", (long)T, (long)M, (long)K);
    printf(" linear %s\n", name);
    REPORT(flops, "GFLOP/s", "forward",
           linear_forward(backend, &out, &in, &weight, NULL, NULL));
    REPORT(flops, "GFLOP/s", "backward input",
           linear_backward_input(backend, &in, &out, &weight, false));
    REPORT(flops, "GFLOP/s", "backward weight",
           linear_backward_weight(backend, &d_weight, NULL, &out, &in));
    if (weight.dtype == DTYPE_F32)
        bench_openblas(T, M, K, in.data, weight.data, out.data);
    for (int64_t rows = 1; rows <= 64; rows *= 2) {
        struct tensor few_in = tensor_rows(&in, 0, rows);
        struct tensor few_out = tensor_rows(&out, 0, rows);
        snprintf(name, sizeof name, "decode %2ld rows (%5.1f MB)", (long)rows,
                 (double)(M * K) * (double)each * 1e-6);
        REPORT(2.0 * (double)rows * (double)M * (double)K, "GFLOP/s", name,
               linear_decode(backend, &few_out, &few_in, &weight, NULL, NULL));
    }
    backend_free(backend, in.data);
    backend_free(backend, weight.data);
    backend_free(backend, d_weight.data);
    backend_free(backend, out.data);
}

static void bench_attention(const struct shapes *s)
{
    const int64_t D = s->C / s->H, width = (s->H + 2 * s->G) * D;
    const int64_t count = s->T / s->document;
    const struct attention_shape shape = {s->H, s->G, D, 0.125f, 0, 0.0f};
    struct tensor qkv = tensor_new(s->T, width), d_qkv = tensor_new(s->T, width);
    struct tensor out = tensor_new(s->T, s->C), d_out = tensor_new(s->T, s->C);
    struct tensor log_sum = tensor_new(s->H, s->T), table = tensor_new(s->T, D);
    int32_t *starts = malloc((size_t)(count + 1) * sizeof *starts);
    int32_t *positions = malloc((size_t)s->T * sizeof *positions);
    const double flops =
        2.0 * (double)s->document * (double)(s->document + 1) * (double)(s->C * count);

    for (int64_t n = 0; n <= count; n++)
        starts[n] = (int32_t)(n == count ? s->T : n * s->document);
    for (int64_t t = 0; t < s->T; t++)
        positions[t] = (int32_t)(t % s->document);
    const struct documents documents = {starts, count, s->T};
    REPORT(flops, "GFLOP/s, causal half", "attention forward",
           attention_forward(backend, &out, &log_sum, &qkv, &documents, &shape));
    REPORT(2.5 * flops, "GFLOP/s, causal half", "attention backward",
           attention_backward(backend, &d_qkv, &d_out, &qkv, &out, &log_sum, &documents,
                              &shape));
    REPORT(8.0 * (double)(s->T * width), "GB/s", "rope",
           rope_forward(backend, &qkv, &table, positions, &shape));
    free(starts);
    free(positions);
}

static void bench_rows(const struct shapes *s)
{
    struct tensor gate_up = tensor_new(s->T, 2 * s->F),
                  d_gate_up = tensor_new(s->T, 2 * s->F);
    struct tensor f = tensor_new(s->T, s->F), x = tensor_new(s->T, s->C);
    struct tensor y = tensor_new(s->T, s->C), z = tensor_new(s->T, s->C);
    struct tensor weight = vector_new(s->C), d_weight = vector_new(s->C);
    struct tensor rstd = vector_new(s->T);
    const double bytes = 4.0 * (double)(s->T * s->C), wide = 4.0 * (double)(s->T * s->F);

    REPORT(2 * bytes, "GB/s", "rms_norm forward",
           rms_norm_forward(backend, &y, &rstd, &x, &weight, 0.0f, 1e-5f));
    REPORT(4 * bytes, "GB/s", "rms_norm backward",
           rms_norm_backward(backend, &z, &d_weight, &y, &x, &weight, 0.0f, &rstd));
    REPORT(3 * bytes, "GB/s", "add", add(backend, &z, &x, &y));
    REPORT(3 * wide, "GB/s", "swiglu forward", swiglu_forward(backend, &f, &gate_up));
    REPORT(5 * wide, "GB/s", "swiglu backward",
           swiglu_backward(backend, &d_gate_up, NULL, &f, &gate_up));
}

static void bench_vocabulary(const struct shapes *s)
{
    struct tensor in = tensor_new(s->T, s->C), d_in = tensor_new(s->T, s->C);
    struct tensor weight = weight_new(s->V, s->C), d_weight = tensor_new(s->V, s->C);
    int32_t *rows = malloc((size_t)s->T * sizeof *rows);
    int32_t *tokens = malloc((size_t)s->T * sizeof *tokens);
    const struct targets targets = {rows, tokens, s->T};
    const double flops = 2.0 * (double)(s->T * s->C) * (double)s->V;
    struct cross_entropy_sums sums;

    for (int64_t t = 0; t < s->T; t++) {
        rows[t] = (int32_t)t;
        tokens[t] = (int32_t)(t * 31 % s->V);
    }
    REPORT(3 * flops, "GFLOP/s", "linear_cross_entropy",
           linear_cross_entropy(backend, &sums, &d_in, &d_weight, &in, &weight, &targets,
                                0.0f, 0, 1.0f));
    REPORT(flops, "GFLOP/s", "linear_cross_entropy, sums only",
           linear_cross_entropy(backend, &sums, NULL, NULL, &in, &weight, &targets, 0.0f, 0,
                                1));
    REPORT(4.0 * 2 * (double)(s->T * s->C), "GB/s", "embedding forward",
           embedding_forward(backend, &d_in, &weight, tokens));
    REPORT(4.0 * 3 * (double)(s->T * s->C), "GB/s", "embedding backward",
           embedding_backward(backend, &d_weight, &d_in, tokens));
    free(rows);
    free(tokens);
}

/* Memory only: what decoding cannot be faster than. Eight sums, so that loads do not wait.
 */
static uint64_t read_all(const uint64_t *words, int64_t count)
{
    uint64_t all = 0;

#pragma omp parallel for reduction(^ : all)
    for (int64_t first = 0; first < count; first += 1 << 16) {
        uint64_t sum[8] = {0};
        for (int64_t i = first; i < first + (1 << 16); i += 8)
            for (int j = 0; j < 8; j++)
                sum[j] ^= words[i + j];
        for (int j = 0; j < 8; j++)
            all ^= sum[j];
    }
    return all;
}

/* The vocabulary matrix, which no cache holds, for few rows; and reading as such. */
static void bench_memory(const struct shapes *s)
{
    const int64_t words = 1 << 25;
    struct tensor in = tensor_new(32, s->C), weight = weight_new(s->V, s->C);
    struct tensor out = tensor_new(32, s->V), big = tensor_new(1, 2 * words);
    const double bytes = (double)tensor_bytes(&weight);
    char name[64];

    for (int64_t rows = 1; rows <= 32; rows *= 32) {
        struct tensor few_in = tensor_rows(&in, 0, rows);
        struct tensor few_out = tensor_rows(&out, 0, rows);
        snprintf(name, sizeof name, "decode head, %2ld rows (%5.1f MB)", (long)rows,
                 bytes * 1e-6);
        REPORT(bytes, "GB/s", name,
               linear_decode(backend, &few_out, &few_in, &weight, NULL, NULL));
    }
    volatile uint64_t sum;
    REPORT(8.0 * (double)words, "GB/s", "read", sum = read_all(big.data, words));
    (void)sum;
}

static void bench_optimizer(int64_t count)
{
    struct tensor weight = vector_new(count), moment1 = vector_new(count);
    struct tensor moment2 = vector_new(count), gradient = vector_new(count);
    const struct adamw_step_parameters p = {
        .lr = 1e-4f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .step = 10};
    double squares = 0;
    struct tensor sum = tensor_view_1d(&squares, DTYPE_F64, 1);

    fill(backend, &moment2, 1e-4f);
    REPORT(28.0 * (double)count, "GB/s", "adamw",
           adamw_update(backend, &weight, NULL, &moment1, &moment2, &gradient, &sum, &p));
    REPORT(4.0 * (double)count, "GB/s", "sum_of_squares",
           sum_of_squares(backend, &sum, &gradient));
    REPORT(4.0 * (double)count, "GB/s", "fill", fill(backend, &gradient, 0.0f));
}

static void bench_decode(const struct shapes *s, int64_t sequences, int64_t positions)
{
    const int64_t D = s->C / s->H;
    const struct attention_shape shape = {s->H, s->G, D, 0.125f, 0, 0.0f};
    struct tensor qkv = tensor_new(sequences, (s->H + 2 * s->G) * D);
    struct tensor out = tensor_new(sequences, s->C);
    const int64_t width = (positions + CACHE_PAGE_ROWS - 1) / CACHE_PAGE_ROWS;
    const int64_t rows = sequences * width * CACHE_PAGE_ROWS;
    const struct key_value_cache_layer cache = {tensor_new(rows, s->G * D),
                                                tensor_new(rows, s->G * D)};
    int32_t *table = malloc((size_t)(sequences * width) * sizeof *table), at[64];
    const struct cache_pages pages = {table, width};

    for (int64_t i = 0; i < sequences * width; i++)
        table[i] = (int32_t)i;
    for (int64_t i = 0; i < sequences; i++)
        at[i] = (int32_t)positions - 1;
    REPORT(8.0 * (double)(sequences * positions * s->G * D), "GB/s", "attention decode",
           attention_decode(backend, &out, &qkv, &cache, &pages, at, &shape));
    free(table);
}

int main(int argc, char **argv)
{
    static const struct shapes all[] = {
        {"small", 2048, 256, 683, 4, 4, 4096, 90},
        {"gpt2", 1024, 768, 2048, 12, 12, 50257, 256},
    };

    const struct backend_options options = {.precision = argc > 2 ? argv[2] : "fp32"};
    if (backend_open(&backend, &options, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%s\n", backend_description(backend));
    for (int i = 0; i < 2; i++) {
        const struct shapes *s = &all[i];
        if (argc > 1 && strcmp(argv[1], s->name) != 0)
            continue;
        printf("%s\n", s->name);
        bench_linear(s->T, (s->H + 2 * s->G) * (s->C / s->H), s->C);
        bench_linear(s->T, s->C, s->C);
        bench_linear(s->T, 2 * s->F, s->C);
        bench_linear(s->T, s->C, s->F);
        bench_attention(s);
        bench_rows(s);
        bench_vocabulary(s);
        bench_memory(s);
        bench_optimizer(s->C * 20000);
        bench_decode(s, 32, 256);
    }
    backend_close(backend);
    return 0;
}
