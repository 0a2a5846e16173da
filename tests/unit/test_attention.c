#include "tests/unit/attention_fixture.h"

static void masked_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                        int64_t D, int64_t window, float cap)
{
    struct batch b;
    int64_t longest = 0;

    batch_init(&b, lengths, count, H, G, D);
    b.shape.window = window;
    b.shape.cap = cap;
    for (int64_t n = 0; n < count; n++)
        longest = maximum(longest, lengths[n]);
    const double tolerance = (double)reduction_of(&b, longest) * (double)FLT_EPSILON;
    batch_forward(&b);
    reference_loss(&b);
    for (int64_t i = 0; i < tensor_count(&b.out); i++)
        assert_near(f32(&b.out)[i], b.out_exact[i], tolerance);
    for (int64_t i = 0; i < tensor_count(&b.log_sum); i++)
        assert_near(f32(&b.log_sum)[i], b.log_sum_exact[i],
                    tolerance + 4 * (double)FLT_EPSILON * fabs(b.log_sum_exact[i]));
    batch_backward(&b); /* over random numbers: d_qkv is written */
    assert_gradient(&(struct gradient_check){reference_loss, &b, b.qkv_exact, f32(&b.d_qkv),
                                             tensor_count(&b.qkv),
                                             reduction_of(&b, longest)});
    batch_release(&b);
}

static void numbers_case(const int64_t *lengths, int64_t count, int64_t H, int64_t G,
                         int64_t D)
{
    masked_case(lengths, count, H, G, D, 0, 0.0f);
}

static void numbers_cases(void)
{
    numbers_case((const int64_t[]){1}, 1, 1, 1, 6);
    numbers_case((const int64_t[]){7, 1, 33}, 3, 6, 2, 6);
    numbers_case((const int64_t[]){49, 96, 1, 0, 20}, 5, 2, 1, 64);
    numbers_case((const int64_t[]){97, 48}, 2, 2, 2, 80);
    numbers_case((const int64_t[]){random_between(100, 220), random_between(1, 60)}, 2, 3,
                 1, 16);
}

static void test_numbers(void **state)
{
    struct cpu_backend *cpu = cpu_of(backend);
    const struct gemm_kernel *best = cpu->kernel;

    (void)state;
    for (int i = 0; gemm_kernel_at(i); i++) {
        cpu->kernel = gemm_kernel_at(i);
        numbers_cases();
    }
    cpu->kernel = best;
}

static void test_long_document(void **state)
{
    (void)state;
    numbers_case((const int64_t[]){300}, 1, 2, 1, 32);
}

/* Windows within a tile of keys, across several, of one key, and longer than documents. */
static void test_windows(void **state)
{
    (void)state;
    masked_case((const int64_t[]){210, 1, 50}, 3, 2, 1, 16, 1, 0.0f);
    masked_case((const int64_t[]){97, 0, 200}, 3, 3, 1, 20, 2, 0.0f);
    masked_case((const int64_t[]){150, 7}, 2, 2, 2, 64, 48, 0.0f);
    masked_case((const int64_t[]){300}, 1, 2, 1, 12, 97, 0.0f);
    masked_case((const int64_t[]){289, 30}, 2, 4, 2, 10, 145, 0.0f);
    masked_case((const int64_t[]){40, 96}, 2, 1, 1, 8, 96, 0.0f);
    masked_case((const int64_t[]){random_between(1, 260), random_between(1, 260)}, 2, 2, 1,
                18, random_between(1, 200), 0.0f);
}

/* Scores go to about 10; caps below that bend them, and above hardly. */
static void test_caps(void **state)
{
    (void)state;
    masked_case((const int64_t[]){33, 1, 7}, 3, 6, 2, 6, 0, 2.5f);
    masked_case((const int64_t[]){110}, 1, 2, 1, 64, 0, 0.7f);
    masked_case((const int64_t[]){120, 50}, 2, 2, 1, 80, 30, 50.0f);
    masked_case((const int64_t[]){230, 4}, 2, 2, 2, 20, 100, 3.0f);
    masked_case((const int64_t[]){30}, 1, 1, 1, 256, 9, 5.0f);
}

