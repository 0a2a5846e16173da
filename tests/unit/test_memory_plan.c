/* The plan of 8 billion parameters against sums made by hand, and what is advised. */
#include "base/memory.h"
#include "base/text_buffer.h"
#include "model/memory_plan.h"
#include "model/transformer.h"
#include "optim/adamw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Llama 3 8B: P parameters, of which M in matrices of blocks; A in adapters of rank 16. */
enum {
    C = 4096,
    F = 14336,
    H = 32,
    G = 8,
    D = 128,
    V = 128256,
    L = 32,
    Q = (H + 2 * G) * D
};
static const double P = 8030261248.0;
static const double M = (double)L * C * (Q + H * D + 3.0 * F);
static const double A = 41943040.0;

static const struct architecture llama = {.model_type = "llama",
                                          .layer_count = L,
                                          .channels = C,
                                          .feed_forward = F,
                                          .heads = H,
                                          .key_value_heads = G,
                                          .head_size = D,
                                          .vocabulary = V,
                                          .position_limit = 8192};
static const struct lora_options rank_16 = {
    .rank = 16, .targets = {true, true, true, true, true, true, true, true, true}};

static const struct training_shape on_a_gpu = {.dtype = DTYPE_BF16,
                                               .activations = DTYPE_BF16,
                                               .operands = DTYPE_BF16,
                                               .moments = DTYPE_F32,
                                               .token_count = 4096,
                                               .longest = 2048,
                                               .device = true};

static double gibibytes(double bytes)
{
    return bytes / 1073741824.0;
}

static void expect_near(const char *what, double found, double wanted)
{
    if (found < wanted - 0.002 || found > wanted + 0.002)
        fail_msg("%s: %.4f GiB, not %.4f", what, found, wanted);
}

/* One token in bf16: what a block keeps beside its input, and what all blocks share. */
static double block_token(double adapter_ranks)
{
    const double rstd = 2 * 4.0, log_sum = H * 4.0;
    return rstd + log_sum + 2 * (Q + H * D + C + 2.0 * F + adapter_ranks);
}

static double shared_token(double adapter_ranks)
{
    const double indices = 7 * 4.0, rstd = 4.0;
    const double forward = 2 * (2.0 * C + F); /* out, normed, activated */
    const double backward = 2 * (2.0 * C + Q + H * D + 2.0 * F + F); /* their gradients */
    return indices + rstd + forward + backward + 2 * adapter_ranks;
}

static double activations(double tokens, bool recompute, bool lora)
{
    const double ranks = lora ? 16 * (3 + 1 + 2 + 1) : 0; /* of the groups of a block */
    const double kept = recompute ? block_token(ranks) : L * block_token(ranks);
    return tokens * (L * 2.0 * C + kept + shared_token(lora ? 16 * 3 : 0));
}

/* cuDNN's backward: scores in bf16, row sums, dK and dV of each query head. */
static double attention(double tokens, double longest)
{
    const double score_bytes = 2 * tokens * H * (2 * longest + 4 + 2 * 2 * D);
    return tokens * H * 4 + (score_bytes < 1073741824.0 ? score_bytes : 1073741824.0);
}

static void expect_plan(const char *what, const struct memory_plan *plan, double weights,
                        double trained, double kept)
{
    expect_near(what, gibibytes((double)plan->weights), gibibytes(weights));
    expect_near(what, gibibytes((double)plan->masters), gibibytes(2 * trained));
    expect_near(what, gibibytes((double)plan->gradients), gibibytes(4 * trained));
    expect_near(what, gibibytes((double)plan->moments), gibibytes(8 * trained));
    expect_near(what, gibibytes((double)plan->activations), gibibytes(kept));
}

static void full_fine_tune(void **state)
{
    const struct memory_plan plan = memory_plan_make(&llama, &on_a_gpu);
    (void)state;
    expect_plan("full", &plan, 2 * P, P, activations(4096, false, false));
    /* logits, gradients of 4,096 rows of them, the rows twice, attention, and the rest */
    expect_near("workspace", gibibytes((double)plan.workspace),
                0.5 + gibibytes(4096.0 * V * 2 + 2 * 4096.0 * C * 2) +
                    gibibytes(attention(4096, 2048)) + 0.25);
    assert_true(memory_plan_total(&plan) < (size_t)139 << 30);
}

