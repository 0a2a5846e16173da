#ifndef HOLDFAST_MODEL_GENERATOR_H
#define HOLDFAST_MODEL_GENERATOR_H

#include "base/error.h"
#include "model/transformer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Continues many prompts at once with a paged KV cache. New prompts join as others finish.
 * A reply is a function of (weights, prompt, sampling, its seed) alone: neither the number
 * of prompts, nor their order, nor the cache's size changes one bit of it.
 */
struct sampling {
    double temperature;  /* 0: greedy */
    double top_p;        /* 1: all */
    int64_t token_limit; /* new tokens at most */
};

struct generation_request {
    const int32_t *prompt; /* borrowed until the reply is there */
    int64_t prompt_count;
    uint64_t seed;   /* of this reply alone */
    uint64_t stream; /* random_stream(seed, stream) */
    struct sampling sampling;
    const int32_t *stop_tokens; /* borrowed */
    int64_t stop_count;
    /* results */
    int32_t *reply; /* heap, caller frees; the stop token is not in it */
    int64_t reply_count;
    bool stopped; /* by a stop token; false: the limit was reached */
};

/* Called (from the same thread) as each reply ends, in order of ending; the device is in
 * the next step meanwhile, so that time taken here costs none there. */
typedef void generation_done(void *context, struct generation_request *request);

/*
 * Runs all requests, at most batch_limit at a time (0: chosen from the device and its
 * memory). A prompt longer than the model's position limit minus one gives STATUS_LIMIT
 * before anything runs.
 */
enum status generate(struct transformer *model, struct generation_request *requests,
                     int64_t count, int64_t batch_limit, generation_done *done,
                     void *context, struct error *error);

/*
 * The same with a KV cache of at most so many bytes. One that is too small for a prompt
 * with its reply gives STATUS_MEMORY before anything runs.
 */
struct generation_limits {
    int64_t batch;      /* sequences at a time; 0: chosen */
    size_t cache_bytes; /* 0: chosen */
};
enum status generate_within(struct transformer *model, struct generation_request *requests,
                            int64_t count, const struct generation_limits *limits,
                            generation_done *done, void *context, struct error *error);

#endif
