/*
 * What an update must not do on a device: reserve memory, once a warm-up pass was made
 * (model/warm_up.h).
 */
#include "tests/gpu/gpu_fixture.h"

#include "model/transformer.h"
#include "model/warm_up.h"
#include "optim/adamw.h"

/* Logits of a full pack are more than what scratch is rounded up to (2 MiB). */
enum { T = 384, LONGEST = 128, VOCABULARY = 2048 };

static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 2,
    .channels = 64,
    .feed_forward = 96,
    .heads = 2,
    .key_value_heads = 1,
    .head_size = 32,
    .vocabulary = VOCABULARY,
    .position_limit = LONGEST,
    .norm_epsilon = 1e-5,
    .rope_theta = 10000.0,
    .initializer_range = 0.1,
    .bos_token = -1,
};

static struct transformer *model;
static struct adamw adamw;

static void check(enum status status, const struct error *error)
{
    if (status)
        fail_msg("%s: %s", case_text, error->message);
}

static void begin(bool recompute)
{
    struct backend *device = backends[DEVICE];
    struct error error = {0};
    check(transformer_create(&model, device, &architecture, 5, MASTERS_KEPT, &error),
          &error);
    check(transformer_training_begin(model, T, recompute, &error), &error);
    const struct adamw_range all = {0, transformer_trained(model)->count, true};
    check(adamw_init(&adamw, device, all.count, DTYPE_F32, &all, 1, &error), &error);
}

static void end(void)
{
    adamw_release(&adamw);
    transformer_free(model);
}

/* An update with documents of these lengths (the last is 0); every `every`th token is a
 * target. */
static void update(const int64_t *lengths, int64_t every)
{
    int32_t tokens[T], positions[T], targets[T], starts[T + 1] = {0};
    struct packed_batch batch = {.tokens = tokens,
                                 .positions = positions,
                                 .targets = targets,
                                 .document_starts = starts};
    const struct adamw_options options = {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};
    struct tensor weights = transformer_weights(model);
    struct tensor remainders = transformer_remainders(model);
    const struct tensor gradients = transformer_gradients(model);
    struct cross_entropy_sums sums;
    struct error error = {0};
    double norm;
    for (; *lengths > 0; lengths++) {
        for (int64_t i = 0; i < *lengths; i++) {
            const int64_t t = batch.token_count++;
            tokens[t] = (int32_t)(t * 31 % VOCABULARY);
            positions[t] = (int32_t)i;
            targets[t] = t % every ? -1 : (int32_t)(t * 7 % VOCABULARY);
            batch.target_count += targets[t] >= 0;
        }
        starts[++batch.document_count] = (int32_t)batch.token_count;
    }
    transformer_zero_gradients(model);
    transformer_forward_backward(model, &batch, 0.0f, 1.0f / (float)batch.target_count,
                                 &sums);
    check(adamw_step(&adamw, &weights, &remainders, &gradients, 1e-3, &options, &norm,
                     &error),
          &error);
}

static size_t bytes_free(void)
{
    size_t free_bytes, total_bytes;
    if (!backend_memory(backends[DEVICE], &free_bytes, &total_bytes))
        skip(); /* the CPU says nothing of its memory */
    return free_bytes;
}

static void reserve_nothing(void **state)
{
    static const int64_t packs[][6] = {{5},
                                       {LONGEST, LONGEST, LONGEST},
                                       {LONGEST, 1, 77, 50, LONGEST},
                                       {64, 64, 64, 64, 64}};
    struct cross_entropy_sums sums;
    (void)state;
    require(DTYPE_F32);
    bytes_free();
    for (int recompute = 0; recompute < (small ? 1 : 2); recompute++) {
        begin(recompute);
        transformer_warm_up(model, T, LONGEST, &sums);
        case_begin("warm-up");
        device_sync();
        update(packs[0], 1); /* the optimiser's code is loaded when it is first used */
        const size_t before = bytes_free();
        for (size_t i = 0; i < sizeof packs / sizeof *packs; i++)
            for (int64_t every = 1; every < (small ? 2 : 4); every++) {
                case_begin("pack %zu, every %dth token a target%s", i, (int)every,
                           recompute ? ", recomputed" : "");
                update(packs[i], every);
                assert_int_equal(bytes_free(), before);
            }
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
