#include "backend/sharding.h"
#include "base/memory.h"
#include "model/memory_plan.h"
#include "model/transformer.h"
#include "optim/adamw.h"
#include "tests/unit/ranks_fixture.h"

#include <math.h>

/*
 * Blocks and models that are shared out among ranks, each a process of its own, against
 * whole ones.
 */
struct ranks {
    struct backend *backend;
    struct collectives *collectives;
    struct process_group *group;
    int rank, size;
};

static bool ranks_begin(struct ranks *ranks, struct process_group *group)
{
    const struct backend_options options = {.thread_count = 1};
    *ranks = (struct ranks){.group = group,
                            .rank = process_group_rank(group),
                            .size = process_group_size(group)};
    EXPECT(!backend_open(&ranks->backend, &options, &error));
    EXPECT(!collectives_open(&ranks->collectives, ranks->backend, group, &error));
    return true;
}

static bool ranks_end(struct ranks *ranks)
{
    collectives_close(ranks->collectives);
    backend_close(ranks->backend);
    process_group_close(ranks->group, NULL);
    return true;
}

/* Units of no element, of fewer than there are ranks times 64, and of more. */
static const int64_t starts[] = {0, 130, 130, 131, 131 + 64, 131 + 64 + 1000};
enum { UNITS = sizeof starts / sizeof *starts - 1, ELEMENTS = 131 + 64 + 1000 };

/* Every element is held by one rank, and by none beyond the last. */
static bool runs_cover(struct ranks *ranks, const struct sharding *sharding)
{
    double held[ELEMENTS] = {0};
    for (int64_t unit = 0; unit < UNITS; unit++) {
        const struct held_run run = sharding_run(sharding, unit, 7, ELEMENTS - 9);
        EXPECT(run.count == 0 || run.place + run.count <= sharding_held_count(sharding));
        for (int64_t i = 0; i < run.count; i++)
            held[run.first + i] += 1;
    }
    EXPECT(!process_group_sum(ranks->group, held, ELEMENTS, &error));
    for (int i = 0; i < ELEMENTS; i++)
        EXPECT(held[i] == (i >= 7 && i < ELEMENTS - 2));
    return true;
}

/* held: element i of the block is i + 0.5 where it is held. */
static float *held_values(const struct sharding *sharding)
{
    const size_t count = (size_t)sharding_held_count(sharding);
    float *held = memory_allocate_array(count + 1, sizeof *held);
    for (int64_t unit = 0; unit < UNITS; unit++) {
        const struct held_run run = sharding_run(sharding, unit, 0, ELEMENTS);
        for (int64_t i = 0; i < run.count; i++)
            held[run.place + i] = (float)(run.first + i) + 0.5F;
    }
    return held;
}

static bool unit_gathers(struct ranks *ranks, const struct sharding *sharding, int64_t unit,
                         float *held)
{
    const int64_t count = sharding_unit_count(sharding, unit), start = starts[unit];
    const struct held_run own = sharding_run(sharding, unit, 0, ELEMENTS);
    float values[ELEMENTS] = {0}, host[ELEMENTS] = {0};
    struct tensor whole = tensor_view_1d(values, DTYPE_F32, count);
    EXPECT(!sharding_gather(sharding, unit, &whole, held, &error));
    for (int64_t i = 0; i < count; i++)
        EXPECT(values[i] == (float)(start + i) + 0.5F);
    memcpy(host, held + own.place, (size_t)own.count * sizeof *host);
    EXPECT(!sharding_gather_host(sharding, unit, host, sizeof *host, &error));
    for (int64_t i = 0; ranks->rank == 0 && i < count; i++)
        EXPECT(host[i] == values[i]);
    /* A second time into the same, as another batch does. */
    for (int round = 1; round <= 2; round++) {
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)(1 + ranks->rank);
        EXPECT(!sharding_reduce(sharding, unit, &whole, held, &error));
        for (int64_t i = 0; i < own.count; i++)
            EXPECT(held[own.place + i] ==
                   (float)(own.first + i) + 0.5F +
                       (float)(round * ranks->size * (ranks->size + 1)) / 2);
    }
    return true;
}

