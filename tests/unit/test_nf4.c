#include "tests/unit/operations_fixture.h"

#include "base/file.h"
#include "model/generator.h"
#include "model/memory_plan.h"
#include "tests/nf4_reference.h"

#include <stdio.h>
#include <unistd.h>

/*
 * The nearest of 16 levels is never further than half the widest gap, that between -1 and
 * -0.696. Dividing by absmax and multiplying again round twice.
 */
static const double half_gap = (1 - 0.6961928009986877) / 2;
static const double rounding = 4 * (double)FLT_EPSILON;

/* The table of bitsandbytes: quantiles of N(0, 1), divided by the greatest. Recomputing
 * them in double gives the same to 2e-7. */
static void levels_are_bitsandbytes(void **state)
{
    static const double levels[] = {
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    };
    (void)state;
    assert_int_equal(sizeof levels / sizeof *levels, NF4_LEVELS);
    for (int i = 0; i < NF4_LEVELS; i++) /* they are f32 numbers, printed in full */
        assert_true((double)nf4_levels[i] == levels[i]);
}

/* Levels, times a power of two, are kept exactly, with the code of their place. */
static void levels_are_kept(void **state)
{
    float values[NF4_BLOCK], out[NF4_BLOCK];
    (void)state;
    for (int i = 0; i < NF4_BLOCK; i++)
        values[i] = 0.25f * nf4_levels[i * 7 % NF4_LEVELS];
    struct nf4_host host = nf4_make(values, NF4_BLOCK);
    for (int i = 0; i < NF4_BLOCK; i++)
        assert_int_equal(host.tensor.codes[i / 2] >> 4 * (i % 2) & 15, i * 7 % NF4_LEVELS);
    nf4_reference(out, &host.tensor);
    assert_memory_equal(out, values, sizeof values); /* one block: its absmax is the mean */
    nf4_free(&host);
}

static float *normal_values(int64_t count)
{
    float *values = memory_allocate_array((size_t)count + 1, sizeof *values);

    for (int64_t i = 0; i < count; i++)
        values[i] = 0.02f * random_normal(&numbers);
    for (int64_t i = 0; i < count / 100; i++) /* outliers, zeros, tiny ones */
        values[random_between(0, count - 1)] *= i % 3 ? 10.0f : i % 2 ? 0.0f : 1e-37f;
    return values;
}

/* absmax within half a step of its group, and the weight within half a gap of its block. */
static void check_errors(const struct nf4_host *host, const float *values)
{
    const struct nf4_tensor *tensor = &host->tensor;
    float *out = memory_allocate_array((size_t)tensor->count + 1, sizeof *out);

    nf4_reference(out, tensor);
    for (int64_t block = 0; block < nf4_block_count(tensor->count); block++) {
        const double absmax = (double)host->absmax[block];
        const double held = (double)nf4_absmax(tensor, block);
        const double step = (double)tensor->steps[block / NF4_GROUP];
        const double off = fabs(held - absmax);
        double most = 0;
        assert_true(off <= step * (0.5 + 127 * rounding) +
                               rounding * fabs((double)tensor->offset));
        for (int64_t i = block * 64; i < tensor->count && i < block * 64 + 64; i++) {
            const double error = fabs((double)out[i] - (double)values[i]);
            assert_true(error <= absmax * (half_gap + rounding) + off);
            assert_true(values[i] != 0.0f || out[i] == 0.0f);
            most = fmax(most, fabs((double)values[i]));
        }
        assert_true(most == absmax);
    }
    free(out);
}

/* The operation against the formula, bit for bit, whatever the threads. */
static void check_operation(const struct nf4_host *host)
{
    const int64_t count = host->tensor.count;
    struct tensor out = vector(count), expected = vector(count);

    nf4_reference(expected.data, &host->tensor);
    nf4_dequantize(backend, &out, &host->tensor);
    assert_same_bits(&out, &expected);
    tensor_free(&out);
    tensor_free(&expected);
}

