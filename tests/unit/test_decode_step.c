#include "backend/operation_table.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/generator.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Generation on a back-end that records: the CPU's, with a tape in front of the operations
 * of a decode step. What is on a tape runs when it is launched, not when it is recorded.
 */
enum { VOCABULARY = 97, POSITIONS = 300, CALLS = 256 };

enum operation {
    EMBEDDING,
    RMS_NORM,
    LINEAR,
    ROPE,
    CACHE_WRITE,
    ATTENTION,
    SWIGLU,
    SAMPLE
};

struct call {
    enum operation operation;
    struct tensor out, in, second, third;
    bool has_residual;
    const int32_t *indices;
    int32_t *tokens;
    struct key_value_cache_layer cache;
    struct cache_pages pages;
    struct attention_shape shape;
    struct sampling_rows rows;
    float epsilon;
};

struct recording {
    struct call calls[CALLS];
    int count;
};

static struct backend *backend;
static struct transformer *model;
static const struct operation_table *plain;
static struct operation_table taped;
static struct recording *tape; /* NULL: not recording */
static int recorded, launched, freed;

static bool put(struct call call)
{
    if (!tape)
        return false;
    assert_true(tape->count < CALLS);
    tape->calls[tape->count++] = call;
    return true;
}

static void embed(struct backend *b, struct tensor *out, const struct tensor *weight,
                  const int32_t *tokens)
{
    if (!put((struct call){EMBEDDING, .out = *out, .in = *weight, .indices = tokens}))
        plain->embedding_forward(b, out, weight, tokens);
}

static void norm(struct backend *b, struct tensor *out, struct tensor *rstd,
                 const struct tensor *in, const struct tensor *weight, float offset,
                 float epsilon)
{
    assert_true(offset == 0.0f);
    if (!put((struct call){RMS_NORM, .out = *out, .in = *in, .second = *weight,
                           .third = *rstd, .epsilon = epsilon}))
        plain->rms_norm_forward(b, out, rstd, in, weight, offset, epsilon);
}

static void linear(struct backend *b, struct tensor *out, const struct tensor *in,
                   const struct tensor *weight, const struct tensor *bias,
                   const struct tensor *residual)
{
    struct call call = {LINEAR, .out = *out, .in = *in, .second = *weight,
                        .has_residual = residual != NULL};
    assert_null(bias);
    if (residual)
        call.third = *residual;
    if (!put(call))
        plain->linear_decode(b, out, in, weight, bias, residual);
}

static void rope(struct backend *b, struct tensor *qkv, const struct tensor *table,
                 const int32_t *positions, const struct attention_shape *shape)
{
    if (!put((struct call){ROPE, .out = *qkv, .in = *table, .indices = positions,
                           .shape = *shape}))
        plain->rope_forward(b, qkv, table, positions, shape);
}

static void write_cache(struct backend *b, struct key_value_cache_layer *cache,
                        const struct tensor *qkv, const int32_t *rows,
                        const struct attention_shape *shape)
{
    if (!put((struct call){CACHE_WRITE, .cache = *cache, .in = *qkv, .indices = rows,
                           .shape = *shape}))
        plain->cache_write(b, cache, qkv, rows, shape);
}

static void attend(struct backend *b, struct tensor *out, const struct tensor *qkv,
                   const struct key_value_cache_layer *cache,
                   const struct cache_pages *pages, const int32_t *positions,
                   const struct attention_shape *shape)
{
    if (!put((struct call){ATTENTION, .out = *out, .in = *qkv, .cache = *cache,
                           .pages = *pages, .indices = positions, .shape = *shape}))
        plain->attention_decode(b, out, qkv, cache, pages, positions, shape);
}

static void swiglu(struct backend *b, struct tensor *out, const struct tensor *gate_up)
{
    if (!put((struct call){SWIGLU, .out = *out, .in = *gate_up}))
        plain->swiglu_forward(b, out, gate_up);
}

static void sample(struct backend *b, int32_t *tokens, struct tensor *logits,
                   const struct sampling_rows *rows)
{
    if (!put((struct call){SAMPLE, .out = *logits, .tokens = tokens, .rows = *rows}))
        plain->sample_tokens(b, tokens, logits, rows);
}

static void play(struct backend *b, struct call *c)
{
    switch (c->operation) {
    case EMBEDDING:
        plain->embedding_forward(b, &c->out, &c->in, c->indices);
        break;
    case RMS_NORM:
        plain->rms_norm_forward(b, &c->out, &c->third, &c->in, &c->second, 0.0f,
                                c->epsilon);
        break;
    case LINEAR:
        plain->linear_decode(b, &c->out, &c->in, &c->second, NULL,
                             c->has_residual ? &c->third : NULL);
        break;
    case ROPE:
        plain->rope_forward(b, &c->out, &c->in, c->indices, &c->shape);
        break;
    case CACHE_WRITE:
        plain->cache_write(b, &c->cache, &c->in, c->indices, &c->shape);
        break;
    case ATTENTION:
        plain->attention_decode(b, &c->out, &c->in, &c->cache, &c->pages, c->indices,
                                &c->shape);
        break;
    case SWIGLU:
        plain->swiglu_forward(b, &c->out, &c->in);
        break;
    case SAMPLE:
        plain->sample_tokens(b, c->tokens, &c->out, &c->rows);
        break;
    }
}