static bool units_gather(struct process_group *group, int rank)
{
    struct ranks ranks;
    struct sharding sharding;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    sharding_init(&sharding, ranks.collectives, starts, UNITS);
    EXPECT(sharding_block_count(&sharding) == ELEMENTS);
    EXPECT(sharding_longest(&sharding) == 1000);
    EXPECT(runs_cover(&ranks, &sharding));
    float *held = held_values(&sharding);
    for (int64_t unit = 0; unit < UNITS; unit++)
        EXPECT(unit_gathers(&ranks, &sharding, unit, held));
    free(held);
    sharding_release(&sharding);
    return ranks_end(&ranks);
}

static void test_units(void **state)
{
    (void)state;
    for (int size = 1; size <= 3; size++)
        assert_int_equal(ranks_run(size, units_gather), 0);
}

/* ---- 8-bit moments ---- */

/* Units begin at no multiple of 256, each but the first with what does not decay; two
 * matrices of codes side by side, small ones, and what does not decay on both sides of
 * where a unit begins. Their last unit has no code. */
enum { MOMENTS = 6001 + 13 + 4100 + 4500 + 100 + 37 + 21 + 5000 + 30, MOMENT_UNITS = 4 };
static const int64_t moment_starts[] = {0, 6001, 6001 + 13 + 4100 + 4500 + 100 + 37,
                                        MOMENTS - 30, MOMENTS};
static const struct adamw_range moment_ranges[] = {
    {0, 6001, true},     {6001, 13, false},   {6014, 4100, true},
    {10114, 4500, true}, {14614, 100, true},  {14714, 37, false},
    {14751, 21, false},  {14772, 5000, true}, {19772, 30, false}};
enum { MOMENT_RANGES = sizeof moment_ranges / sizeof *moment_ranges };

static const struct adamw_options moment_options = {
    .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1};

/* `step` 0: weights; else gradients. */
static float moment_value(int64_t index, int step)
{
    return sinf((float)(index % 997) * 0.1F + (float)step) * (index % 3 ? 1e-3F : 1.0F);
}

static bool moments_step(struct adamw *adamw, float *weights, float *gradients,
                         int64_t count)
{
    struct tensor none = tensor_view_1d(NULL, DTYPE_I16, count);
    struct tensor w = tensor_view_1d(weights, DTYPE_F32, count);
    const struct tensor g = tensor_view_1d(gradients, DTYPE_F32, count);
    double norm;
    EXPECT(!adamw_step(adamw, &w, &none, &g, 0.01, &moment_options, &norm, &error));
    return true;
}

/* Arrays gathered from all ranks are those of one process, bit by bit. */
static bool arrays_equal(struct ranks *ranks, struct adamw *shared,
                         const struct adamw *whole, enum adamw_array array)
{
    const size_t each = dtype_bytes(adamw_array_dtype(whole, array));
    const int64_t count = adamw_array_count(whole, array);
    const char *wanted = adamw_array_data(&whole->moment2, array);
    char *got = memory_allocate((size_t)count * each);
    EXPECT(count > 0 && adamw_array_count(shared, array) == count);
    for (int64_t unit = 0; unit < MOMENT_UNITS; unit++) {
        const int64_t start = adamw_array_start(shared, array, unit);
        EXPECT(!adamw_gather_array(shared, &shared->moment2, array, unit,
                                   ranks->rank ? NULL : got + (size_t)start * each,
                                   &error));
    }
    EXPECT(ranks->rank || !memcmp(got, wanted, (size_t)count * each));
    free(got);
    return true;
}

