#include "backend/moment_operations.h"
#include "base/dtype.h"
#include "base/random.h"
#include "optim/adamw.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 5000 };

static struct backend *open_backend(const char *precision)
{
    struct backend *backend;
    struct error error;
    const struct backend_options options = {.precision = precision, .thread_count = 2};
    if (backend_open(&backend, &options, &error))
        fail_msg("%s", error.message);
    return backend;
}

static void random_fill(float *values, int64_t count, uint64_t stream)
{
    struct random random = random_stream(5, stream);
    for (int64_t i = 0; i < count; i++)
        values[i] = random_normal(&random) * expf(4 * random_normal(&random));
}

/* Some of bitsandbytes 0.50.2's create_dynamic_map(), by position; it computes in fp32. */
static void maps_are_bitsandbytes(void **state)
{
    static const struct {
        bool is_signed;
        int code;
        double value;
    } known[] = {
        {true, 0, -0.9929687},   {true, 63, -0.1070312}, {true, 64, -0.0985938},
        {true, 126, -5.5e-7},    {true, 127, 0},         {true, 128, 5.5e-7},
        {true, 129, 3.25e-6},    {true, 191, 0.1070312}, {true, 254, 0.9929687},
        {true, 255, 1},          {false, 0, 0},          {false, 1, 3.25e-7},
        {false, 2, 7.75e-7},     {false, 3, 2.125e-6},   {false, 127, 0.1035156},
        {false, 254, 0.9964844}, {false, 255, 1},
    };
    float values[MOMENTS8_VALUES];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        moments8_values(values, known[i].is_signed);
        const double off = fabs((double)values[known[i].code] - known[i].value);
        assert_true(off <= 1e-6 * fabs(known[i].value));
    }
    for (int is_signed = 0; is_signed <= 1; is_signed++) {
        moments8_values(values, is_signed);
        for (int i = 0; i + 1 < MOMENTS8_VALUES; i++)
            assert_true(values[i] < values[i + 1]);
    }
}

/* The code of the nearest value by looking at all of them. */
static int nearest(const float *values, float x, int least)
{
    int best = 0;
    for (int i = 1; i < MOMENTS8_VALUES; i++)
        if (fabs((double)x - (double)values[i]) < fabs((double)x - (double)values[best]))
            best = i;
    return x > 0 && best < least ? least : best;
}

/* Codes and scales of one moment against a search over all values, block by block. */
static void check_moment(const struct moment8 *moment, const float *exact, int64_t offset,
                         int64_t count, bool is_signed)
{
    float values[MOMENTS8_VALUES];
    moments8_values(values, is_signed);
    for (int64_t first = 0, block = 0; first < count; block++) {
        int64_t end = first + MOMENTS8_BLOCK - (offset + first) % MOMENTS8_BLOCK;
        float greatest = 0;
        end = end < count ? end : count;
        for (int64_t i = first; i < end; i++)
            greatest = fmaxf(greatest, fabsf(exact[i]));
        /* The formula's last bit may differ with the compiler's choice of fused operations
         */
        assert_true(fabs((double)moment->scales[block] - (double)greatest) <=
                    2 * (double)FLT_EPSILON * (double)greatest);
        for (int64_t i = first; i < end; i++) {
            const double scale = (double)moment->scales[block];
            const double got = (double)values[moment->codes[i]] * scale;
            const int code = nearest(values, (float)((double)exact[i] / scale), !is_signed);
            const double bound =
                (is_signed ? MOMENTS8_SIGNED_ERROR : MOMENTS8_UNSIGNED_ERROR) * scale;
            assert_true(scale == 0 || abs(code - moment->codes[i]) <= 1);
            assert_true(fabs(got - (double)exact[i]) <= bound);
            assert_true(is_signed || exact[i] == 0 || got > 0);
        }
        first = end;
    }
}

