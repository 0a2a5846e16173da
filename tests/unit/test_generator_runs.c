/* What a run of generation reserves, no more than the prompts that can begin at once; and
 * when it reports replies: while the device is in the next step. */
#include "backend/operation_table.h"
#include "model/generator.h"
#include "model/transformer_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PROMPTS = 7 };

static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 1,
    .channels = 12,
    .feed_forward = 20,
    .heads = 4,
    .key_value_heads = 2,
    .head_size = 6,
    .vocabulary = 30,
    .position_limit = 64,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000.0,
    .initializer_range = 0.3,
    .bos_token = -1,
};

static void open_model(struct backend **backend, struct transformer **model)
{
    struct error error;
    if (backend_open(backend, &(struct backend_options){.thread_count = 1}, &error) ||
        transformer_create(model, *backend, &architecture, 7, MASTERS_DROPPED, &error))
        fail_msg("%s", error.message);
}

enum { FEW = 5, LENGTH = 10 };

/* Rows of the activations after a run. */
static int64_t rows_with(int64_t batch)
{
    static const int32_t prompt[LENGTH] = {1, 2, 3};
    struct generation_request requests[FEW];
    struct backend *backend;
    struct transformer *model;
    struct error error;
    open_model(&backend, &model);
    for (int i = 0; i < FEW; i++)
        requests[i] = (struct generation_request){
            .prompt = prompt, .prompt_count = LENGTH, .sampling = {0.0, 1.0, 3}};
    assert_int_equal(generate(model, requests, FEW, batch, NULL, NULL, &error), 0);
    const int64_t rows = model->inference.token_count;
    for (int i = 0; i < FEW; i++) {
        assert_int_equal(requests[i].reply_count, 3);
        free(requests[i].reply);
    }
    transformer_free(model);
    backend_close(backend);
    return rows;
}

static void smaller_batches_take_fewer_rows(void **state)
{
    (void)state;
    assert_int_equal(rows_with(0), FEW * LENGTH);
    assert_int_equal(rows_with(2), 2 * LENGTH);
    assert_int_equal(rows_with(1), LENGTH);
}

/* Steps that were begun, and that were waited for. */
static const struct operation_table *untaped;
static int64_t steps_begun, steps_ended, beside_a_step, alone;

static void sample_and_count(struct backend *b, int32_t *sampled, struct tensor *logits,
                             const struct sampling_rows *rows)
{
    steps_begun++;
    untaped->sample_tokens(b, sampled, logits, rows);
}

static void sync_and_count(struct backend *b)
{
    steps_ended = steps_begun;
    untaped->sync(b);
}

static void look_for_a_step(void *context, struct generation_request *request)
{
    (void)context;
    (void)request;
    if (steps_begun > steps_ended)
        beside_a_step++;
    else
        alone++;
}

/* Replies of 1 to 4 tokens, three at a time: the one that ends last has no step beside it.
 */
static void beside_the_next_step(void **state)
{
    static const int32_t prompt[] = {1, 2, 3};
    struct generation_request requests[PROMPTS];
    struct backend *backend;
    struct transformer *model;
    struct error error;
    (void)state;
    for (int i = 0; i < PROMPTS; i++)
        requests[i] = (struct generation_request){.prompt = prompt,
                                                  .prompt_count = 3,
                                                  .stream = (uint64_t)i,
                                                  .sampling = {1.0, 1.0, 1 + i / 2}};
    open_model(&backend, &model);
    untaped = backend->table;
    struct operation_table taped = *untaped;
    taped.sample_tokens = sample_and_count;
    taped.sync = sync_and_count;
    backend->table = &taped;
    const enum status status =
        generate(model, requests, PROMPTS, 3, look_for_a_step, NULL, &error);
    backend->table = untaped;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(beside_a_step, PROMPTS - 1);
    assert_int_equal(alone, 1);
    for (int i = 0; i < PROMPTS; i++)
        free(requests[i].reply);
    transformer_free(model);
    backend_close(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smaller_batches_take_fewer_rows),
        cmocka_unit_test(beside_the_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
