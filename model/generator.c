#include "model/generator.h"

#include "base/memory.h"
#include "base/random.h"
#include "model/decode_step.h"
#include "model/page_pool.h"
#include "model/prefill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Each sequence has a slot while it runs, and pages of the cache as it grows. A prompt's
 * tokens but the last are prefilled, several prompts packed into one pass; the last one is
 * then the first that is decoded, together with one token of every other running sequence:
 *
 *     prompt   a0 a1 a2 | b0 b1         prefill: a0 a1 b0, into the cache
 *     step 1   a2 b1 -> a3 b2           decode: one row a sequence
 *     step 2   a3 b2 -> a4 b3
 *
 * Where a prompt begins like a running sequence, whole pages of that one's serve it too.
 *
 * Replies that end in a step are reported while the device is in the next one: what is done
 * with them (judging, storing) takes no time of its own.
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
    bool longer;    /* its keys are turned by ROPE_LONG's long factors */
    int32_t *pages; /* [width], the slot's */
    int64_t page_count;
    int64_t page_limit; /* shared ones and what was promised */
};

/* Sizes, chosen once from the requests and the device. */
struct generation_plan {
    int64_t slot_count;
    int64_t row_limit;        /* of a prefill */
    int64_t longest_request;  /* its index */
    int64_t longest;          /* positions of it */
    int64_t width;            /* pages of it */
    int64_t most_pages;       /* what all that can run at once may need */
    bool device_memory_known; /* a device with memory of its own */
};