/* From zero, one update makes m = (1 - beta1) g and v = (1 - beta2) g^2. */
static void quantises_as_the_reference(int64_t offset, int64_t count)
{
    static float weights[MOST], gradients[MOST], exact1[MOST], exact2[MOST];
    static uint8_t codes1[MOST], codes2[MOST];
    float scales1[MOST / MOMENTS8_BLOCK + 2] = {0},
                                          scales2[MOST / MOMENTS8_BLOCK + 2] = {0};
    double square = 1;
    struct backend *backend = open_backend("fp32");
    struct tensor weight = tensor_view_1d(weights, DTYPE_F32, count);
    const struct tensor gradient = tensor_view_1d(gradients, DTYPE_F32, count);
    const struct tensor norm = tensor_view_1d(&square, DTYPE_F64, 1);
    const struct moment8 moment1 = {codes1, scales1}, moment2 = {codes2, scales2};
    const struct adamw_step_parameters step = {.lr = 0.01F,
                                               .beta1 = 0.5F,
                                               .beta2 = 0.75F,
                                               .epsilon = 1e-8F,
                                               .step = 1,
                                               .offset = offset};
    memset(codes1, 0, sizeof codes1);
    memset(codes2, 0, sizeof codes2);
    random_fill(gradients, count, (uint64_t)(offset + count));
    gradients[count / 2] = 0;
    for (int64_t i = 0; i < count; i++) {
        exact1[i] = 0.5F * gradients[i];
        exact2[i] = 0.25F * (gradients[i] * gradients[i]);
    }
    adamw_update_8bit(backend, &weight, NULL, &moment1, &moment2, &gradient, &norm, &step);
    check_moment(&moment1, exact1, offset, count, true);
    check_moment(&moment2, exact2, offset, count, false);
    backend_close(backend);
}

static void odd_sizes(void **state)
{
    static const int64_t counts[] = {1, 2, 255, 256, 257, 1000, 4999};
    static const int64_t offsets[] = {0, 1, 255, 256, 3000001};
    (void)state;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 5; j++)
            quantises_as_the_reference(offsets[j], counts[i]);
}

/* What the quantised moments decode to is what the next update starts from: two updates
 * in 8 bits against adamw_update() on the moments decoded in between. */
static void second_step_starts_from_codes(void **state)
{
    enum { COUNT = 777 };
    float weights[COUNT] = {0}, wide[COUNT], gradients[COUNT], m[COUNT], v[COUNT];
    float map1[MOMENTS8_VALUES], map2[MOMENTS8_VALUES], scales1[8] = {0}, scales2[8] = {0};
    uint8_t codes1[COUNT] = {0}, codes2[COUNT] = {0};
    double square = 4;
    struct backend *backend = open_backend("fp32");
    struct tensor weight = tensor_view_1d(weights, DTYPE_F32, COUNT);
    struct tensor wide_weight = tensor_view_1d(wide, DTYPE_F32, COUNT);
    struct tensor moment1 = tensor_view_1d(m, DTYPE_F32, COUNT);
    struct tensor moment2 = tensor_view_1d(v, DTYPE_F32, COUNT);
    const struct tensor gradient = tensor_view_1d(gradients, DTYPE_F32, COUNT);
    const struct tensor norm = tensor_view_1d(&square, DTYPE_F64, 1);
    const struct moment8 codes_1 = {codes1, scales1}, codes_2 = {codes2, scales2};
    struct adamw_step_parameters step = {.lr = 0.01F,
                                         .beta1 = 0.9F,
                                         .beta2 = 0.99F,
                                         .epsilon = 1e-8F,
                                         .weight_decay = 0.1F,
                                         .clip_norm = 1,
                                         .step = 1,
                                         .offset = 100};
    (void)state;
    random_fill(gradients, COUNT, 1);
    adamw_update_8bit(backend, &weight, NULL, &codes_1, &codes_2, &gradient, &norm, &step);
    moments8_values(map1, true);
    moments8_values(map2, false);
    for (int i = 0; i < COUNT; i++) {
        const int block = (i + 100) / MOMENTS8_BLOCK;
        m[i] = map1[codes1[i]] * scales1[block];
        v[i] = map2[codes2[i]] * scales2[block];
        wide[i] = weights[i];
    }
    random_fill(gradients, COUNT, 2);
    step.step = 2;
    adamw_update_8bit(backend, &weight, NULL, &codes_1, &codes_2, &gradient, &norm, &step);
    adamw_update(backend, &wide_weight, NULL, &moment1, &moment2, &gradient, &norm, &step);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabs((double)weights[i] - (double)wide[i]) <= 1e-6);
    check_moment(&codes_1, m, 100, COUNT, true);
    check_moment(&codes_2, v, 100, COUNT, false);
    square = (double)NAN;
    memcpy(wide, weights, sizeof wide);
    adamw_update_8bit(backend, &weight, NULL, &codes_1, &codes_2, &gradient, &norm, &step);
    assert_memory_equal(wide, weights, sizeof wide);
    backend_close(backend);
}

