#include "base/memory.h"
#include "model/transformer.h"
#include "tests/gpu/gpu_ranks.h"

#include <math.h>

/*
 * A model that is shared out against a whole one, on one GPU (a rank that shares with
 * itself: all but the network) and on two.
 */
enum { T = 23, VOCABULARY = 30 };

static struct architecture small(bool tied)
{
    return (struct architecture){
        .model_type = "llama",
        .layer_count = 3,
        .channels = 64,
        .feed_forward = 96,
        .heads = 4,
        .key_value_heads = 2,
        .head_size = 16,
        .vocabulary = VOCABULARY,
        .position_limit = 64,
        .norm_epsilon = 1e-5,
        .rope_theta = 10000.0,
        .initializer_range = 0.3,
        .tied_embeddings = tied,
        .bos_token = -1,
    };
}

/* Two documents, some targets. No token comes twice: the gradient of a tied embedding is
 * then the same two numbers, in whatever order. */
static void pass(struct transformer *model, struct cross_entropy_sums *sums)
{
    int32_t tokens[T], positions[T], targets[T], document_starts[] = {0, 9, T};
    struct packed_batch batch = {.token_count = T,
                                 .document_count = 2,
                                 .tokens = tokens,
                                 .positions = positions,
                                 .targets = targets,
                                 .document_starts = document_starts};
    for (int32_t t = 0; t < T; t++) {
        tokens[t] = t * 7 % VOCABULARY;
        positions[t] = t < 9 ? t : t - 9;
        targets[t] = t % 3 ? t * 11 % VOCABULARY : -1;
        batch.target_count += targets[t] >= 0;
    }
    transformer_forward_backward(model, &batch, 0.1F, 0.25F, sums);
}

/* [count] of a device's floats, on the host. */
static float *fetched(struct backend *backend, const struct tensor *tensor)
{
    float *host = memory_allocate(tensor_bytes(tensor));
    CHECK(tensor->dtype == DTYPE_F32);
    backend_copy_out(backend, host, tensor->data, tensor_bytes(tensor));
    return backend_sync(backend, &error) ? NULL : host;
}

/* Held gradients are `times` those of the whole model, but for the order of sums in
 * products whose operands lie elsewhere: 1e-5 of the greatest, at T = 23 summands. */
static bool held_equal(struct backend *backend, const struct transformer *shared,
                       const struct transformer *whole, float times)
{
    const struct sharding *sharding = transformer_trained_sharding(shared);
    const struct tensor some = transformer_gradients(shared),
                        all = transformer_gradients(whole);
    float *held = fetched(backend, &some), *g = fetched(backend, &all);
    float most = 0;
    EXPECT(held && g);
    for (int64_t i = 0; i < tensor_count(&all); i++)
        most = fmaxf(most, fabsf(g[i]));
    EXPECT(most > 0);
    for (int64_t unit = 0; unit < sharding->unit_count; unit++) {
        const struct held_run run =
            sharding_run(sharding, unit, 0, sharding_block_count(sharding));
        for (int64_t i = 0; i < run.count; i++)
            EXPECT(fabsf(held[run.place + i] - times * g[run.first + i]) <=
                   1e-5F * times * most);
    }
    free(held);
    free(g);
    return true;
}

static bool model_begin(struct transformer **model, struct ranks *ranks, bool shared,
                        const struct architecture *architecture)
{
    EXPECT(!transformer_create_sharded(model, ranks->backend,
                                       shared ? ranks->collectives : NULL, architecture, 5,
                                       MASTERS_KEPT, &error));
    EXPECT(!transformer_training_begin(*model, T, true, &error));
    transformer_zero_gradients(*model);
    return true;
}

/* Every rank brings the same batch. */
static bool models_equal(struct process_group *group, int rank)
{
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    for (int tied = 0; tied < 2; tied++) {
        const struct architecture architecture = small(tied);
        struct transformer *whole, *shared;
        struct cross_entropy_sums sums, shared_sums;
        EXPECT(model_begin(&whole, &ranks, false, &architecture));
        EXPECT(model_begin(&shared, &ranks, true, &architecture));
        pass(whole, &sums);
        pass(shared, &shared_sums);
        EXPECT(!collectives_wait(ranks.collectives, &error));
        EXPECT(!backend_sync(ranks.backend, &error));
        EXPECT(fabs(sums.loss - shared_sums.loss) <= 1e-5 * fabs(sums.loss));
        EXPECT(held_equal(ranks.backend, shared, whole, (float)process_group_size(group)));
        transformer_free(whole);
        transformer_free(shared);
    }
    EXPECT(!process_group_barrier(group, &error));
    ranks_end(&ranks);
    return true;
}

static void test_alone(void **state)
{
    (void)state;
    require_devices(1);
    assert_int_equal(ranks_run(1, models_equal), 0);
}

static void test_two(void **state)
{
    (void)state;
    require_devices(2);
    assert_int_equal(ranks_run(2, models_equal), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