struct generator {
    struct transformer *model;
    struct backend *backend;
    struct generation_plan plan;
    struct key_value_cache cache;
    struct prefill prefill;
    struct decode_step step;
    struct page_pool pool;
    struct arena host;
    int32_t *sampled;        /* [S] */
    int32_t *pages;          /* [S, width] */
    int32_t *pool_memory;    /* [2 pages of the cache] */
    int32_t *free_slots;     /* [S] */
    struct sequence *active; /* [S], the first active_count run */
    int64_t active_count;
    int64_t free_count;
    struct generation_request **ended; /* [S], the first ended_count: to be reported */
    int64_t ended_count;
    generation_done *done; /* NULL: nobody asked */
    void *context;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* New tokens at most: what is asked for, or what positions are left. */
static int64_t reply_limit(const struct architecture *a,
                           const struct generation_request *request)
{
    return least(request->sampling.token_limit, a->position_limit - request->prompt_count);
}

/* The last token of the reply never enters the cache. */
static int64_t cached_positions(const struct architecture *a,
                                const struct generation_request *request)
{
    return request->prompt_count + reply_limit(a, request) - 1;
}

static int64_t pages_for(int64_t positions)
{
    return (positions + CACHE_PAGE_ROWS - 1) / CACHE_PAGE_ROWS;
}

/* ---- Prefill ------------------------------------------------------------------------ */

/* Takes the pages that the first `positions` positions need. */
static void sequence_grow(struct generator *generator, struct sequence *sequence,
                          int64_t positions)
{
    while (sequence->page_count < pages_for(positions))
        sequence->pages[sequence->page_count++] = page_pool_take(&generator->pool);
}

static int32_t token_at(const struct generation_request *request, int64_t position)
{
    const int64_t prompt = request->prompt_count;
    return position < prompt ? request->prompt[position]
                             : request->reply[position - prompt];
}

/* All that comes before next_token, from position `first` on. */
static void prefill_sequence(struct generator *generator, struct sequence *sequence,
                             int32_t first)
{
    const struct architecture *a = &generator->model->architecture;
    struct prefill *prefill = &generator->prefill;
    const int32_t end = sequence->position;
    if (first == end)
        return;
    sequence_grow(generator, sequence, end);
    prefill_begin(prefill, sequence->pages, sequence->page_count, end - first);
    for (int32_t position = first; position < end; position++)
        prefill_row(prefill, token_at(sequence->request, position), position,
                    rope_table_row(a, position, sequence->longer));
}

/* ---- Prompts that begin alike ------------------------------------------------------- */

/* Whether lengthen() may make its part of the cache again. */
static bool may_lengthen(const struct architecture *a, const struct sequence *sequence)
{
    return !sequence->longer &&
           architecture_rope_longer(a, cached_positions(a, sequence->request));
}

/* Whole pages at the beginning of two sequences that hold, or will hold, the same, bit for
 * bit: of tokens that are prefilled. Decoding one sums in another order. */
static int64_t pages_alike(const struct sequence *one, const struct sequence *other)
{
    const int32_t *tokens = one->request->prompt, *others = other->request->prompt;
    const int64_t limit = least(one->request->prompt_count, other->request->prompt_count);
    int64_t alike = 0;
    if (one->longer != other->longer)
        return 0;
    while (alike < limit - 1 && tokens[alike] == others[alike])
        alike++;
    return alike / CACHE_PAGE_ROWS;
}

/*
 * System prompts, a judge's instructions, many attempts of one request: what a running
 * sequence has computed of them serves a new one too. Keys and values of a position are a
 * function of the tokens up to it, so replies do not change by it. Returns how many pages
 * are shared.
 */
static int64_t share_pages(struct generator *generator, struct sequence *sequence)
{
    const struct architecture *a = &generator->model->architecture;
    const struct sequence *best = NULL;
    int64_t shared = 0;
    if (may_lengthen(a, sequence))
        return 0;
    for (int64_t i = 0; i < generator->active_count; i++) {
        const struct sequence *other = &generator->active[i];
        const int64_t alike = may_lengthen(a, other) ? 0 : pages_alike(sequence, other);
        if (alike <= shared)
            continue;
        best = other;
        shared = alike;
    }
    for (int64_t i = 0; i < shared; i++) {
        sequence->pages[i] = best->pages[i];
        page_pool_share(&generator->pool, best->pages[i]);
    }
    return shared;
}

/* ---- Admission ---------------------------------------------------------------------- */

static void sequence_begin(struct generator *generator, struct generation_request *request)
{
    const struct architecture *a = &generator->model->architecture;
    const int64_t limit = reply_limit(a, request);
    const int32_t slot = generator->free_slots[--generator->free_count];
    request->reply = memory_allocate_array((size_t)limit + 1, sizeof *request->reply);
    struct sequence sequence = {
        .request = request,
        .random = random_stream(request->seed, request->stream),
        .slot = slot,
        .position = (int32_t)(request->prompt_count - 1),
        .next_token = request->prompt[request->prompt_count - 1],
        .token_limit = limit,
        .longer = architecture_rope_longer(a, request->prompt_count),
        .pages = generator->pages + slot * generator->plan.width,
        .page_limit = pages_for(cached_positions(a, request)),
    };
    sequence.page_count = share_pages(generator, &sequence);
    CHECK(page_pool_promise(&generator->pool, sequence.page_limit - sequence.page_count));
    prefill_sequence(generator, &sequence,
                     (int32_t)(sequence.page_count * CACHE_PAGE_ROWS));
    generator->active[generator->active_count++] = sequence;
}

static void sequence_end(struct generator *generator, const struct sequence *sequence)
{
    page_pool_give(&generator->pool, sequence->pages, sequence->page_count,
                   sequence->page_limit - sequence->page_count);
    generator->free_slots[generator->free_count++] = sequence->slot;
}

/*
 * How many waiting requests begin now: as many as have slots and pages, in their order. A
 * pass over few rows costs as much as one over many, so they wait until there are enough
 * of them, unless the others would then have to wait for nothing.
 */
static int64_t admissible(const struct generator *generator,
                          const struct generation_request *requests, int64_t count)
{
    enum { ENOUGH_ROWS = 512, ENOUGH_SHARE = 8 };
    const struct architecture *a = &generator->model->architecture;
    int64_t room = page_pool_room(&generator->pool), rows = 0, fitting = 0;
    while (fitting < least(count, generator->free_count)) {
        const int64_t pages = pages_for(cached_positions(a, &requests[fitting]));
        if (pages > room)
            break;
        room -= pages;
        rows += requests[fitting++].prompt_count;
    }
    const bool enough = fitting == count || rows >= ENOUGH_ROWS ||
                        fitting * ENOUGH_SHARE >= generator->active_count + fitting;
    return enough ? fitting : 0;
}

/* Begins waiting requests; returns the index of the first still waiting. */
static int64_t admit(struct generator *generator, struct generation_request *requests,
                     int64_t next, int64_t count)
{
    const int64_t end = next + admissible(generator, requests + next, count - next);
    for (; next < end; next++)
        sequence_begin(generator, &requests[next]);
    prefill_run(&generator->prefill);
    return next;
}

/* ---- Decoding ----------------------------------------------------------------------- */

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

/* Puts the sequence's next token into a row of the step; sampling takes one draw. */
static void step_set(struct generator *generator, int64_t index, struct sequence *sequence)
{
    const struct sampling *sampling = &sequence->request->sampling;
    sequence_grow(generator, sequence, sequence->position + 1);
    const struct decode_row row = {
        .token = sequence->next_token,
        .position = sequence->position,
        .turn = rope_table_row(&generator->model->architecture, sequence->position,
                               sequence->longer),
        .pages = sequence->pages,
        .page_count = sequence->page_count,
        .temperature = sampling->temperature,
        .top_p = sampling->top_p,
        .draw = sampling->temperature > 0.0 ? random_double(&sequence->random) : 0.0,
    };
    decode_step_set(&generator->step, index, &row);
}

static enum status check_sampled(const struct generator *generator, struct error *error)
{
    for (int64_t i = 0; i < generator->active_count; i++) {
        if (generator->sampled[i] < 0)
            return error_set(error, STATUS_FORMAT,
                             "the model's logits are not finite at position %d of a reply: "
                             "its weights are broken",
                             (int)generator->active[i].position);
    }
    return STATUS_OK;
}

/* Keeps the sequences that go on, in order; the others have ended. */
static void advance_rows(struct generator *generator)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < generator->active_count; i++) {
        struct sequence sequence = generator->active[i];
        if (sequence_advance(&sequence, generator->sampled[i])) {
            generator->active[kept++] = sequence;
            continue;
        }
        sequence_end(generator, &sequence);
        generator->ended[generator->ended_count++] = sequence.request;
    }
    generator->active_count = kept;
}

