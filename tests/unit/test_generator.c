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

enum { VOCABULARY = 131, POSITIONS = 700 };

static struct backend *backend;
static struct transformer *model;

/* Weights large enough that every token depends on all before it. */
static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 3,
    .channels = 48,
    .feed_forward = 77,
    .heads = 6,
    .key_value_heads = 2,
    .head_size = 10,
    .vocabulary = VOCABULARY,
    .position_limit = POSITIONS,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000.0,
    .initializer_range = 0.25,
    .bos_token = -1,
};

static int open_model(void **state)
{
    (void)state;
    struct error error;
    return backend_open(&backend, &(struct backend_options){.thread_count = 2}, &error) ||
           transformer_create(&model, backend, &architecture, 7, MASTERS_DROPPED, &error);
}

static int close_model(void **state)
{
    (void)state;
    transformer_free(model);
    backend_close(backend);
    return 0;
}

enum { PROMPTS = 7, REPLY = 24 };
/* Around the sizes of tiles, one prompt longer than a prefill pass has rows. */
static const int64_t prompt_counts[PROMPTS] = {1, 2, 31, 64, 65, 130, 600};

static void make_prompt(int32_t *prompt, int index)
{
    struct random random = random_stream(9, (uint64_t)index);
    for (int64_t i = 0; i < prompt_counts[index]; i++)
        prompt[i] = (int32_t)random_below(&random, VOCABULARY);
}

static struct generation_request request_of(const int32_t *prompt, int index,
                                            struct sampling sampling)
{
    return (struct generation_request){
        .prompt = prompt,
        .prompt_count = prompt_counts[index],
        .seed = 42,
        .stream = (uint64_t)index,
        .sampling = sampling,
    };
}

