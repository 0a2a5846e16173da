#include "model/generator.h"

#include "base/memory.h"
#include "model/sampler.h"
#include "model/transformer_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Each sequence has a slot of the cache while it runs. A prompt's tokens but the last are
 * prefilled, several prompts packed into one pass; the last one is then the first that is
 * decoded, together with one token of every other running sequence:
 *
 *     prompt   a0 a1 a2 | b0 b1         prefill: a0 a1 b0, into the cache
 *     step 1   a2 b1 -> a3 b2           decode: one row a sequence
 *     step 2   a3 b2 -> a4 b3
 *
 * Both use linear_decode() and operations whose rows, or documents, do not see each
 * other, so which sequences run together changes nothing.
 */
struct sequence {
    struct generation_request *request;
    struct random random;
    int32_t slot;
    int32_t position;   /* of next_token; as many are in the cache */
    int32_t next_token; /* known, not yet in the cache */
    int64_t token_limit;
};

/* Tokens of one pass through the model. */
struct rows {
    int64_t count;
    int32_t *tokens;
    int32_t *positions;
    int32_t *slots;
    int32_t *document_starts; /* prefill */
    int64_t document_count;   /* 0: decode */
};

struct generator {
    struct transformer *model;
    struct backend *backend;
    struct attention_shape shape;
    int64_t row_limit; /* of a pass */
    int64_t slot_count;
    int64_t cached_positions;            /* a slot's */
    void *cache_memory;                  /* device */
    struct key_value_cache_layer *cache; /* [L] */
    float *logits;                       /* device [S, V] */
    float *host_logits;                  /* [S, V] */
    struct arena host;
    struct rows rows;
    int32_t *sampled;          /* [S] */
    struct sequence *active;   /* [S], the first active_count run */
    struct sequence *admitted; /* [S], scratch: to be prefilled */
    int32_t *free_slots;
    int64_t active_count;
    int64_t free_count;
};

static struct tensor first_rows(const struct tensor *buffer, int64_t count)
{
    return tensor_rows(buffer, 0, count);
}

static void attend(struct generator *generator, int64_t layer, struct tensor *out,
                   const struct tensor *query_key_value)
{
    const struct rows *rows = &generator->rows;
    struct tensor log_sum =
        tensor_view_2d(generator->model->inference.blocks[layer].log_sum.data, DTYPE_F32,
                       generator->shape.heads, rows->count);
    if (rows->document_count > 0)
        attention_forward(generator->backend, out, &log_sum, query_key_value,
                          rows->document_starts, rows->document_count, &generator->shape);
    else
        attention_decode(generator->backend, out, query_key_value, &generator->cache[layer],
                         rows->slots, rows->positions, &generator->shape);
}

/* Of the last block, a prefill needs keys and values only. */
static bool only_fills_cache(const struct generator *generator, int64_t layer)
{
    return generator->rows.document_count > 0 &&
           layer + 1 == generator->model->architecture.layer_count;
}

/* One block over the rows, in place on `stream`. Compare transformer_pass.c. */
static void block_step(struct generator *generator, int64_t layer, struct tensor *stream)
{
    struct backend *backend = generator->backend;
    const struct activations *reserved = &generator->model->inference;
    const struct block_activations *block = &reserved->blocks[layer];
    const struct block_parameters *weights = &generator->model->views.blocks[layer];
    const float epsilon = (float)generator->model->architecture.norm_epsilon;
    const int64_t count = generator->rows.count;
    struct tensor normed = first_rows(&reserved->normed, count);
    struct tensor rstd = first_rows(&block->attention_rstd, count);
    struct tensor query_key_value = first_rows(&block->query_key_value, count);
    struct tensor attended = first_rows(&block->attended, count);
    struct tensor middle = first_rows(&block->middle, count);
    struct tensor gate_up = first_rows(&block->gate_up, count);
    struct tensor activated = first_rows(&reserved->activated, count);

    rms_norm_forward(backend, &normed, &rstd, stream, &weights->attention_norm, epsilon);
    linear_decode(backend, &query_key_value, &normed, &weights->query_key_value, NULL);
    rope_forward(backend, &query_key_value, &generator->model->rope_table,
                 generator->rows.positions, &generator->shape);
    cache_write(backend, &generator->cache[layer], &query_key_value, generator->rows.slots,
                generator->rows.positions, &generator->shape);
    if (only_fills_cache(generator, layer))
        return;
    attend(generator, layer, &attended, &query_key_value);
    linear_decode(backend, &middle, &attended, &weights->attention_out, NULL);
    add(backend, &middle, &middle, stream);

    rms_norm_forward(backend, &normed, &rstd, &middle, &weights->feed_forward_norm,
                     epsilon);
    linear_decode(backend, &gate_up, &normed, &weights->gate_up, NULL);
    swiglu_forward(backend, &activated, &gate_up);
    linear_decode(backend, stream, &activated, &weights->down, NULL);
    add(backend, stream, stream, &middle);
}