static bool record_begin(struct backend *b)
{
    (void)b;
    assert_null(tape);
    tape = memory_allocate(sizeof *tape);
    return true;
}

static struct recording *record_end(struct backend *b)
{
    struct recording *ended = tape;
    (void)b;
    assert_non_null(tape);
    tape = NULL;
    recorded++;
    return ended;
}

static void record_launch(struct backend *b, struct recording *recording)
{
    assert_null(tape);
    assert_true(recording->count > 0);
    for (int i = 0; i < recording->count; i++)
        play(b, &recording->calls[i]);
    launched++;
}

static void record_free(struct backend *b, struct recording *recording)
{
    (void)b;
    free(recording);
    freed++;
}

static void copy_in(struct backend *b, void *device, const void *host, size_t bytes)
{
    assert_null(tape);
    plain->copy_in(b, device, host, bytes);
}

static void copy_out(struct backend *b, void *host, const void *device, size_t bytes)
{
    assert_null(tape);
    plain->copy_out(b, host, device, bytes);
}

static bool memory(const struct backend *b, size_t *free_bytes, size_t *total_bytes)
{
    (void)b;
    *free_bytes = (size_t)3 << 20;
    *total_bytes = (size_t)4 << 20;
    return true;
}

static int open_model(void **state)
{
    const struct architecture architecture = {
        .model_type = "llama",
        .layer_count = 2,
        .channels = 40,
        .feed_forward = 61,
        .heads = 4,
        .key_value_heads = 2,
        .head_size = 10,
        .vocabulary = VOCABULARY,
        .position_limit = POSITIONS,
        .norm_epsilon = 1e-5,
        .rope_theta = 10000.0,
        .initializer_range = 0.3,
        .bos_token = -1,
    };
    struct error error;
    (void)state;
    if (backend_open(&backend, &(struct backend_options){.thread_count = 2}, &error) ||
        transformer_create(&model, backend, &architecture, 5, MASTERS_DROPPED, &error))
        return -1;
    plain = backend->table;
    taped = *plain;
    taped.embedding_forward = embed;
    taped.rms_norm_forward = norm;
    taped.linear_decode = linear;
    taped.rope_forward = rope;
    taped.cache_write = write_cache;
    taped.attention_decode = attend;
    taped.swiglu_forward = swiglu;
    taped.sample_tokens = sample;
    taped.record_begin = record_begin;
    taped.record_end = record_end;
    taped.record_launch = record_launch;
    taped.record_free = record_free;
    taped.copy_in = copy_in;
    taped.copy_out = copy_out;
    taped.memory = memory;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    transformer_free(model);
    backend_close(backend);
    return 0;
}

enum { COUNT = 21 };

static void make_requests(struct generation_request *requests, int32_t *prompt)
{
    struct random random = random_stream(3, 3);
    for (int i = 0; i < 200; i++)
        prompt[i] = (int32_t)random_below(&random, VOCABULARY);
    for (int i = 0; i < COUNT; i++)
        requests[i] = (struct generation_request){
            .prompt = prompt + i,
            .prompt_count = 1 + (i * 37) % 120,
            .seed = 8,
            .stream = (uint64_t)i,
            .sampling = {i % 3 == 0 ? 0.0 : 0.9, i % 2 ? 1.0 : 0.9, 1 + (i * 13) % 40},
        };
}

/* On whichever table is in place. */
static void run(struct generation_request *requests, int64_t batch)
{
    const struct generation_limits limits = {.batch = batch};
    struct error error = {0};
    if (generate_within(model, requests, COUNT, &limits, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* Recorded steps, padding included, give what plain steps give, for batches of a power of
 * two and others. */
static void recorded_equals_plain(void **state)
{
    static const int64_t batches[] = {0, 1, 5, 8, 13};
    int32_t prompt[200];
    struct generation_request wanted[COUNT], requests[COUNT];
    (void)state;
    make_requests(wanted, prompt);
    run(wanted, 0);
    backend->table = &taped;
    for (size_t round = 0; round < sizeof batches / sizeof *batches; round++) {
        recorded = launched = freed = 0;
        make_requests(requests, prompt);
        run(requests, batches[round]);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(requests[i].reply_count, wanted[i].reply_count);
            assert_memory_equal(requests[i].reply, wanted[i].reply,
                                (size_t)wanted[i].reply_count * sizeof(int32_t));
            free(requests[i].reply);
        }
        /* One tape says whether the back-end can; 21 rows have 6 shapes at most. */
        assert_in_range(recorded, 2, 7);
        assert_int_equal(freed, recorded);
        assert_in_range(launched, 30, COUNT * 40);
    }
    backend->table = plain;
    for (int i = 0; i < COUNT; i++)
        free(wanted[i].reply);
}

/* As without recording. */
static void broken_weights_are_reported(void **state)
{
    const int32_t prompt[] = {1, 2, 3};
    struct generation_request request = {
        .prompt = prompt, .prompt_count = 3, .sampling = {0.0, 1.0, 4}};
    const struct tensor weights = transformer_weights(model);
    struct error error = {0};
    (void)state;
    backend->table = &taped;
    ((float *)weights.data)[3 * 40] = NAN; /* the embedding of token 3 */
    assert_int_equal(generate(model, &request, 1, 0, NULL, NULL, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "not finite"));
    backend->table = plain;
    free(request.reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_equals_plain),
        cmocka_unit_test(broken_weights_are_reported),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