static void run(struct generation_request *requests, int64_t count, int64_t batch_limit)
{
    struct error error = {0};
    if (generate(model, requests, count, batch_limit, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static void together_equals_alone(struct sampling sampling)
{
    static const int orders[][PROMPTS] = {
        {0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}, {3, 6, 0, 5, 1, 4, 2}};
    static const int64_t batch_limits[] = {0, 7, 3, 2, 1};
    int32_t prompts[PROMPTS][600];
    struct generation_request alone[PROMPTS];
    for (int i = 0; i < PROMPTS; i++) {
        make_prompt(prompts[i], i);
        alone[i] = request_of(prompts[i], i, sampling);
        alone[i].sampling.token_limit -= 3 * i; /* they end at different times */
        run(&alone[i], 1, 0);
        assert_int_equal(alone[i].reply_count, REPLY - 3 * i);
    }
    for (size_t round = 0; round < 15; round++) {
        const int *order = orders[round % 3];
        struct generation_request requests[PROMPTS];
        for (int i = 0; i < PROMPTS; i++)
            requests[i] = request_of(prompts[order[i]], order[i], alone[order[i]].sampling);
        run(requests, PROMPTS, batch_limits[round / 3]);
        for (int i = 0; i < PROMPTS; i++) {
            const struct generation_request *wanted = &alone[order[i]];
            assert_int_equal(requests[i].reply_count, wanted->reply_count);
            assert_memory_equal(requests[i].reply, wanted->reply,
                                (size_t)wanted->reply_count * sizeof(int32_t));
            free(requests[i].reply);
        }
    }
    for (int i = 0; i < PROMPTS; i++)
        free(alone[i].reply);
}

static void together_equals_alone_greedy(void **state)
{
    (void)state;
    together_equals_alone((struct sampling){0.0, 1.0, REPLY});
}

static void together_equals_alone_sampled(void **state)
{
    (void)state;
    together_equals_alone((struct sampling){1.0, 1.0, REPLY});
    together_equals_alone((struct sampling){0.8, 0.9, REPLY});
}

/* Attempts of one prompt differ by stream alone; the same stream gives the same reply. */
static void streams_make_attempts(void **state)
{
    (void)state;
    int32_t prompt[600];
    struct generation_request requests[4];
    make_prompt(prompt, 2);
    for (int i = 0; i < 4; i++) {
        requests[i] = request_of(prompt, 2, (struct sampling){1.0, 1.0, REPLY});
        requests[i].stream = (uint64_t)(i % 3);
    }
    run(requests, 4, 0);
    assert_memory_equal(requests[0].reply, requests[3].reply, REPLY * sizeof(int32_t));
    assert_memory_not_equal(requests[0].reply, requests[1].reply, REPLY * sizeof(int32_t));
    assert_memory_not_equal(requests[1].reply, requests[2].reply, REPLY * sizeof(int32_t));
    for (int i = 0; i < 4; i++)
        free(requests[i].reply);
}

/* The token after position `at` that a full forward over the whole text would take. */
static int32_t greedy_by_forward(const int32_t *tokens, int64_t count, double *margin)
{
    struct error error = {0};
    int32_t positions[POSITIONS], starts[] = {0, (int32_t)count};
    int32_t copy[POSITIONS];
    float *logits = memory_allocate_array((size_t)count * VOCABULARY, sizeof *logits);
    memcpy(copy, tokens, (size_t)count * sizeof *copy);
    for (int32_t i = 0; i < count; i++)
        positions[i] = i;
    const struct packed_batch batch = {.token_count = count,
                                       .document_count = 1,
                                       .tokens = copy,
                                       .positions = positions,
                                       .document_starts = starts};
    assert_int_equal(transformer_logits(model, &batch, logits, &error), STATUS_OK);
    const float *row = logits + (count - 1) * VOCABULARY;
    int32_t best = 0;
    float second = -INFINITY;
    for (int32_t i = 1; i < VOCABULARY; i++) {
        if (row[i] > row[best]) {
            second = row[best];
            best = i;
        } else if (row[i] > second) {
            second = row[i];
        }
    }
    *margin = (double)(row[best] - second);
    free(logits);
    return best;
}

/* Where the two best are further apart than rounding, the cache changes nothing. */
static void cache_equals_full_forward(void **state)
{
    (void)state;
    for (int i = 0; i < PROMPTS; i++) {
        int32_t text[POSITIONS];
        int compared = 0;
        make_prompt(text, i);
        struct generation_request request =
            request_of(text, i, (struct sampling){0.0, 1.0, REPLY});
        run(&request, 1, 0);
        for (int64_t j = 0; j < REPLY; j++) {
            double margin;
            const int64_t count = prompt_counts[i] + j;
            const int32_t wanted = greedy_by_forward(text, count, &margin);
            if (margin > 1e-3) {
                assert_int_equal(request.reply[j], wanted);
                compared++;
            }
            text[count] = request.reply[j];
        }
        assert_true(compared >= REPLY - 4);
        free(request.reply);
    }
}

static void stops_at_stop_tokens(void **state)
{
    (void)state;
    int32_t prompt[600];
    make_prompt(prompt, 3);
    struct generation_request request =
        request_of(prompt, 3, (struct sampling){0.0, 1.0, REPLY});
    run(&request, 1, 0);
    assert_false(request.stopped);
    int32_t *whole = request.reply;
    const int32_t stops[] = {VOCABULARY + 5, whole[9]};
    int64_t first = 0;
    while (whole[first] != whole[9])
        first++;
    request.stop_tokens = stops;
    request.stop_count = 2;
    run(&request, 1, 0);
    assert_true(request.stopped);
    assert_int_equal(request.reply_count, first);
    assert_memory_equal(request.reply, whole, (size_t)first * sizeof(int32_t));
    free(request.reply);
    free(whole);
}

static void ends_at_the_position_limit(void **state)
{
    (void)state;
    int32_t prompt[POSITIONS];
    for (int32_t i = 0; i < POSITIONS; i++)
        prompt[i] = i % VOCABULARY;
    struct generation_request request = {
        .prompt = prompt, .prompt_count = POSITIONS - 5, .sampling = {1.0, 1.0, 1000000}};
    run(&request, 1, 0);
    assert_int_equal(request.reply_count, 5);
    assert_false(request.stopped);
    free(request.reply);
}

struct endings {
    struct generation_request *requests;
    int64_t order[PROMPTS];
    int64_t count;
};

static void note_ending(void *context, struct generation_request *request)
{
    struct endings *endings = context;
    assert_non_null(request->reply);
    endings->order[endings->count++] = request - endings->requests;
}

static void reports_replies_as_they_end(void **state)
{
    (void)state;
    int32_t prompts[PROMPTS][600];
    struct generation_request requests[PROMPTS];
    struct endings endings = {.requests = requests};
    struct error error;
    for (int i = 0; i < PROMPTS; i++) {
        make_prompt(prompts[i], i);
        requests[i] = request_of(prompts[i], i, (struct sampling){0.0, 1.0, 20 - i});
    }
    assert_int_equal(
        generate(model, requests, PROMPTS, PROMPTS, note_ending, &endings, &error),
        STATUS_OK);
    assert_int_equal(endings.count, PROMPTS);
    for (int i = 0; i < PROMPTS; i++) {
        assert_int_equal(endings.order[i], PROMPTS - 1 - i);
        assert_int_equal(requests[i].reply_count, 20 - i);
        free(requests[i].reply);
    }
    assert_int_equal(generate(model, NULL, 0, 0, NULL, NULL, &error), STATUS_OK);
}

/* Adapters, with B drawn too: at zero nothing would show. */
static void adapters_take_part(void **state)
{
    const struct lora_options options = {
        .rank = 3, .alpha = 6, .targets = {true, true, true, true, true, true, true}};
    struct transformer *plain = model, *adapted;
    struct random random = random_stream(9, 9);
    struct error error;
    if (transformer_create(&adapted, backend, &architecture, 7, MASTERS_DROPPED, &error) ||
        transformer_lora_begin(adapted, &options, MASTERS_DROPPED, &error))
        fail_msg("%s", error.message);
    const struct parameter_block *block = transformer_trained(adapted);
    for (int64_t i = 0; i < block->count; i++)
        ((float *)block->weights)[i] += 0.2f * random_normal(&random);
    model = adapted;
    cache_equals_full_forward(state);
    together_equals_alone((struct sampling){0.8, 0.9, REPLY});
    model = plain;
    transformer_free(adapted);
}

/* Bytes of a page: keys and values of 16 positions, 3 layers, 2 heads of 10, f32. */
enum { PAGE_BYTES = 2 * 16 * 3 * 2 * 10 * 4 };

/* Pages enough for the longest request (600 + 3 - 1 positions) and padding, and no more:
 * the others wait, take turns, and use pages again that were another's. */
static void small_caches_change_nothing(void **state)
{
    enum { ROUNDS = 3, COUNT = ROUNDS * PROMPTS };
    int32_t prompts[PROMPTS][600];
    struct generation_request alone[PROMPTS], requests[COUNT];
    static const int64_t page_counts[] = {39, 40, 47};
    static const int64_t batch_limits[] = {0, 3, 1};
    struct error error = {0};
    (void)state;
    for (int i = 0; i < PROMPTS; i++) {
        make_prompt(prompts[i], i);
        alone[i] = request_of(prompts[i], i, (struct sampling){0.9, 0.95, 3 * (7 - i)});
        run(&alone[i], 1, 0);
    }
    for (int round = 0; round < 3; round++) {
        const struct generation_limits limits = {
            batch_limits[round], (size_t)page_counts[round] * PAGE_BYTES + 5};
        for (int i = 0; i < COUNT; i++)
            requests[i] =
                request_of(prompts[i % PROMPTS], i % PROMPTS, alone[i % PROMPTS].sampling);
        if (generate_within(model, requests, COUNT, &limits, NULL, NULL, &error))
            fail_msg("%s", error.message);
        for (int i = 0; i < COUNT; i++) {
            const struct generation_request *wanted = &alone[i % PROMPTS];
            assert_int_equal(requests[i].reply_count, wanted->reply_count);
            assert_memory_equal(requests[i].reply, wanted->reply,
                                (size_t)wanted->reply_count * sizeof(int32_t));
            free(requests[i].reply);
        }
    }
    for (int i = 0; i < PROMPTS; i++)
        free(alone[i].reply);
}

/* Counts the rows that go into a layer of the cache. */
static const struct operation_table *untaped;
static struct operation_table taped;
static int64_t rows_written;

static void write_and_count(struct backend *b, struct key_value_cache_layer *cache,
                            const struct tensor *qkv, const int32_t *rows,
                            const struct attention_shape *shape)
{
    rows_written += qkv->shape[0];
    untaped->cache_write(b, cache, qkv, rows, shape);
}

static int64_t rows_of_run(struct generation_request *requests, int64_t count,
                           int64_t batch_limit)
{
    untaped = backend->table;
    taped = *untaped;
    taped.cache_write = write_and_count;
    rows_written = 0;
    backend->table = &taped;
    run(requests, count, batch_limit);
    backend->table = untaped;
    return rows_written / architecture.layer_count;
}

/* A system prompt of 100 tokens, and questions that leave it, or one another, at these
 * positions: around the ends of pages of 16. */
enum { ALIKE = 12, ALIKE_LENGTH = 120 };
static const int64_t leaves_at[ALIKE] = {120, 120, 100, 15, 16,  17,
                                         95,  96,  97,  0,  119, 111};

static void make_alike(int32_t prompts[ALIKE][ALIKE_LENGTH])
{
    struct random random = random_stream(23, 1);
    for (int64_t t = 0; t < ALIKE_LENGTH; t++)
        prompts[0][t] = (int32_t)random_below(&random, VOCABULARY);
    for (int i = 1; i < ALIKE; i++) {
        memcpy(prompts[i], prompts[0], sizeof prompts[0]);
        for (int64_t t = leaves_at[i]; t < ALIKE_LENGTH; t++)
            prompts[i][t] = (prompts[0][t] + i) % VOCABULARY;
    }
}

static struct generation_request alike_of(int32_t prompts[ALIKE][ALIKE_LENGTH], int index)
{
    return (struct generation_request){
        .prompt = prompts[index],
        .prompt_count = ALIKE_LENGTH,
        .seed = 5,
        .stream = (uint64_t)index,
        .sampling = {0.9, 0.95, 3 + 5 * (index % 4)},
    };
}

/* Replies are those of each prompt alone, whether its beginning was computed for it or for
 * another one; which of both it was shows in the rows that were computed. */
static void alike_equals_alone(int64_t shared_pages)
{
    static const int64_t batch_limits[] = {0, 5, 2, 1};
    int32_t prompts[ALIKE][ALIKE_LENGTH];
    struct generation_request alone[ALIKE], together[ALIKE];
    int64_t rows_alone = 0;
    make_alike(prompts);
    for (int i = 0; i < ALIKE; i++) {
        alone[i] = alike_of(prompts, i);
        rows_alone += rows_of_run(&alone[i], 1, 0);
    }
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < ALIKE; i++)
            together[i] = alike_of(prompts, i);
        const int64_t rows = rows_of_run(together, ALIKE, batch_limits[round]);
        if (batch_limits[round] == 0)
            assert_int_equal(rows_alone - rows, 16 * shared_pages);
        if (batch_limits[round] == 1)
            assert_int_equal(rows, rows_alone);
        for (int i = 0; i < ALIKE; i++) {
            assert_int_equal(together[i].reply_count, alone[i].reply_count);
            assert_memory_equal(together[i].reply, alone[i].reply,
                                (size_t)alone[i].reply_count * sizeof(int32_t));
            free(together[i].reply);
        }
    }
    for (int i = 0; i < ALIKE; i++)
        free(alone[i].reply);
}

static void prompts_that_begin_alike(void **state)
{
    (void)state; /* 119 rows before the last token: 7 pages of 16 */
    alike_equals_alone(7 + 6 + 0 + 1 + 1 + 5 + 6 + 6 + 0 + 7 + 6);
}

/*
 * What a running sequence has decoded, its prompt's last token first, is not shared: those
 * keys are those of a prefill but for the last bits. The third request waits for the second
 * one's end, and its prompt is the first one's prompt and reply, and more.
 */
static void decoded_tokens_are_not_shared(void **state)
{
    int32_t prompt[ALIKE_LENGTH];
    struct generation_request first, together[3];
    int64_t rows_apart = 0;
    (void)state;
    for (int64_t t = 0; t < ALIKE_LENGTH; t++)
        prompt[t] = (int32_t)(t * t % VOCABULARY);
    first = (struct generation_request){
        .prompt = prompt, .prompt_count = 32, .sampling = {0.0, 1.0, 40}};
    rows_apart += rows_of_run(&first, 1, 0);
    memcpy(prompt + 32, first.reply, 40 * sizeof *prompt);
    together[0] = together[1] = together[2] = first;
    together[1].prompt = prompt + 80;
    together[1].sampling.token_limit = 39;
    together[2].prompt_count = ALIKE_LENGTH;
    for (int i = 0; i < 3; i++) {
        together[i].reply = NULL;
        together[i].reply_count = 0;
    }
    for (int i = 1; i < 3; i++) {
        struct generation_request alone = together[i];
        rows_apart += rows_of_run(&alone, 1, 0);
        free(alone.reply);
    }
    assert_int_equal(rows_apart - rows_of_run(together, 3, 2), 16); /* of 31 */
    for (int i = 0; i < 3; i++)
        free(together[i].reply);
    free(first.reply);
}

/* With ROPE_LONG, what one sequence makes again as it grows is not another one's. */
static void alike_prompts_that_lengthen(void **state)
{
    struct architecture longer = architecture;
    struct transformer *plain = model;
    struct error error;
    longer.rope_kind = ROPE_LONG;
    longer.rope_original_limit = 126; /* passed by replies of 8 tokens, not by those of 3 */
    for (int i = 0; i < ROPE_FACTORS; i++) {
        longer.rope_short[i] = 1.0;
        longer.rope_long[i] = 3.0;
    }
    if (transformer_create(&model, backend, &longer, 7, MASTERS_DROPPED, &error))
        fail_msg("%s", error.message);
    (void)state;
    alike_equals_alone(1 + 6); /* of 4 and 8: 0, too, does not grow so far */
    transformer_free(model);
    model = plain;
}

static void refuses_a_cache_that_is_too_small(void **state)
{
    const int32_t prompt[40] = {0};
    /* 40 + 9 - 1 positions: three pages, and the padding's */
    struct generation_request requests[2] = {
        {.prompt = prompt, .prompt_count = 1, .sampling = {0.0, 1.0, 4}},
        {.prompt = prompt, .prompt_count = 40, .sampling = {0.0, 1.0, 9}}};
    struct generation_limits limits = {.cache_bytes = 4 * PAGE_BYTES - 1};
    struct error error = {0};
    (void)state;
    assert_int_equal(generate_within(model, requests, 2, &limits, NULL, NULL, &error),
                     STATUS_MEMORY);
    assert_non_null(strstr(error.message, "32 tokens, but prompt 1 and its reply"));
    assert_non_null(strstr(error.message, "may have 48"));
    assert_null(requests[0].reply); /* nothing ran */
    limits.cache_bytes++;
    assert_int_equal(generate_within(model, requests, 2, &limits, NULL, NULL, &error),
                     STATUS_OK);
    assert_int_equal(requests[0].reply_count, 4);
    assert_int_equal(requests[1].reply_count, 9);
    free(requests[0].reply);
    free(requests[1].reply);
}

static void refuse(struct generation_request request, enum status status, const char *words)
{
    const int32_t good_prompt[] = {1};
    struct generation_request requests[2] = {
        {.prompt = good_prompt, .prompt_count = 1, .sampling = {0.0, 1.0, 4}}, request};
    struct error error;
    assert_int_equal(generate(model, requests, 2, 0, NULL, NULL, &error), status);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
    assert_null(requests[0].reply); /* nothing ran */
    assert_null(requests[1].reply);
}

static void refuses_bad_requests(void **state)
{
    (void)state;
    int32_t prompt[POSITIONS] = {0};
    const struct generation_request good = {
        .prompt = prompt, .prompt_count = 3, .sampling = {0.0, 1.0, 4}};
    struct generation_request bad = good;
    bad.prompt_count = 0;
    refuse(bad, STATUS_FORMAT, "prompt 1 is empty");
    bad.prompt_count = POSITIONS;
    refuse(bad, STATUS_LIMIT, "700 tokens");
    bad = good;
    bad.sampling.temperature = -0.5;
    refuse(bad, STATUS_USAGE, "temperature -0.5");
    bad.sampling.temperature = (double)NAN;
    refuse(bad, STATUS_USAGE, "temperature");
    bad = good;
    bad.sampling.top_p = 0.0;
    refuse(bad, STATUS_USAGE, "top-p 0");
    bad.sampling.top_p = 1.5;
    refuse(bad, STATUS_USAGE, "top-p 1.5");
    bad = good;
    bad.sampling.token_limit = 0;
    refuse(bad, STATUS_USAGE, "0 new tokens");
    prompt[2] = VOCABULARY;
    refuse(good, STATUS_FORMAT, "token 131");
    prompt[2] = -1;
    refuse(good, STATUS_FORMAT, "token -1");
}

/* Last: it breaks the weights. What has ended before is reported all the same. */
static void reports_broken_weights(void **state)
{
    static const int32_t prompts[][2] = {{1, 1}, {1, 2}};
    struct generation_request requests[2];
    struct endings endings = {.requests = requests};
    const struct tensor weights = transformer_weights(model);
    struct error error;
    (void)state;
    for (int i = 0; i < 2; i++)
        requests[i] = (struct generation_request){
            .prompt = prompts[i], .prompt_count = 2, .sampling = {0.0, 1.0, 1 + 3 * i}};
    ((float *)weights.data)[2 * 48] = NAN; /* the embedding of token 2 */
    assert_int_equal(generate(model, requests, 2, 1, note_ending, &endings, &error),
                     STATUS_FORMAT);
    assert_non_null(strstr(error.message, "not finite"));
    assert_int_equal(endings.count, 1);
    assert_int_equal(endings.order[0], 0);
    for (int i = 0; i < 2; i++)
        free(requests[i].reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_equals_alone_greedy),
        cmocka_unit_test(together_equals_alone_sampled),
        cmocka_unit_test(streams_make_attempts),
        cmocka_unit_test(cache_equals_full_forward),
        cmocka_unit_test(stops_at_stop_tokens),
        cmocka_unit_test(ends_at_the_position_limit),
        cmocka_unit_test(reports_replies_as_they_end),
        cmocka_unit_test(adapters_take_part),
        cmocka_unit_test(small_caches_change_nothing),
        cmocka_unit_test(prompts_that_begin_alike),
        cmocka_unit_test(decoded_tokens_are_not_shared),
        cmocka_unit_test(alike_prompts_that_lengthen),
        cmocka_unit_test(refuses_a_cache_that_is_too_small),
        cmocka_unit_test(refuses_bad_requests),
        cmocka_unit_test(reports_broken_weights),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