static void round_trips(void **state)
{
    const int64_t counts[] = {0, 1, 2, 63, 64, 65, 127, 1000, 16384, 16385, 100003};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        float *values = normal_values(counts[i]);
        struct nf4_host host = nf4_make(values, counts[i]);
        check_errors(&host, values);
        check_operation(&host);
        nf4_free(&host);
        free(values);
    }
}

static void zeros_stay(void **state)
{
    float values[200] = {0}, out[200];
    (void)state;
    values[130] = 3.0f; /* the other blocks' absmax is far from the mean */
    struct nf4_host host = nf4_make(values, 200);
    nf4_reference(out, &host.tensor);
    for (int i = 0; i < 200; i++)
        assert_true(i == 130 || out[i] == 0.0f);
    assert_near(out[130], 3.0, (double)host.tensor.steps[0] / 2 + 1e-6);
    nf4_free(&host);
}

/* Pieces that begin at whole blocks give what all at once gives. */
static void pieces_are_the_whole(void **state)
{
    const int64_t count = 5000, cut = 1984;
    float *values = normal_values(count);
    struct nf4_host whole = nf4_make(values, count);
    uint8_t codes[2500];
    float absmax[79];
    (void)state;
    nf4_quantize(codes, absmax, values, cut);
    nf4_quantize(codes + cut / 2, absmax + cut / 64, values + cut, count - cut);
    assert_memory_equal(codes, whole.tensor.codes, sizeof codes);
    assert_memory_equal(absmax, whole.absmax, sizeof absmax);
    nf4_free(&whole);
    free(values);
}

/*
 * What normal weights lose, as a share of their norm. For N(0, 1) divided by the greatest
 * of 64 NF4 loses about 0.09 of the norm; double quantisation must not show beside it.
 */
static void normal_weights_lose_little(void **state)
{
    const int64_t count = 1 << 20;
    float *values = memory_allocate_array((size_t)count, sizeof *values);
    double single = 0, twice = 0, norm = 0;
    (void)state;
    for (int64_t i = 0; i < count; i++)
        values[i] = 0.02f * random_normal(&numbers);
    struct nf4_host host = nf4_make(values, count);
    for (int64_t i = 0; i < count; i++) {
        const int code = host.tensor.codes[i / 2] >> 4 * (i % 2) & 15;
        const float level = nf4_levels[code];
        single += pow((double)(level * host.absmax[i / 64] - values[i]), 2);
        twice += pow((double)(level * nf4_absmax(&host.tensor, i / 64) - values[i]), 2);
        norm += pow((double)values[i], 2);
    }
    print_message("relative error of N(0, 1): %.5f, %.5f with absmax in 8 bits\n",
                  sqrt(single / norm), sqrt(twice / norm));
    assert_true(sqrt(single / norm) < 0.1);
    assert_true(twice < 1.01 * single);
    nf4_free(&host);
    free(values);
}

