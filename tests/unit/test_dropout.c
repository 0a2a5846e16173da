#include "operations_fixture.h"

#include "backend/adapter_operations.h"
#include "model/transformer.h"

/*
 * Dropout of adapters: the mask is Philox's, for what a row is; and in a model, it is the
 * same in forward and backward (finite differences), for any packing and any number of
 * threads, and is not there in evaluation.
 */
enum { ROWS = 37, COLUMNS = 613 };

static struct tensor random_matrix(int64_t rows, int64_t columns)
{
    float *data = memory_allocate_array((size_t)(rows * columns), sizeof *data);
    for (int64_t i = 0; i < rows * columns; i++)
        data[i] = random_signed();
    return tensor_view_2d(data, DTYPE_F32, rows, columns);
}

static void mask_is_philox(void **state)
{
    int32_t documents[ROWS], positions[ROWS];
    struct tensor in = random_matrix(ROWS, COLUMNS), out = random_matrix(ROWS, COLUMNS);
    float *before = memory_allocate_array(ROWS * COLUMNS, sizeof *before);
    const struct dropout_mask mask = {.documents = documents,
                                      .positions = positions,
                                      .key = 0x123456789ABCDEFULL,
                                      .stream = 77,
                                      .probability = 0.3f};
    (void)state;
    for (int row = 0; row < ROWS; row++) {
        documents[row] = (int32_t)random_between(0, 1000);
        positions[row] = (int32_t)random_between(0, 1000);
    }
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        memcpy(before, out.data, tensor_bytes(&out));
        dropout(backend, &out, &in, &mask, accumulate);
        for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
            const uint32_t column = (uint32_t)(i % COLUMNS);
            const uint32_t counter[4] = {column / 4, (uint32_t)positions[i / COLUMNS],
                                         (uint32_t)documents[i / COLUMNS], 77};
            const uint32_t key[2] = {0x89ABCDEF, 0x1234567};
            uint32_t drawn[4];
            random_philox(drawn, counter, key);
            const bool kept = drawn[column % 4] >= (uint32_t)((double)0.3f * 4294967296.0);
            const float wanted = (accumulate ? before[i] : 0.0f) +
                                 (kept ? 1.0f / (1.0f - 0.3f) : 0.0f) * f32(&in)[i];
            /* one rounding more or less, where the compiler contracts */
            if (fabsf(f32(&out)[i] - wanted) > 4 * FLT_EPSILON)
                fail_msg("element %d: %g, not %g", (int)i, (double)f32(&out)[i],
                         (double)wanted);
        }
    }
    free(before);
    free(in.data);
    free(out.data);
}

/* Over many keys the mean of what comes out is what went in: kept ones are 1 / (1 - p), so
 * that n draws have the standard deviation sqrt(p / (1 - p) / n). Six of them. */
static void expectation_is_the_input(void **state)
{
    enum { KEYS = 4000, WIDTH = 40 };
    const int32_t zero[1] = {0};
    double sums[WIDTH] = {0}, all = 0;
    float ones[WIDTH], out[WIDTH];
    struct tensor from = tensor_view_2d(ones, DTYPE_F32, 1, WIDTH);
    struct tensor to = tensor_view_2d(out, DTYPE_F32, 1, WIDTH);
    struct dropout_mask mask = {.documents = zero, .positions = zero, .probability = 0.1f};
    const double deviation = sqrt(0.1 / 0.9 / KEYS);
    (void)state;
    for (int i = 0; i < WIDTH; i++)
        ones[i] = 1;
    for (int key = 0; key < KEYS; key++) {
        mask.key = (uint64_t)key + 1;
        dropout(backend, &to, &from, &mask, false);
        for (int i = 0; i < WIDTH; i++)
            sums[i] += (double)out[i] / KEYS;
    }
    for (int i = 0; i < WIDTH; i++) {
        assert_true(fabs(sums[i] - 1) <= 6 * deviation);
        all += sums[i] / WIDTH;
    }
    assert_true(fabs(all - 1) <= 6 * deviation / sqrt(WIDTH));
    mask.probability = 0;
    dropout(backend, &to, &from, &mask, false);
    assert_memory_equal(out, ones, sizeof ones);
}