static void report_ended(struct generator *generator)
{
    for (int64_t i = 0; generator->done && i < generator->ended_count; i++)
        generator->done(generator->context, generator->ended[i]);
    generator->ended_count = 0;
}

/*
 * A sequence that grows beyond ROPE_LONG's original limit has the long factors from its
 * first token on, so what is in the cache is made again, once. Each reply token is then
 * what a forward over the whole sequence gives, as transformers' generate() without its
 * cache; with it, 5.17 sets out to do the same and gives other tokens behind the limit.
 */
static void lengthen(struct generator *generator)
{
    const struct architecture *a = &generator->model->architecture;
    for (int64_t i = 0; i < generator->active_count; i++) {
        struct sequence *sequence = &generator->active[i];
        if (sequence->longer || !architecture_rope_longer(a, sequence->position + 1))
            continue;
        sequence->longer = true;
        prefill_sequence(generator, sequence, 0);
    }
    prefill_run(&generator->prefill);
}

/* One token for every running sequence. */
static enum status decode(struct generator *generator, struct error *error)
{
    lengthen(generator);
    for (int64_t i = 0; i < generator->active_count; i++)
        step_set(generator, i, &generator->active[i]);
    decode_step_start(&generator->step, generator->active_count, generator->sampled);
    report_ended(generator);
    enum status status = decode_step_finish(&generator->step, error);
    if (!status)
        status = check_sampled(generator, error);
    if (!status)
        advance_rows(generator);
    return status;
}