/* Weights of one process and what is held of them by several, after three updates. */
static bool moments_equal(struct ranks *ranks, struct adamw *whole, struct adamw *shared,
                          const struct sharding *sharding)
{
    const size_t held_count = (size_t)sharding_held_count(sharding) + 1;
    float *weights = memory_allocate_array(MOMENTS, sizeof *weights);
    float *gradients = memory_allocate_array(MOMENTS, sizeof *gradients);
    float *held = memory_allocate_array(held_count, sizeof *held);
    float *held_gradients = memory_allocate_array(held_count, sizeof *held_gradients);
    for (int step = 0; step <= 3; step++) {
        for (int64_t i = 0; i < MOMENTS; i++)
            (step ? gradients : weights)[i] = moment_value(i, step);
        for (int64_t unit = 0; unit < MOMENT_UNITS; unit++) {
            const struct held_run run = sharding_run(sharding, unit, 0, MOMENTS);
            for (int64_t i = 0; i < run.count; i++)
                (step ? held_gradients : held)[run.place + i] =
                    moment_value(run.first + i, step);
        }
        EXPECT(!step || moments_step(whole, weights, gradients, MOMENTS));
        EXPECT(!step ||
               moments_step(shared, held, held_gradients, sharding_held_count(sharding)));
    }
    for (int64_t unit = 0; unit < MOMENT_UNITS; unit++) {
        const struct held_run run = sharding_run(sharding, unit, 0, MOMENTS);
        EXPECT(!memcmp(held + run.place, weights + run.first,
                       (size_t)run.count * sizeof *held));
    }
    for (enum adamw_array array = 0; array < ADAMW_ARRAYS; array++)
        EXPECT(arrays_equal(ranks, shared, whole, array));
    free(weights);
    free(gradients);
    free(held);
    free(held_gradients);
    return true;
}

static bool moments_shared(struct process_group *group, int rank)
{
    struct ranks ranks;
    struct sharding sharding;
    struct adamw whole, shared;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    sharding_init(&sharding, ranks.collectives, moment_starts, MOMENT_UNITS);
    EXPECT(!adamw_init(&whole, ranks.backend, MOMENTS, DTYPE_U8, moment_ranges,
                       MOMENT_RANGES, &error));
    EXPECT(!adamw_init_sharded(&shared, ranks.backend, &sharding, DTYPE_U8, moment_ranges,
                               MOMENT_RANGES, &error));
    EXPECT(moments_equal(&ranks, &whole, &shared, &sharding));
    adamw_release(&whole);
    adamw_release(&shared);
    sharding_release(&sharding);
    return ranks_end(&ranks);
}

static void test_moments(void **state)
{
    (void)state;
    for (int size = 1; size <= 4; size++)
        assert_int_equal(ranks_run(size, moments_shared), 0);
}

/* ---- Models ---- */

enum { T = 23, VOCABULARY = 30 };