/* Documents of 1 to 300 tokens packed together give the bits that each gives alone. */
static void packed_case(int64_t window, float cap)
{
    enum { COUNT = 9 };
    const int64_t lengths[COUNT] = {1, 300, 2, 47, 48, 49, 96, 97, random_between(1, 300)};
    struct batch packed;

    batch_init(&packed, lengths, COUNT, 6, 2, 20);
    packed.shape.window = window;
    packed.shape.cap = cap;
    batch_forward(&packed);
    batch_backward(&packed);
    for (int n = 0; n < COUNT; n++) {
        const int64_t start = packed.starts[n];
        struct batch alone;
        batch_init(&alone, &lengths[n], 1, 6, 2, 20);
        alone.shape = packed.shape;
        tensor_free(&alone.qkv);
        tensor_free(&alone.d_out);
        alone.qkv = tensor_rows(&packed.qkv, start, lengths[n]);
        alone.d_out = tensor_rows(&packed.d_out, start, lengths[n]);
        batch_forward(&alone);
        batch_backward(&alone);
        const struct tensor out = tensor_rows(&packed.out, start, lengths[n]);
        const struct tensor d_qkv = tensor_rows(&packed.d_qkv, start, lengths[n]);
        assert_same_bits(&out, &alone.out);
        assert_same_bits(&d_qkv, &alone.d_qkv);
        for (int64_t head = 0; head < 6; head++)
            assert_memory_equal(f32(&packed.log_sum) + head * packed.T + start,
                                f32(&alone.log_sum) + head * lengths[n],
                                (size_t)lengths[n] * sizeof(float));
        alone.qkv.data = alone.d_out.data = NULL; /* they belong to `packed` */
        batch_release(&alone);
    }
    batch_release(&packed);
}

static void test_packed_equals_separate(void **state)
{
    (void)state;
    packed_case(0, 0.0f);
    packed_case(50, 4.0f);
}

/* Twice the same, and the same with another number of threads. */
static void test_bits_repeat(void **state)
{
    const int64_t lengths[] = {120, 1, 60, 33};
    struct cpu_backend *cpu = cpu_of(backend);
    struct batch b;

    (void)state;
    batch_init(&b, lengths, 4, 4, 2, 24);
    batch_forward(&b);
    batch_backward(&b);
    struct tensor out = copy_of(&b.out), d_qkv = copy_of(&b.d_qkv);
    for (int threads = 1; threads <= 3; threads++) {
        cpu->thread_count = threads;
        batch_forward(&b);
        batch_backward(&b);
        assert_same_bits(&b.out, &out);
        assert_same_bits(&b.d_qkv, &d_qkv);
    }
    cpu->thread_count = 2;
    tensor_free(&out);
    tensor_free(&d_qkv);
    batch_release(&b);
}

/* Scores of hundreds: no overflow, and the highest takes all. */
static void test_large_scores(void **state)
{
    const int64_t lengths[] = {150};
    struct batch b;

    (void)state;
    batch_init(&b, lengths, 1, 1, 1, 8);
    for (int64_t t = 0; t < 150; t++)
        for (int64_t i = 0; i < 16; i++)
            f32(&b.qkv)[t * 24 + i] = i < 8 ? 20.0f : (float)t * (t % 2 ? 1.0f : -1.0f);
    batch_forward(&b);
    batch_backward(&b);
    for (int64_t t = 1; t < 150; t++) { /* the last odd key has by far the highest score */
        const int64_t highest = t % 2 ? t : t - 1;
        for (int64_t i = 0; i < 8; i++)
            assert_near(f32(&b.out)[t * 8 + i], f32(&b.qkv)[highest * 24 + 16 + i],
                        4 * (double)FLT_EPSILON);
    }
    for (int64_t i = 0; i < tensor_count(&b.d_qkv); i++)
        assert_true(isfinite(f32(&b.d_qkv)[i]));
    batch_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_long_document),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_packed_equals_separate),
        cmocka_unit_test(test_bits_repeat),
        cmocka_unit_test(test_large_scores),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