/* Runs the rows through all blocks; returns the residual stream behind the last one. */
static struct tensor run_blocks(struct generator *generator)
{
    struct transformer *model = generator->model;
    struct tensor stream = first_rows(&model->inference.out, generator->rows.count);
    embedding_forward(generator->backend, &stream, &model->views.embedding,
                      generator->rows.tokens);
    for (int64_t layer = 0; layer < model->architecture.layer_count; layer++)
        block_step(generator, layer, &stream);
    return stream;
}

/* Logits of the rows, into host_logits. */
static enum status run_head(struct generator *generator, const struct tensor *stream,
                            struct error *error)
{
    struct transformer *model = generator->model;
    const int64_t count = generator->rows.count;
    struct tensor normed = first_rows(&model->inference.normed, count);
    struct tensor rstd = first_rows(&model->inference.last_rstd, count);
    struct tensor logits =
        tensor_view_2d(generator->logits, DTYPE_F32, count, model->architecture.vocabulary);
    rms_norm_forward(generator->backend, &normed, &rstd, stream, &model->views.last_norm,
                     (float)model->architecture.norm_epsilon);
    linear_decode(generator->backend, &logits, &normed, &model->views.head, NULL);
    backend_copy_out(generator->backend, generator->host_logits, logits.data,
                     tensor_bytes(&logits));
    return backend_sync(generator->backend, error);
}

static void rows_clear(struct rows *rows)
{
    rows->count = 0;
    rows->document_count = 0;
}

static void rows_add(struct rows *rows, int32_t token, int32_t position, int32_t slot)
{
    rows->tokens[rows->count] = token;
    rows->positions[rows->count] = position;
    rows->slots[rows->count++] = slot;
}

/* Runs what prefill() has packed. */
static void prefill_flush(struct generator *generator)
{
    struct rows *rows = &generator->rows;
    if (rows->document_count > 0) {
        rows->document_starts[rows->document_count] = (int32_t)rows->count;
        run_blocks(generator);
    }
    rows_clear(rows);
}

/* Brings the prompts of the admitted sequences into the cache, but for their last tokens.
 */
static void prefill(struct generator *generator, int64_t admitted_count)
{
    struct rows *rows = &generator->rows;
    rows_clear(rows);
    for (int64_t i = 0; i < admitted_count; i++) {
        struct sequence *sequence = &generator->admitted[i];
        const int32_t *prompt = sequence->request->prompt;
        if (rows->count + sequence->position > generator->row_limit)
            prefill_flush(generator);
        if (sequence->position > 0)
            rows->document_starts[rows->document_count++] = (int32_t)rows->count;
        for (int32_t position = 0; position < sequence->position; position++)
            rows_add(rows, prompt[position], position, sequence->slot);
        generator->active[generator->active_count++] = *sequence;
    }
    prefill_flush(generator);
}

static struct sequence sequence_begin(struct generator *generator,
                                      struct generation_request *request)
{
    const int64_t room =
        generator->model->architecture.position_limit - request->prompt_count;
    const int64_t limit = request->sampling.token_limit;
    request->reply = memory_allocate_array((size_t)(limit < room ? limit : room) + 1,
                                           sizeof *request->reply);
    return (struct sequence){
        .request = request,
        .random = random_stream(request->seed, request->stream),
        .slot = generator->free_slots[--generator->free_count],
        .position = (int32_t)(request->prompt_count - 1),
        .next_token = request->prompt[request->prompt_count - 1],
        .token_limit = limit < room ? limit : room,
    };
}

/* Takes waiting requests into free slots; returns the index of the first still waiting. */
static int64_t admit(struct generator *generator, struct generation_request *requests,
                     int64_t next, int64_t count)
{
    int64_t admitted_count = 0;
    while (next < count && generator->free_count > 0)
        generator->admitted[admitted_count++] =
            sequence_begin(generator, &requests[next++]);
    prefill(generator, admitted_count);
    return next;
}

static bool is_stop(const struct generation_request *request, int32_t token)
{
    for (int64_t i = 0; i < request->stop_count; i++) {
        if (request->stop_tokens[i] == token)
            return true;
    }
    return false;
}

/* Takes the sampled token in; false if the reply has ended with it. */
static bool sequence_advance(struct sequence *sequence, int32_t token)
{
    struct generation_request *request = sequence->request;
    request->stopped = is_stop(request, token);
    if (request->stopped)
        return false;
    request->reply[request->reply_count++] = token;
    sequence->next_token = token;
    sequence->position++;
    return request->reply_count < sequence->token_limit;
}