/* Counts that are odd and no multiple of 64, a second matrix at an odd place. */
static const struct architecture architecture = {
    .model_type = "llama",
    .layer_count = 2,
    .channels = 15,
    .feed_forward = 21,
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
static const struct lora_options lora = {
    .rank = 3, .alpha = 6, .targets = {true, true, true, true, true, true, true}};

static void assert_status(enum status status, const struct error *error)
{
    if (status)
        fail_msg("%s", error->message);
}

static struct transformer *create(enum master_weights masters, bool adapted)
{
    struct transformer *model;
    struct error error = {0};

    assert_status(transformer_create(&model, backend, &architecture, 5, masters, &error),
                  &error);
    if (masters != MASTERS_DROPPED_NF4) {
        const struct tensor weights = transformer_weights(model);
        struct tensor draws = copy_of(&weights);
        nf4_replace(model, draws.data);
        tensor_free(&draws);
    }
    if (!adapted)
        return model;
    assert_status(transformer_lora_begin(model, &lora, MASTERS_KEPT, &error), &error);
    nf4_draw_adapters(model, 9);
    return model;
}

/* Two documents, some targets. */
enum { T = 23 };
static struct packed_batch batch_make(int32_t arrays[4][T + 1])
{
    struct packed_batch batch = {.token_count = T,
                                 .document_count = 2,
                                 .tokens = arrays[0],
                                 .positions = arrays[1],
                                 .targets = arrays[2],
                                 .document_starts = arrays[3]};
    for (int32_t t = 0; t < T; t++) {
        arrays[0][t] = t * 7 % 30;
        arrays[1][t] = t < 9 ? t : t - 9;
        arrays[2][t] = t % 3 ? t * 11 % 30 : -1;
        batch.target_count += arrays[2][t] >= 0;
    }
    arrays[3][0] = 0;
    arrays[3][1] = 9;
    arrays[3][2] = T;
    return batch;
}

static struct cross_entropy_sums pass(struct transformer *model, bool recompute)
{
    int32_t arrays[4][T + 1];
    const struct packed_batch batch = batch_make(arrays);
    struct cross_entropy_sums sums;
    struct error error = {0};

    assert_status(transformer_training_begin(model, T, recompute, &error), &error);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, &batch, 0.1f, 0.25f, &sums);
    return sums;
}

/* A quantised base computes as one that was given the numbers NF4 gives, bit for bit. */
static void trains_as_the_dequantised(void **state)
{
    (void)state;
    for (int recompute = 0; recompute < 2; recompute++) {
        struct transformer *quantised = create(MASTERS_DROPPED_NF4, true);
        struct transformer *plain = create(MASTERS_DROPPED, true);
        const struct cross_entropy_sums a = pass(quantised, recompute);
        const struct cross_entropy_sums b = pass(plain, recompute);
        const struct tensor gradients = transformer_gradients(quantised);
        const struct tensor expected = transformer_gradients(plain);
        double norm = 0;
        assert_true(a.loss == b.loss && a.nll == b.nll && a.loss > 0);
        assert_same_bits(&gradients, &expected);
        for (int64_t i = 0; i < tensor_count(&gradients); i++)
            norm += pow((double)f32(&gradients)[i], 2);
        assert_true(norm > 0);
        assert_true(transformer_bytes(quantised) < transformer_bytes(plain));
        transformer_free(quantised);
        transformer_free(plain);
    }
}

static void logits_of(struct transformer *model, float *logits)
{
    int32_t arrays[4][T + 1];
    const struct packed_batch batch = batch_make(arrays);
    struct error error = {0};

    assert_status(transformer_logits(model, &batch, logits, &error), &error);
}

/* The passes with a cache take quantised weights too. */
static void generates_as_the_dequantised(void **state)
{
    const int32_t prompt[] = {3, 1, 4, 1, 5, 9, 2, 6};
    int32_t *replies[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct transformer *model = create(i ? MASTERS_DROPPED : MASTERS_DROPPED_NF4, true);
        struct generation_request request = {
            .prompt = prompt, .prompt_count = 8, .sampling = {1.0, 1.0, 12}, .seed = 3};
        struct error error = {0};
        assert_status(generate(model, &request, 1, 1, NULL, NULL, &error), &error);
        assert_int_equal(request.reply_count, 12);
        replies[i] = request.reply;
        transformer_free(model);
    }
    assert_memory_equal(replies[0], replies[1], 12 * sizeof **replies);
    free(replies[0]);
    free(replies[1]);
}

static void write_config(const char *folder)
{
    static const char config[] =
        "{\"model_type\":\"llama\",\"hidden_size\":15,\"intermediate_size\":21,"
        "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
        "\"head_dim\":6,\"vocab_size\":30,\"max_position_embeddings\":64,"
        "\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"initializer_range\":0.3,"
        "\"tie_word_embeddings\":false,\"hidden_act\":\"silu\"}";
    struct error error = {0};
    char *path = path_join(folder, "config.json");

    assert_status(file_write_all(path, config, sizeof config - 1, &error), &error);
    free(path);
}