/* ---- In a model --------------------------------------------------------------------- */

static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 2,
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

enum { T = 23, FIRST = 9, KEY = 12345 };

static struct transformer *create(struct backend *on, double probability, bool dora)
{
    struct transformer *model;
    struct error error;
    const struct lora_options options = {
        .rank = 3,
        .alpha = 6,
        .dropout = probability,
        .dora = dora,
        .targets = {true, true, true, true, true, true, true, true, true},
        .seed = 3};
    if (transformer_create(&model, on, &architecture, 5, MASTERS_KEPT, &error) ||
        transformer_lora_begin(model, &options, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    const struct parameter_block *block = transformer_trained(model);
    struct random random = random_stream(9, 9);
    for (int64_t i = 0; i < block->count; i++) /* at zero B nothing would show */
        ((float *)block->weights)[i] += 0.2f * random_normal(&random);
    return model;
}

/* Document 0 of FIRST tokens and document 1 of the rest; both, or one of them, or both the
 * other way round. */
struct example {
    int32_t tokens[T], positions[T], targets[T], starts[3], names[2];
    struct packed_batch batch;
};

static void example_add(struct example *example, int32_t name)
{
    struct packed_batch *batch = &example->batch;
    const int32_t first = name ? FIRST : 0, end = name ? T : FIRST;
    for (int32_t t = first; t < end; t++) {
        const int64_t to = batch->token_count++;
        example->tokens[to] = t * 7 % 30;
        example->positions[to] = t - first;
        example->targets[to] = t % 3 ? t * 11 % 30 : -1;
        batch->target_count += t % 3 != 0;
    }
    example->names[batch->document_count++] = name;
    example->starts[batch->document_count] = (int32_t)batch->token_count;
}

static void example_init(struct example *example)
{
    *example = (struct example){0};
    example->batch = (struct packed_batch){.tokens = example->tokens,
                                           .positions = example->positions,
                                           .targets = example->targets,
                                           .document_starts = example->starts,
                                           .document_names = example->names,
                                           .dropout_key = KEY};
}

static double pass(struct transformer *model, const struct packed_batch *batch,
                   bool recompute, bool zero)
{
    struct cross_entropy_sums sums;
    struct error error;
    if (transformer_training_begin(model, T, recompute, &error))
        fail_msg("%s", error.message);
    if (zero)
        transformer_zero_gradients(model);
    transformer_forward_backward(model, batch, 0, 1, &sums);
    return sums.loss;
}

static double pass_both(struct transformer *model, bool recompute)
{
    struct example example;
    example_init(&example);
    example_add(&example, 0);
    example_add(&example, 1);
    return pass(model, &example.batch, recompute, true);
}

static float *gradients_copy(const struct transformer *model)
{
    const struct tensor gradients = transformer_gradients(model);
    float *copy = memory_allocate(tensor_bytes(&gradients));
    memcpy(copy, gradients.data, tensor_bytes(&gradients));
    return copy;
}

/* The gradient along a direction is the change of the loss along it, for a mask that is
 * the same in all passes. Central differences: an error of h^2, and of the loss's rounding
 * (a sum of about 50, in fp32 products) over h. With DoRA only along the magnitudes: the
 * norm is held fixed in the gradient, so that A and B have another one (tests/parity). */
static void check_differences(bool dora, const char *only)
{
    struct transformer *model = create(backend, 0.25, dora);
    const struct parameter_block *block = transformer_trained(model);
    float *weights = block->weights;
    const double h = 2e-3;
    pass_both(model, false);
    float *gradients = gradients_copy(model);
    for (size_t i = 0; i < block->entry_count; i++) {
        const struct parameter *p = &block->entries[i];
        if (only && !strstr(p->name, only))
            continue;
        double slope = 0, losses[2];
        for (int64_t j = 0; j < p->count; j++)
            slope += (double)gradients[p->offset + j] * (j % 2 ? -1 : 1);
        for (int side = 0; side < 2; side++) {
            float *saved = memory_allocate_array((size_t)p->count, sizeof *saved);
            memcpy(saved, weights + p->offset, (size_t)p->count * sizeof *saved);
            for (int64_t j = 0; j < p->count; j++)
                weights[p->offset + j] += (float)((side ? -h : h) * (j % 2 ? -1 : 1));
            losses[side] = pass_both(model, false);
            memcpy(weights + p->offset, saved, (size_t)p->count * sizeof *saved);
            free(saved);
        }
        const double wanted = (losses[0] - losses[1]) / (2 * h);
        if (fabs(slope - wanted) > 0.02 * fabs(wanted) + 0.03)
            fail_msg("%s: slope %g, differences %g", p->name, slope, wanted);
    }
    free(gradients);
    transformer_free(model);
}

static void gradients_are_differences(void **state)
{
    (void)state;
    check_differences(false, NULL);
    check_differences(true, "lora_magnitude_vector");
}

static void packing_changes_nothing(void **state)
{
    struct transformer *model = create(backend, 0.25, false);
    struct example example;
    (void)state;
    const double together = pass_both(model, false);
    float *gradients = gradients_copy(model);
    const int64_t count = transformer_trained(model)->count;
    for (int order = 0; order < 2; order++) {
        double apart = 0;
        for (int i = 0; i < 2; i++) {
            example_init(&example);
            example_add(&example, order ? 1 - i : i);
            apart += pass(model, &example.batch, false, i == 0);
        }
        assert_true(fabs(apart / together - 1) <= 1e-6);
        const float *sums = transformer_gradients(model).data;
        for (int64_t i = 0; i < count; i++)
            assert_true(fabsf(sums[i] - gradients[i]) <= 1e-4f);
    }
    /* Without names documents are numbered as they come: another mask, when turned. */
    example_init(&example);
    example_add(&example, 1);
    example.batch.document_names = NULL;
    const double other = pass(model, &example.batch, false, true);
    example.batch.document_names = example.names;
    assert_true(other != pass(model, &example.batch, false, true));
    free(gradients);
    transformer_free(model);
}

static void threads_and_recomputing_change_no_bit(void **state)
{
    struct transformer *kept = create(backend, 0.25, false);
    struct backend *alone;
    struct error error;
    (void)state;
    assert_int_equal(
        backend_open(&alone, &(struct backend_options){.thread_count = 1}, &error),
        STATUS_OK);
    struct transformer *single = create(alone, 0.25, false);
    const double loss = pass_both(kept, false);
    float *gradients = gradients_copy(kept);
    const size_t bytes = (size_t)transformer_trained(kept)->count * sizeof *gradients;
    assert_true(pass_both(kept, true) == loss);
    assert_memory_equal(gradients, transformer_gradients(kept).data, bytes);
    assert_true(pass_both(single, false) == loss);
    assert_memory_equal(gradients, transformer_gradients(single).data, bytes);
    free(gradients);
    transformer_free(single);
    transformer_free(kept);
    backend_close(alone);
}

static void evaluation_drops_nothing(void **state)
{
    struct transformer *dropping = create(backend, 0.25, false);
    struct transformer *plain = create(backend, 0, false);
    struct cross_entropy_sums sums[2];
    struct example example;
    (void)state;
    const double dropped = pass_both(dropping, false), whole = pass_both(plain, false);
    assert_true(dropped != whole);
    example_init(&example);
    example_add(&example, 0);
    example_add(&example, 1);
    transformer_loss(dropping, &example.batch, &sums[0]);
    transformer_loss(plain, &example.batch, &sums[1]);
    assert_true(sums[0].loss == sums[1].loss);
    example.batch.dropout_key = 0; /* as `inspect gradients` */
    assert_true(pass(dropping, &example.batch, false, true) == whole);
    example.batch.dropout_key = KEY + 1;
    assert_true(pass(dropping, &example.batch, false, true) != dropped);
    transformer_free(dropping);
    transformer_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask_is_philox),
        cmocka_unit_test(expectation_is_the_input),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(packing_changes_nothing),
        cmocka_unit_test(threads_and_recomputing_change_no_bit),
        cmocka_unit_test(evaluation_drops_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
