/* What generation reserves: no more than the prompts that can begin at once. */
#include "model/generator.h"
#include "model/transformer_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PROMPTS = 5, LENGTH = 10 };

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

/* Rows of the activations after a run. */
static int64_t rows_with(int64_t batch)
{
    static const int32_t prompt[LENGTH] = {1, 2, 3};
    struct generation_request requests[PROMPTS];
    struct backend *backend;
    struct transformer *model;
    struct error error;
    assert_int_equal(
        backend_open(&backend, &(struct backend_options){.thread_count = 1}, &error), 0);
    assert_int_equal(
        transformer_create(&model, backend, &architecture, 7, MASTERS_DROPPED, &error), 0);
    for (int i = 0; i < PROMPTS; i++)
        requests[i] = (struct generation_request){
            .prompt = prompt, .prompt_count = LENGTH, .sampling = {0.0, 1.0, 3}};
    assert_int_equal(generate(model, requests, PROMPTS, batch, NULL, NULL, &error), 0);
    const int64_t rows = model->inference.token_count;
    for (int i = 0; i < PROMPTS; i++) {
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
    assert_int_equal(rows_with(0), PROMPTS * LENGTH);
    assert_int_equal(rows_with(2), 2 * LENGTH);
    assert_int_equal(rows_with(1), LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smaller_batches_take_fewer_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