/* Norms and small matrices keep fp32; neighbours of a kind are joined. */
static void small_ranges_stay_wide(void **state)
{
    const struct adamw_range ranges[] = {
        {.offset = 0, .count = 5000, .decayed = true},
        {.offset = 5000, .count = 64},
        {.offset = 5064, .count = 4095, .decayed = true},
        {.offset = 9159, .count = 4096, .decayed = true},
        {.offset = 13255, .count = 4097, .decayed = true},
    };
    struct backend *backend = open_backend("fp32");
    struct adamw adamw;
    struct error error;
    (void)state;
    assert_int_equal(adamw_init(&adamw, backend, 17352, DTYPE_U8, ranges, 5, &error),
                     STATUS_OK);
    assert_int_equal(adamw.range_count, 4);
    assert_int_equal(adamw_array_count(&adamw, ADAMW_VALUES), 17352);
    assert_int_equal(adamw_array_count(&adamw, ADAMW_SCALES), 68 + 4);
    assert_int_equal(adamw_array_count(&adamw, ADAMW_SMALL_VALUES), 64 + 4095);
    assert_int_equal(adamw.ranges[2].before, 64);
    adamw_release(&adamw);
    backend_close(backend);
}

/* bf16 weights alone: each moves to one of its neighbours, and right on average: n of them
 * that should move by a fifth of a spacing do so within 6 sqrt(0.2 0.8 / n). The draws are
 * those of random_stream(seed, step). */
static void weights_round_stochastically(void **state)
{
    enum { COUNT = 20001, OFFSET = 3 };
    static uint16_t weights[COUNT], again[COUNT];
    static float m[COUNT], v[COUNT], gradients[COUNT];
    double square = 1, sum = 0;
    struct backend *backend = open_backend("bf16");
    struct tensor weight = tensor_view_1d(weights, DTYPE_BF16, COUNT);
    struct tensor moment1 = tensor_view_1d(m, DTYPE_F32, COUNT);
    struct tensor moment2 = tensor_view_1d(v, DTYPE_F32, COUNT);
    const struct tensor gradient = tensor_view_1d(gradients, DTYPE_F32, COUNT);
    const struct tensor norm = tensor_view_1d(&square, DTYPE_F64, 1);
    struct adamw_step_parameters step = {.lr = 0.2F * 0x1p-7F,
                                         .beta1 = 0.9F,
                                         .beta2 = 0.99F,
                                         .epsilon = 1e-12F,
                                         .step = 1,
                                         .seed = 7,
                                         .offset = OFFSET};
    (void)state;
    for (int run = 0; run < 2; run++) {
        memcpy(again, weights, sizeof again);
        for (int i = 0; i < COUNT; i++) {
            weights[i] = bf16_from_float(1.0F);
            gradients[i] = -1.0F;
            m[i] = v[i] = 0;
        }
        adamw_update(backend, &weight, NULL, &moment1, &moment2, &gradient, &norm, &step);
    }
    assert_memory_equal(weights, again, sizeof again);
    for (int i = 0; i < COUNT; i++) {
        struct random random = random_stream(step.seed, 1);
        const float moved = bf16_to_float(weights[i]) - 1.0F;
        random.position = 2 * (uint64_t)(OFFSET + i) + 1;
        const double draw = (double)(random_u32(&random) & 0xFFFF) / 65536;
        assert_true(moved == 0.0F || moved == 0x1p-7F);
        if (fabs(draw - 0.8) > 1e-3) /* up where draw + 0.2 reaches 1 */
            assert_int_equal(moved > 0, draw > 0.8);
        sum += moved > 0;
    }
    assert_true(fabs(sum / COUNT - 0.2) <= 6 * sqrt(0.2 * 0.8 / COUNT));
    backend_close(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_bitsandbytes),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(second_step_starts_from_codes),
        cmocka_unit_test(small_ranges_stay_wide),
        cmocka_unit_test(weights_round_stochastically),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
