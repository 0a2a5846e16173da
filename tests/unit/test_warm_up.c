/* A pass that changes nothing: gradients of zero, and the next update as without it. */
#include "base/memory.h"
#include "model/warm_up.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { T = 24, VOCABULARY = 30 };

static struct backend *backend;

static int begin(void **state)
{
    (void)state;
    return (int)backend_open(&backend, &(struct backend_options){.thread_count = 2}, NULL);
}

static int end(void **state)
{
    (void)state;
    backend_close(backend);
    return 0;
}

static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 2,
    .channels = 12,
    .feed_forward = 20,
    .heads = 4,
    .key_value_heads = 2,
    .head_size = 6,
    .vocabulary = VOCABULARY,
    .position_limit = 64,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000.0,
    .initializer_range = 0.3,
    .bos_token = -1,
};
static const struct lora_options lora = {
    .rank = 2, .alpha = 4, .targets = {true, true, true, true, true, true, true}};

static struct transformer *create(bool adapted, bool recompute)
{
    struct transformer *model;
    struct error error;
    if (transformer_create(&model, backend, &architecture, 5, MASTERS_KEPT, &error) ||
        (adapted && transformer_lora_begin(model, &lora, MASTERS_KEPT, &error)) ||
        transformer_training_begin(model, T, recompute, &error))
        fail_msg("%s", error.message);
    return model;
}

/* Two documents; returns a copy of the gradients. */
static float *gradients_of(struct transformer *model, double *loss)
{
    int32_t tokens[T], positions[T], targets[T], starts[] = {0, 9, T};
    const struct packed_batch batch = {.token_count = T,
                                       .document_count = 2,
                                       .target_count = T,
                                       .tokens = tokens,
                                       .positions = positions,
                                       .targets = targets,
                                       .document_starts = starts};
    struct cross_entropy_sums sums;
    for (int32_t t = 0; t < T; t++) {
        tokens[t] = t * 7 % VOCABULARY;
        positions[t] = t < 9 ? t : t - 9;
        targets[t] = t * 11 % VOCABULARY;
    }
    transformer_zero_gradients(model);
    transformer_forward_backward(model, &batch, 0.1f, 0.25f, &sums);
    assert_int_equal(backend_sync(backend, NULL), STATUS_OK);
    *loss = sums.loss;
    const struct tensor gradients = transformer_gradients(model);
    float *copy = memory_allocate(tensor_bytes(&gradients));
    memcpy(copy, gradients.data, tensor_bytes(&gradients));
    return copy;
}

static void expect_zero_gradients(const struct transformer *model)
{
    const struct tensor gradients = transformer_gradients(model);
    const float *values = gradients.data;
    for (int64_t i = 0; i < tensor_count(&gradients); i++)
        assert_true(values[i] == 0.0f);
}

static void nothing_changes_with(bool adapted, bool recompute)
{
    static const int64_t longest[] = {1, 5, 8, T - 1, T};
    double loss, again;
    struct transformer *model = create(adapted, recompute);
    float *wanted = gradients_of(model, &loss);
    transformer_free(model);
    model = create(adapted, recompute);
    const struct tensor gradients = transformer_gradients(model);
    for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        struct cross_entropy_sums sums = {0};
        transformer_warm_up(model, T, longest[i], &sums);
        assert_int_equal(backend_sync(backend, NULL), STATUS_OK);
        assert_true(sums.nll > (T - 1) * 0.1); /* T - 1 targets were looked at */
        expect_zero_gradients(model);
    }
    float *found = gradients_of(model, &again);
    assert_true(loss == again);
    assert_memory_equal(found, wanted, tensor_bytes(&gradients));
    free(found);
    free(wanted);
    transformer_free(model);
}

static void nothing_changes(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++)
        nothing_changes_with(variant & 1, variant > 1);
}

/* A pack of a single token. */
static void one_token(void **state)
{
    struct cross_entropy_sums sums = {0};
    struct transformer *model = create(false, false);
    (void)state;
    transformer_warm_up(model, 1, 1, &sums);
    assert_int_equal(backend_sync(backend, NULL), STATUS_OK);
    expect_zero_gradients(model);
    transformer_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_changes),
                                       cmocka_unit_test(one_token)};
    return cmocka_run_group_tests(tests, begin, end);
}