/* Measured on an H200 without recomputation, 4 documents in a pack: 42.1 GiB were taken. */
static void adapters(void **state)
{
    struct training_shape shape = on_a_gpu;
    (void)state;
    shape.lora = &rank_16;
    shape.token_count = 8192;
    struct memory_plan plan = memory_plan_make(&llama, &shape);
    expect_plan("LoRA", &plan, 2 * (P + A), A, activations(8192, false, true));
    assert_in_range(memory_plan_total(&plan) >> 20, 42 << 10, 44 << 10);
    shape.token_count = 2048;
    shape.recompute = true;
    plan = memory_plan_make(&llama, &shape);
    expect_plan("LoRA", &plan, 2 * (P + A), A, activations(2048, true, true));
    assert_true(memory_plan_total(&plan) < (size_t)24 << 30);
}

/* Half a byte and a scale of 64 numbers each, and room for the largest matrix in bf16.
 * Measured on an H200: 8.44 GiB were taken. */
static void quantized(void **state)
{
    struct training_shape shape = on_a_gpu;
    (void)state;
    shape.lora = &rank_16;
    shape.quantized = true;
    shape.token_count = 2048;
    shape.recompute = true;
    const struct memory_plan plan = memory_plan_make(&llama, &shape);
    const double held = M / 2 + M / 64 + M / (64 * 256) * 4 + 2.0 * F * C * 2;
    expect_plan("QLoRA", &plan, 2 * (P - M + A) + held, A, activations(2048, true, true));
    assert_in_range(memory_plan_total(&plan) >> 20, 8650, 12 << 10);
}

/* cuDNN does not serve fp32, nor scores that are capped. */
static void own_attention(void **state)
{
    struct training_shape shape = on_a_gpu;
    struct architecture capped = llama;
    (void)state;
    const size_t before = memory_plan_make(&llama, &shape).workspace;
    capped.attention_cap = 50;
    const size_t after = memory_plan_make(&capped, &shape).workspace;
    assert_int_equal(before - after, 1 << 30);
    shape.dtype = shape.activations = shape.operands = DTYPE_F32;
    const size_t rows = (512 << 20) / 4 / V + 1;
    assert_int_equal(memory_plan_make(&llama, &shape).workspace,
                     (512 << 20) + 2 * rows * C * 4 + 4096 * H * 4 + (256 << 20));
}

/* Gate and up is the largest of a block's matrices: a byte for each number of it and of its
 * outputs' gradients, and scales of rows, columns and tokens. */
static void fp8_products(void **state)
{
    struct training_shape shape = on_a_gpu;
    (void)state;
    const size_t before = memory_plan_make(&llama, &shape).workspace;
    shape.fp8 = true;
    assert_int_equal(memory_plan_make(&llama, &shape).workspace - before,
                     2 * F * C + 4096 * (2 * F + 4) + 2 * 2 * F * 4);
}

static size_t moments_held(const struct transformer *model, struct backend *backend)
{
    const struct parameter_block *block = transformer_trained(model);
    struct adamw_range *ranges = memory_allocate_array(block->entry_count, sizeof *ranges);
    struct adamw adamw;
    struct error error;
    size_t bytes = 0;
    for (size_t i = 0; i < block->entry_count; i++)
        ranges[i] = (struct adamw_range){block->entries[i].offset, block->entries[i].count,
                                         block->entries[i].decayed};
    if (adamw_init(&adamw, backend, block->count, DTYPE_U8, ranges,
                   (int64_t)block->entry_count, &error))
        fail_msg("%s", error.message);
    for (int array = 0; array < ADAMW_ARRAYS; array++)
        bytes += 2 * (size_t)adamw_array_held(&adamw, (enum adamw_array)array) *
                 dtype_bytes(adamw_array_dtype(&adamw, (enum adamw_array)array));
    adamw_release(&adamw);
    free(ranges);
    return bytes;
}

/* Of codes, scales and the fp32 moments of norms and small matrices, what is planned is
 * what is held, but for a scale at the end of each parameter. */