static enum status sample_rows(struct generator *generator, struct error *error)
{
    const int64_t vocabulary = generator->model->architecture.vocabulary;
    const int64_t count = generator->active_count;
#pragma omp parallel for num_threads(backend_thread_count(generator->backend))
    for (int64_t i = 0; i < count; i++) {
        struct sequence *sequence = &generator->active[i];
        generator->sampled[i] =
            sample_token(generator->host_logits + i * vocabulary, vocabulary,
                         &sequence->request->sampling, &sequence->random);
    }
    for (int64_t i = 0; i < count; i++) {
        if (generator->sampled[i] < 0)
            return error_set(error, STATUS_FORMAT,
                             "the model's logits are not finite at position %d of a reply: "
                             "its weights are broken",
                             (int)generator->active[i].position);
    }
    return STATUS_OK;
}

/* Keeps the sequences that go on, in order, and reports the others. */
static void advance_rows(struct generator *generator, generation_done *done, void *context)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < generator->active_count; i++) {
        struct sequence sequence = generator->active[i];
        if (sequence_advance(&sequence, generator->sampled[i])) {
            generator->active[kept++] = sequence;
            continue;
        }
        generator->free_slots[generator->free_count++] = sequence.slot;
        if (done)
            done(context, sequence.request);
    }
    generator->active_count = kept;
}

/* One token for every running sequence. */
static enum status decode(struct generator *generator, generation_done *done, void *context,
                          struct error *error)
{
    rows_clear(&generator->rows);
    for (int64_t i = 0; i < generator->active_count; i++) {
        const struct sequence *sequence = &generator->active[i];
        rows_add(&generator->rows, sequence->next_token, sequence->position,
                 sequence->slot);
    }
    const struct tensor stream = run_blocks(generator);
    enum status status = run_head(generator, &stream, error);
    if (!status)
        status = sample_rows(generator, error);
    if (!status)
        advance_rows(generator, done, context);
    return status;
}

static enum status check_request(const struct architecture *architecture,
                                 const struct generation_request *request, int64_t index,
                                 struct error *error)
{
    const struct sampling *sampling = &request->sampling;
    if (request->prompt_count < 1)
        return error_set(error, STATUS_FORMAT, "prompt %lld is empty", (long long)index);
    if (request->prompt_count >= architecture->position_limit)
        return error_set(
            error, STATUS_LIMIT,
            "prompt %lld has %lld tokens; the model takes %lld at most, one of "
            "them for the reply: shorten it",
            (long long)index, (long long)request->prompt_count,
            (long long)architecture->position_limit);
    for (int64_t i = 0; i < request->prompt_count; i++) {
        if (request->prompt[i] < 0 || request->prompt[i] >= architecture->vocabulary)
            return error_set(
                error, STATUS_FORMAT,
                "prompt %lld: token %d is outside of the model's vocabulary of "
                "%lld: use the tokenizer that belongs to the model",
                (long long)index, (int)request->prompt[i],
                (long long)architecture->vocabulary);
    }
    if (!isfinite(sampling->temperature) || sampling->temperature < 0.0)
        return error_set(error, STATUS_USAGE, "temperature %g: give 0 (greedy) or more",
                         sampling->temperature);
    if (!(sampling->top_p > 0.0 && sampling->top_p <= 1.0))
        return error_set(error, STATUS_USAGE, "top-p %g: give a number above 0, at most 1",
                         sampling->top_p);
    if (sampling->token_limit < 1)
        return error_set(error, STATUS_USAGE, "%lld new tokens: give 1 or more",
                         (long long)sampling->token_limit);
    return STATUS_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sizes: the longest sequence gives a slot's, and memory the number of slots. */
static void plan(struct generator *generator, const struct generation_request *requests,
                 int64_t count, int64_t batch_limit)
{
    enum { SLOTS = 64, PREFILL_ROWS = 512 };
    static const int64_t cache_floats = (int64_t)1 << 28; /* 1 GiB, if not told */
    const struct architecture *a = &generator->model->architecture;
    int64_t longest_prompt = 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t prompt = requests[i].prompt_count;
        const int64_t room = a->position_limit - prompt;
        const int64_t length = prompt + least(requests[i].sampling.token_limit, room);
        if (prompt > longest_prompt)
            longest_prompt = prompt;
        if (length > generator->cached_positions)
            generator->cached_positions = length;
    }
    const int64_t slot_floats = 2 * a->layer_count * generator->cached_positions *
                                a->key_value_heads * a->head_size;
    CHECK(slot_floats > 0);
    const int64_t fitting = cache_floats / slot_floats;
    const int64_t chosen = fitting < 1 ? 1 : least(fitting, SLOTS);
    generator->slot_count = least(count, batch_limit > 0 ? batch_limit : chosen);
    generator->row_limit =
        longest_prompt > PREFILL_ROWS ? longest_prompt : (int64_t)PREFILL_ROWS;
    if (generator->row_limit < generator->slot_count)
        generator->row_limit = generator->slot_count;
}

