#ifndef HOLDFAST_SCRIPTS_BENCH_GPU_GPU_BENCH_H
#define HOLDFAST_SCRIPTS_BENCH_GPU_GPU_BENCH_H

#include "base/error.h"
#include "base/json.h"
#include "model/transformer_internal.h"

#include <stdbool.h>
#include <stdint.h>

/* What the parts of gpu_bench share. */

struct settings {
    char *device;
    char *moments;
    char *masters;
    int64_t tokens_per_pack, length, accumulation, chats;
    int64_t lora;
    char *precision; /* bf16, fp8; fp32 */
    char *quantize;
    bool recompute;
    double lr;
    int64_t steps, warmup_steps;
    int64_t prompts, prompt_length, common, new_tokens, batch;
    bool uneven;
    double temperature;
    int64_t seed;
};

/* A model of random weights, and the least memory that was free since before it. */
struct bench {
    const struct settings *settings;
    const char *config;
    struct backend *backend;
    struct architecture architecture;
    struct transformer *model;
    size_t free_before, free_least;
    int64_t replies; /* that have ended */
};

/* ---- gpu_bench_model.c ---- */

enum status config_open(struct bench *bench, struct error *error);
/* The device, of which nothing is taken yet, and the config. */
enum status device_begin(struct bench *bench, struct error *error);
/* Behind it. */
enum status model_begin(struct bench *bench, enum master_weights masters,
                        struct error *error);
void model_end(struct bench *bench);
/* Notes how much memory is free just now; what was taken at most. */
void memory_look(struct bench *bench);
double memory_gib(const struct bench *bench);
/* [count], heap */
int32_t *random_tokens(const struct bench *bench, int64_t count, uint64_t stream);

/* ---- gpu_bench_packs.c ---- */

/* The same for every step, so that the loss must fall. */
enum { CHAT_LEAST = 4 }; /* tokens */
struct step_packs {
    struct packed_batch *packs; /* [count] */
    int64_t count, document_count;
    int64_t token_count, target_count;
    double pair_count; /* of a token with one it attends to, in all documents */
};
void step_packs_init(struct step_packs *packs, const struct bench *bench);
void step_packs_release(struct step_packs *packs);

/* ---- gpu_bench_train.c ---- */

/* Opens the model, times its steps, and prints the result; or, where they would not fit,
 * a line that says so ("what": "skipped"), before anything is made. */
enum status train(struct bench *bench, struct error *error);
/* Prints what training would take of a GPU; needs none. */
enum status plan(struct bench *bench, struct error *error);

/* ---- gpu_bench.c: a line of JSON ---- */

/* Without a device, in bf16. */
void result_begin(struct json_writer *json, const struct bench *bench, const char *what);
void result_end(struct json_writer *json);
/* Sorts `seconds`. */
void print_rates(struct json_writer *json, double *seconds, int64_t count, double tokens);

#endif