static void moments_in_8_bits(void **state)
{
    const struct architecture a = {.model_type = "llama",
                                   .layer_count = 3,
                                   .channels = 80,
                                   .feed_forward = 100,
                                   .heads = 4,
                                   .key_value_heads = 2, /* k and v are small: 80 x 40 */
                                   .head_size = 20,
                                   .vocabulary = 333,
                                   .position_limit = 64};
    const struct training_shape shape = {
        .dtype = DTYPE_F32, .moments = DTYPE_U8, .token_count = 8};
    const size_t planned = memory_plan_make(&a, &shape).moments;
    struct backend *backend;
    struct transformer *model;
    struct error error;
    (void)state;
    if (backend_open(&backend, &(struct backend_options){.thread_count = 1}, &error) ||
        transformer_create(&model, backend, &a, 1, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    const size_t held = moments_held(model, backend);
    size_t entries;
    transformer_parameters(model, &entries);
    assert_in_range(planned, held - 2 * 64, held + 2 * (entries + 2) * sizeof(float));
    transformer_free(model);
    backend_close(backend);
}

static void expect_advice(const struct training_shape *shape, double free_gib,
                          const char *wanted)
{
    struct text_buffer text = {0};
    memory_plan_advise(&llama, shape, (size_t)(free_gib * 1073741824.0), &text);
    if (strcmp(text_buffer_string(&text), wanted) != 0)
        fail_msg("%s\nnot %s", text_buffer_string(&text), wanted);
    text_buffer_release(&text);
}

/* Each is something that can be added to those before it: a pack still holds the longest
 * document, and adapters go with neither --masters none nor random weights. */
static void advice(void **state)
{
    static const char smaller[] =
        "--recompute (130.35 GiB), then a smaller --batch-tokens (122.48 GiB), then "
        "--moments bf16 (92.56 GiB), then --moments 8bit (77.84 GiB)";
    static const char smallest[] = ", then --masters none (62.88 GiB)";
    static const char adapted[] =
        ", then --lora 16 in place of --moments and --masters (18.40 GiB)";
    struct training_shape shape = on_a_gpu;
    char wanted[512];
    (void)state;
    shape.token_count = 16384;
    expect_advice(&shape, 139, "--recompute (130.35 GiB)");
    expect_advice(&shape, 78, smaller);
    snprintf(wanted, sizeof wanted, "%s%s%s", smaller, smallest, adapted);
    expect_advice(&shape, 24, wanted);
    snprintf(wanted, sizeof wanted,
             "%s%s%s, then --quantize nf4 (8.97 GiB): still too much", smaller, smallest,
             adapted);
    expect_advice(&shape, 8, wanted);
    shape.untrained = true;
    snprintf(wanted, sizeof wanted, "%s%s: still too much", smaller, smallest);
    expect_advice(&shape, 24, wanted);
    shape = on_a_gpu;
    shape.lora = &rank_16;
    shape.recompute = true;
    shape.token_count = shape.longest;
    expect_advice(&shape, 12, "--quantize nf4 (8.97 GiB)");
    shape.quantized = true;
    expect_advice(&shape, 8, "nothing is left to save");
}

/* In MiB below one GiB: parts show, and what does not fit differs from what does. */
static void tiny_models(void **state)
{
    struct architecture tiny = llama;
    struct training_shape shape = on_a_gpu;
    struct text_buffer text = {0}, wanted = {0};
    (void)state;
    tiny.layer_count = 4;
    tiny.channels = tiny.feed_forward = 64;
    tiny.heads = tiny.key_value_heads = 1;
    tiny.vocabulary = 280;
    shape.token_count = shape.longest = 128;
    const struct memory_plan whole = memory_plan_make(&tiny, &shape);
    memory_plan_print(&whole, &text);
    assert_null(strstr(text_buffer_string(&text), " 0.00"));
    assert_true(text_ends_with(text_buffer_string(&text), " MiB"));
    shape.recompute = true;
    const struct memory_plan less = memory_plan_make(&tiny, &shape);
    const size_t bytes = memory_plan_total(&less);
    assert_in_range(memory_plan_total(&whole) - bytes, 1 << 14, 1 << 20);
    text_buffer_clear(&text);
    shape.recompute = false;
    memory_plan_advise(&tiny, &shape, bytes, &text);
    text_buffer_appendf(&wanted, "--recompute (%.2f MiB)", (double)bytes / 1048576.0);
    assert_string_equal(text_buffer_string(&text), text_buffer_string(&wanted));
    text_buffer_release(&text);
    text_buffer_release(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_fine_tune), cmocka_unit_test(adapters),
        cmocka_unit_test(quantized),      cmocka_unit_test(own_attention),
        cmocka_unit_test(fp8_products),   cmocka_unit_test(moments_in_8_bits),
        cmocka_unit_test(advice),         cmocka_unit_test(tiny_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