static struct architecture small(bool tied)
{
    return (struct architecture){
        .model_type = "llama",
        .layer_count = 3,
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

static bool model_begin(struct transformer **model, struct ranks *ranks, bool shared,
                        const struct architecture *architecture, bool recompute)
{
    EXPECT(!transformer_create_sharded(model, ranks->backend,
                                       shared ? ranks->collectives : NULL, architecture, 5,
                                       MASTERS_KEPT, &error));
    EXPECT(!transformer_training_begin(*model, T, recompute, &error));
    transformer_zero_gradients(*model);
    return true;
}

/* What is held of weights and gradients is `times` that of the whole model, bit by bit. */
static bool held_equal(const struct transformer *shared, const struct transformer *whole,
                       float times)
{
    const struct sharding *sharding = transformer_trained_sharding(shared);
    const struct tensor weights = transformer_weights(shared),
                        w = transformer_weights(whole),
                        gradients = transformer_gradients(shared),
                        g = transformer_gradients(whole);
    bool any = false;
    for (int64_t unit = 0; unit < sharding->unit_count; unit++) {
        const struct held_run run =
            sharding_run(sharding, unit, 0, sharding_block_count(sharding));
        for (int64_t i = 0; i < run.count; i++) {
            const int64_t held = run.place + i, at = run.first + i;
            const float gradient = ((const float *)g.data)[at];
            EXPECT(((float *)weights.data)[held] == ((float *)w.data)[at]);
            EXPECT(((float *)gradients.data)[held] == times * gradient);
            any |= gradient != 0;
        }
    }
    EXPECT(any);
    return true;
}

/*
 * All ranks bring the same batch, or all but the first nothing: their sum is a power of two
 * of the gradients of one, whatever is rounded.
 */
static bool model_equal(struct ranks *ranks, const struct architecture *architecture,
                        bool recompute, bool idle)
{
    struct transformer *whole, *shared;
    struct cross_entropy_sums sums, shared_sums;
    EXPECT(model_begin(&whole, ranks, false, architecture, recompute));
    EXPECT(model_begin(&shared, ranks, true, architecture, recompute));
    EXPECT(transformer_is_sharded(shared) && !transformer_is_sharded(whole));
    pass(whole, &sums);
    if (idle && ranks->rank > 0)
        transformer_idle_pass(shared, true);
    else
        pass(shared, &shared_sums);
    EXPECT(!backend_sync(ranks->backend, &error));
    if (!idle || ranks->rank == 0)
        EXPECT(sums.loss == shared_sums.loss && sums.nll == shared_sums.nll);
    EXPECT(held_equal(shared, whole, idle ? 1 : (float)ranks->size));
    transformer_free(whole);
    transformer_free(shared);
    return true;
}

static bool models_equal(struct process_group *group, int rank)
{
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    for (int variant = 0; variant < 8; variant++) {
        const struct architecture architecture = small(variant & 1);
        EXPECT(model_equal(&ranks, &architecture, variant & 2, variant & 4));
    }
    return ranks_end(&ranks);
}

static void test_models(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(1, models_equal), 0);
    assert_int_equal(ranks_run(2, models_equal), 0);
    assert_int_equal(ranks_run(4, models_equal), 0);
}

/* What the plan says is what is reserved, but for the places between shards. */
static bool plan_holds(struct process_group *group, int rank)
{
    struct ranks ranks;
    (void)rank;
    EXPECT(ranks_begin(&ranks, group));
    for (int tied = 0; tied < 2; tied++) {
        const struct architecture architecture = small(tied);
        const struct training_shape shape = {.dtype = DTYPE_F32,
                                             .moments = DTYPE_F32,
                                             .ranks = ranks.size,
                                             .sharded = true,
                                             .token_count = T};
        const struct memory_plan plan = memory_plan_make(&architecture, &shape);
        const size_t planned =
            plan.weights + plan.masters + plan.gradients + plan.activations;
        const size_t units = (size_t)architecture.layer_count + 2;
        struct transformer *model;
        EXPECT(model_begin(&model, &ranks, true, &architecture, false));
        const size_t rope = T * (size_t)architecture.head_size * sizeof(float);
        const size_t bytes = transformer_bytes(model) - rope;
        /* A rank may have 256 elements of a unit more or fewer, and a place of them. */
        const size_t most = 2 * units * 256 * 2 * sizeof(float);
        EXPECT(bytes < planned + most && planned < bytes + most);
        transformer_free(model);
    }
    return ranks_end(&ranks);
}

static void test_plan(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(2, plan_holds), 0);
}

/* A rank that dies in the middle of a pass: an error with its name, and no hang. */
static bool a_rank_dies(struct process_group *group, int rank)
{
    struct ranks ranks;
    struct transformer *model;
    struct cross_entropy_sums sums;
    const struct architecture architecture = small(true);
    EXPECT(ranks_begin(&ranks, group));
    EXPECT(model_begin(&model, &ranks, true, &architecture, false));
    EXPECT(!process_group_barrier(group, &error));
    usleep(100000); /* all are past the barrier */
    if (rank == 1)
        raise(SIGKILL);
    pass(model, &sums);
    EXPECT(backend_sync(ranks.backend, &error) == STATUS_IO);
    EXPECT(strstr(error.message, "rank 1 on "));
    struct error again = {0};
    struct tensor gradients = transformer_gradients(model);
    EXPECT(collectives_reduce_scatter(ranks.collectives, &gradients, 0, &again) ==
           STATUS_IO);
    EXPECT(strcmp(again.message, error.message) == 0);
    transformer_free(model);
    collectives_close(ranks.collectives);
    backend_close(ranks.backend);
    process_group_close(group, error.message);
    return true;
}

static void test_a_rank_dies(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(3, a_rank_dies), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),       cmocka_unit_test(test_moments),
        cmocka_unit_test(test_models),      cmocka_unit_test(test_plan),
        cmocka_unit_test(test_a_rank_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