/* Read from files, as drawn. */
static void reads_files(void **state)
{
    char folder[64];
    float expected[T * 30], logits[T * 30];
    struct transformer *model;
    struct error error = {0};
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/holdfast-nf4-%ld", (long)getpid());
    assert_status(file_make_directories(folder, &error), &error);
    write_config(folder);
    assert_status(
        transformer_create(&model, backend, &architecture, 5, MASTERS_DROPPED, &error),
        &error);
    assert_status(transformer_write_weights(model, folder, DTYPE_F32, &error), &error);
    transformer_free(model);
    model = create(MASTERS_DROPPED_NF4, false);
    logits_of(model, expected);
    transformer_free(model);
    assert_status(
        transformer_open_directory(&model, backend, folder, MASTERS_DROPPED_NF4, &error),
        &error);
    logits_of(model, logits);
    assert_memory_equal(logits, expected, sizeof logits);
    transformer_free(model);
    assert_status(file_remove_tree(folder, &error), &error);
}

/* What the plan says is what is reserved. */
static void plan_is_exact(void **state)
{
    const struct training_shape shape = {.dtype = DTYPE_F32,
                                         .moments = DTYPE_F32,
                                         .lora = &lora,
                                         .quantized = true,
                                         .token_count = T};
    const struct memory_plan plan = memory_plan_make(&architecture, &shape);
    struct transformer *model = create(MASTERS_DROPPED_NF4, true);
    (void)state;
    pass(model, false);
    const size_t rope = T * (size_t)architecture.head_size * sizeof(float);
    assert_int_equal(transformer_bytes(model) - rope,
                     plan.weights + plan.masters + plan.gradients + plan.activations);
    transformer_free(model);
}

/* Llama 3 8B, rank 16, 2,048 tokens, blocks run again: below 12 GiB on a GPU. */
static void eight_billion_fit(void **state)
{
    static const struct architecture llama = {.model_type = "llama",
                                              .layer_count = 32,
                                              .channels = 4096,
                                              .feed_forward = 14336,
                                              .heads = 32,
                                              .key_value_heads = 8,
                                              .head_size = 128,
                                              .vocabulary = 128256,
                                              .position_limit = 8192};
    struct lora_options rank_16 = lora;
    rank_16.rank = 16;
    const struct training_shape shape = {.dtype = DTYPE_BF16,
                                         .activations = DTYPE_BF16,
                                         .operands = DTYPE_BF16,
                                         .moments = DTYPE_F32,
                                         .lora = &rank_16,
                                         .quantized = true,
                                         .token_count = 2048,
                                         .recompute = true,
                                         .device = true};
    const struct memory_plan plan = memory_plan_make(&llama, &shape);
    struct text_buffer text = {0};
    (void)state;
    memory_plan_print(&plan, &text);
    print_message("%s\n", text_buffer_string(&text));
    assert_true(memory_plan_total(&plan) < (size_t)12 << 30);
    text_buffer_release(&text);
    const double matrices = 32.0 * 4096 * (4096 * 2 + 1024 * 2 + 14336 * 3);
    const double buffer = 2.0 * 2 * 14336 * 4096;
    const double bits =
        8 * ((double)quantized_measure(&llama, DTYPE_BF16) - buffer) / matrices;
    assert_near(bits, 4 + 8.0 / 64 + 32.0 / (64 * 256), 1e-4); /* 4.127, and alignment */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_bitsandbytes),
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(zeros_stay),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(normal_weights_lose_little),
        cmocka_unit_test(trains_as_the_dequantised),
        cmocka_unit_test(generates_as_the_dequantised),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(plan_is_exact),
        cmocka_unit_test(eight_billion_fit),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