/* ---- Sizes -------------------------------------------------------------------------- */

static enum status check_request(const struct architecture *architecture,
                                 const struct generation_request *request, int64_t index,
                                 struct error *error)
{
    const struct sampling *sampling = &request->sampling;
    if (request->prompt_count < 1)
        return error_set(error, STATUS_FORMAT, "prompt %lld is empty", (long long)index);
    if (request->prompt_count >= architecture->position_limit)
        return error_set(error, STATUS_LIMIT,
                         "prompt %lld has %lld tokens; the model takes %lld at most (its "
                         "\"%s\"), one of "
                         "them for the reply: shorten it",
                         (long long)index, (long long)request->prompt_count,
                         (long long)architecture->position_limit,
                         architecture_limit_name(architecture));
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

/* What the requests ask for; `batch`: 0 chooses. */
static struct generation_plan plan_sizes(struct transformer *model,
                                         const struct generation_request *requests,
                                         int64_t count, int64_t batch)
{
    enum { HOST_SLOTS = 64, DEVICE_SLOTS = 256, HOST_ROWS = 512, DEVICE_ROWS = 8192 };
    const struct architecture *a = &model->architecture;
    size_t free_bytes, total_bytes;
    struct generation_plan plan = {
        .device_memory_known = backend_memory(model->backend, &free_bytes, &total_bytes)};
    int64_t longest_prompt = 1, prompt_rows = 0, all_pages = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t positions = cached_positions(a, &requests[i]);
        longest_prompt = greatest(longest_prompt, requests[i].prompt_count);
        prompt_rows += requests[i].prompt_count;
        all_pages += pages_for(positions);
        if (positions <= plan.longest)
            continue;
        plan.longest = positions;
        plan.longest_request = i;
    }
    const int64_t slots = plan.device_memory_known ? DEVICE_SLOTS : HOST_SLOTS;
    plan.slot_count = least(count, batch > 0 ? batch : slots);
    /* No more than can begin at once, so that a smaller batch takes less memory. */
    plan.row_limit = least(least(prompt_rows, plan.slot_count * longest_prompt),
                           plan.device_memory_known ? DEVICE_ROWS : HOST_ROWS);
    plan.row_limit = greatest(plan.row_limit, greatest(longest_prompt, plan.slot_count));
    if (architecture_rope_longer(a, plan.longest)) /* lengthen() */
        plan.row_limit = greatest(plan.row_limit, a->rope_original_limit);
    plan.width = pages_for(plan.longest);
    plan.most_pages = least(all_pages, plan.slot_count * plan.width);
    return plan;
}

/* Bytes that the cache may have: of a device, most of what is free; of the host, 1 GiB, or
 * what the longest request needs. `bytes`: 0 chooses. */
static size_t cache_budget(const struct generator *generator, size_t bytes)
{
    static const size_t host_bytes = (size_t)1 << 30;
    const size_t page_bytes = key_value_cache_page_bytes(generator->model);
    const size_t needed = (size_t)(generator->plan.width + 1) * page_bytes;
    size_t free_bytes, total_bytes;
    if (bytes > 0)
        return bytes;
    if (backend_memory(generator->backend, &free_bytes, &total_bytes))
        return free_bytes / 5 * 4; /* the rest is for scratch */
    return needed > host_bytes ? needed : host_bytes;
}