static void cache_place(struct generator *generator, struct arena *arena)
{
    const struct architecture *a = &generator->model->architecture;
    const int64_t width = a->key_value_heads * a->head_size;
    const size_t slot_elements = (size_t)(generator->cached_positions * width);
    struct tensor view = {
        .dtype = DTYPE_F32,
        .rank = 3,
        .shape = {generator->slot_count, generator->cached_positions, width}};
    for (int64_t layer = 0; layer < a->layer_count; layer++) {
        const size_t slots = (size_t)generator->slot_count;
        view.data = arena_push_array(arena, slots, slot_elements * sizeof(float));
        generator->cache[layer].keys = view;
        view.data = arena_push_array(arena, slots, slot_elements * sizeof(float));
        generator->cache[layer].values = view;
    }
    generator->logits = arena_push_array(arena, (size_t)generator->slot_count,
                                         (size_t)a->vocabulary * sizeof(float));
}

static void host_place(struct generator *generator, struct arena *arena)
{
    const size_t rows = (size_t)generator->row_limit;
    const size_t slots = (size_t)generator->slot_count;
    const size_t vocabulary = (size_t)generator->model->architecture.vocabulary;
    generator->host_logits = arena_push_array(arena, slots, vocabulary * sizeof(float));
    generator->rows.tokens = arena_push_array(arena, rows, sizeof(int32_t));
    generator->rows.positions = arena_push_array(arena, rows, sizeof(int32_t));
    generator->rows.slots = arena_push_array(arena, rows, sizeof(int32_t));
    generator->rows.document_starts = arena_push_array(arena, slots + 1, sizeof(int32_t));
    generator->sampled = arena_push_array(arena, slots, sizeof(int32_t));
    generator->free_slots = arena_push_array(arena, slots, sizeof(int32_t));
    generator->active = arena_push_array(arena, slots, sizeof(struct sequence));
    generator->admitted = arena_push_array(arena, slots, sizeof(struct sequence));
}

static enum status reserve(struct generator *generator, struct error *error)
{
    struct transformer *model = generator->model;
    struct arena device = {0};
    enum status status = transformer_inference_begin(model, generator->row_limit, error);
    if (!status)
        status = rope_table_reserve(model, generator->cached_positions, error);
    if (status)
        return status;
    host_place(generator, &generator->host);
    status = arena_reserve(&generator->host, error);
    if (status)
        return status;
    host_place(generator, &generator->host);
    generator->cache = memory_allocate_array((size_t)model->architecture.layer_count,
                                             sizeof *generator->cache);
    cache_place(generator, &device);
    if (device.overflow)
        return error_set(error, STATUS_MEMORY, "the cache exceeds the address space");
    generator->cache_memory = backend_allocate(generator->backend, device.used, error);
    if (!generator->cache_memory)
        return error_prefix(error, "the cache of %lld sequences",
                            (long long)generator->slot_count);
    device = (struct arena){.base = generator->cache_memory, .bytes = device.used};
    cache_place(generator, &device);
    for (int64_t slot = 0; slot < generator->slot_count; slot++)
        generator->free_slots[generator->free_count++] = (int32_t)slot;
    return STATUS_OK;
}

static void release(struct generator *generator)
{
    if (generator->cache_memory)
        backend_free(generator->backend, generator->cache_memory);
    arena_release(&generator->host);
    free(generator->cache);
}

enum status generate(struct transformer *model, struct generation_request *requests,
                     int64_t count, int64_t batch_limit, generation_done *done,
                     void *context, struct error *error)
{
    struct generator generator = {
        .model = model,
        .backend = model->backend,
        .shape = model_attention_shape(&model->architecture),
    };
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < count; i++) {
        requests[i].reply = NULL;
        requests[i].reply_count = 0;
        requests[i].stopped = false;
    }
    for (int64_t i = 0; !status && i < count; i++)
        status = check_request(&model->architecture, &requests[i], i, error);
    if (status || count < 1)
        return status;
    plan(&generator, requests, count, batch_limit);
    status = reserve(&generator, error);
    int64_t next = 0;
    while (!status && (next < count || generator.active_count > 0)) {
        next = admit(&generator, requests, next, count);
        status = decode(&generator, done, context, error);
    }
    release(&generator);
    return status;
}