/* Page 0 is the padding's, see model/decode_step.h. */
static enum status cache_reserve(struct generator *generator, size_t bytes,
                                 struct error *error)
{
    const struct generation_plan *plan = &generator->plan;
    const size_t page_bytes = key_value_cache_page_bytes(generator->model);
    const size_t fitting = cache_budget(generator, bytes) / page_bytes;
    const int64_t rows_limit = INT32_MAX / CACHE_PAGE_ROWS; /* cache rows are int32 */
    int64_t pages = least(plan->most_pages + 1, rows_limit);
    if (fitting < (size_t)pages)
        pages = (int64_t)fitting;
    if (pages < plan->width + 1)
        return error_set(
            error, STATUS_MEMORY,
            "the KV cache has memory for %lld tokens, but prompt %lld and its reply may "
            "have %lld: ask for fewer new tokens or make memory free",
            (long long)(greatest(pages - 1, 0) * CACHE_PAGE_ROWS),
            (long long)plan->longest_request, (long long)plan->longest);
    generator->pool_memory =
        memory_allocate_array((size_t)pages, 2 * sizeof *generator->pool_memory);
    page_pool_init(&generator->pool, generator->pool_memory, 1, pages - 1);
    return key_value_cache_reserve(&generator->cache, generator->model, pages, error);
}

static void host_place(struct generator *generator, struct arena *arena)
{
    const size_t slots = (size_t)generator->plan.slot_count;
    const size_t width = (size_t)generator->plan.width;
    generator->sampled = arena_push_array(arena, slots, sizeof(int32_t));
    generator->pages = arena_push_array(arena, slots, width * sizeof(int32_t));
    generator->free_slots = arena_push_array(arena, slots, sizeof(int32_t));
    generator->active = arena_push_array(arena, slots, sizeof(struct sequence));
    generator->ended = arena_push_array(arena, slots, sizeof *generator->ended);
}

static enum status host_reserve(struct generator *generator, struct error *error)
{
    host_place(generator, &generator->host);
    const enum status status = arena_reserve(&generator->host, error);
    if (status)
        return status;
    host_place(generator, &generator->host);
    for (int64_t slot = 0; slot < generator->plan.slot_count; slot++)
        generator->free_slots[generator->free_count++] = (int32_t)slot;
    return STATUS_OK;
}

/* The cache comes last: it takes a share of the memory that the others leave. */
static enum status reserve(struct generator *generator, size_t cache_bytes,
                           struct error *error)
{
    const struct generation_plan *plan = &generator->plan;
    struct transformer *model = generator->model;
    enum status status = transformer_inference_begin(model, plan->row_limit, error);
    if (!status)
        status = transformer_reserve_positions(model, plan->longest, error);
    if (!status)
        status = host_reserve(generator, error);
    if (!status)
        status = decode_step_reserve(&generator->step, model, &generator->cache,
                                     plan->slot_count, plan->width, error);
    if (!status)
        status = prefill_reserve(&generator->prefill, model, &generator->cache,
                                 plan->row_limit, plan->slot_count, plan->width, error);
    return status ? status : cache_reserve(generator, cache_bytes, error);
}

static void release(struct generator *generator)
{
    decode_step_release(&generator->step);
    key_value_cache_release(&generator->cache);
    prefill_release(&generator->prefill);
    arena_release(&generator->host);
    free(generator->pool_memory);
}

enum status generate_within(struct transformer *model, struct generation_request *requests,
                            int64_t count, const struct generation_limits *limits,
                            generation_done *done, void *context, struct error *error)
{
    struct generator generator = {
        .model = model, .backend = model->backend, .done = done, .context = context};
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
    generator.plan = plan_sizes(model, requests, count, limits->batch);
    status = reserve(&generator, limits->cache_bytes, error);
    int64_t next = 0;
    while (!status && (next < count || generator.active_count > 0)) {
        next = admit(&generator, requests, next, count);
        status = decode(&generator, error);
    }
    report_ended(&generator);
    release(&generator);
    return status;
}

enum status generate(struct transformer *model, struct generation_request *requests,
                     int64_t count, int64_t batch_limit, generation_done *done,
                     void *context, struct error *error)
{
    const struct generation_limits limits = {.batch = batch_limit};
    return generate_within(model, requests, count, &limits, done, context, error);
}
