#include "tests/gpu/gpu_fixture.h"

#include "backend/moment_operations.h"

/* Two moments in 8 bits, on one side. */
struct codes {
    struct moment8 moment1, moment2;
};

enum weight_kind { WEIGHT_F32, WEIGHT_JOINED, WEIGHT_BF16 };

/* Weights on the device in the form of the case, and their moments. */
struct state {
    int64_t count, offset;
    struct tensor weight, remainder;
    struct codes codes;
};

static struct adamw_step_parameters parameters_of(int64_t offset)
{
    return (struct adamw_step_parameters){.lr = 0.01f,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.95f,
                                          .epsilon = 1e-8f,
                                          .weight_decay = 0.1f,
                                          .clip_norm = 0.3f,
                                          .step = 1,
                                          .seed = 42,
                                          .offset = offset};
}

static void *device_copy(const void *host, size_t bytes, size_t each)
{
    const size_t shift = shifted ? each * (size_t)random_between(1, 7) : 0;
    void *device = device_memory(bytes, shift);

    backend_copy_in(backends[DEVICE], device, host, bytes);
    return device;
}

static struct moment8 moment_zero(int64_t count, int64_t scale_count)
{
    const void *zero = memset(keep(float, count + scale_count), 0,
                              (size_t)(count + scale_count) * sizeof(float));
    return (struct moment8){
        .codes = device_copy(zero, (size_t)count, 1),
        .scales = device_copy(zero, (size_t)scale_count * sizeof(float), sizeof(float))};
}

static struct state state_make(const float *weights, int64_t count, int64_t offset,
                               enum weight_kind kind)
{
    const int64_t scale_count = moments8_block_count(offset, count);
    const size_t bytes = (size_t)count * sizeof(float);
    struct state s = {.count = count, .offset = offset};
    uint16_t *upper = keep(uint16_t, count);
    int16_t *lower = keep(int16_t, count);

    bf16_split_all(upper, lower, weights, count);
    if (kind == WEIGHT_F32)
        s.weight = tensor_view_1d(device_copy(weights, bytes, 4), DTYPE_F32, count);
    else
        s.weight = tensor_view_1d(device_copy(upper, bytes / 2, 2), DTYPE_BF16, count);
    if (kind == WEIGHT_JOINED)
        s.remainder = tensor_view_1d(device_copy(lower, bytes / 2, 2), DTYPE_I16, count);
    s.codes.moment1 = moment_zero(count, scale_count);
    s.codes.moment2 = moment_zero(count, scale_count);
    return s;
}

static void state_step(struct state *s, const struct operand *gradient,
                       const struct operand *square, const struct adamw_step_parameters *p)
{
    adamw_update_8bit(backends[DEVICE], &s->weight,
                      s->remainder.data ? &s->remainder : NULL, &s->codes.moment1,
                      &s->codes.moment2, &gradient->on[DEVICE], &square->on[DEVICE], p);
}

static struct operand square_of(const struct operand *gradient)
{
    double square = 0;

    for (int64_t i = 0; i < tensor_count(&gradient->on[HOST]); i++)
        square += (double)host_data(gradient)[i] * (double)host_data(gradient)[i];
    return double_operand(square);
}

static uint8_t *codes_of(const struct moment8 *moment, int64_t count)
{
    const struct tensor codes = tensor_view_1d(moment->codes, DTYPE_U8, count);

    return fetch(&codes);
}

static float *scales_of(const struct moment8 *moment, int64_t scale_count)
{
    const struct tensor scales = tensor_view_1d(moment->scales, DTYPE_F32, scale_count);

    return fetch(&scales);
}

/*
 * The device's codes and scales against the CPU's, which then takes them over. Moments are
 * off by a few roundings of their terms, which may cancel (a block may be of one weight):
 * the old moment, at most the scale `before`, and the gradient's share, at most that and
 * the new one. So a scale is off by 4 FLT_EPSILON of both scales, and a code by one where a
 * number lies half-way, which is seldom.
 */
static void moment_follows(struct moment8 *host, const struct moment8 *device,
                           const float *before, int64_t count, int64_t scale_count)
{
    const uint8_t *codes = codes_of(device, count);
    const float *scales = scales_of(device, scale_count);
    int64_t others = 0;

    for (int64_t i = 0; i < scale_count; i++)
        check_number("scale", (double)scales[i], (double)host->scales[i],
                     4 * (double)FLT_EPSILON * (double)(host->scales[i] + before[i]));
    for (int64_t i = 0; i < count; i++) {
        if (abs(codes[i] - host->codes[i]) > 1)
            fail_msg("%s: [%lld]: code %d, on the CPU %d", case_text, (long long)i,
                     codes[i], host->codes[i]);
        others += codes[i] != host->codes[i];
    }
    if (others > 2 + count / 1000)
        fail_msg("%s: %lld of %lld codes differ", case_text, (long long)others,
                 (long long)count);
    memcpy(host->codes, codes, (size_t)count);
    memcpy(host->scales, scales, (size_t)scale_count * sizeof(float));
}

/* One update moves a weight below 2 by lr times a ratio of at most 3, off by some 12
 * roundings, and rounds it twice: 8 FLT_EPSILON. */
static void follows_the_cpu(int64_t count, int64_t offset)
{
    const int64_t scale_count = moments8_block_count(offset, count);
    struct adamw_step_parameters p = parameters_of(offset);
    float *weights = keep(float, count), *scales = keep(float, 2 * scale_count);
    float *before = keep(float, 2 * scale_count);
    uint8_t *codes = keep(uint8_t, 2 * count);
    struct codes host = {{codes, scales}, {codes + count, scales + scale_count}};

    case_begin("adamw 8 bits %lld at %lld odd %d", (long long)count, (long long)offset,
               shifted);
    memset(codes, 0, (size_t)(2 * count));
    memset(scales, 0, (size_t)(2 * scale_count) * sizeof(float));
    random_fill(weights, count);
    struct tensor weight = tensor_view_1d(weights, DTYPE_F32, count);
    struct state s = state_make(weights, count, offset, WEIGHT_F32);
    for (p.step = 1; p.step <= 3; p.step++) {
        const struct operand gradient = random_vector(DTYPE_F32, count);
        const struct operand square = square_of(&gradient);
        memcpy(before, scales, (size_t)(2 * scale_count) * sizeof(float));
        state_step(&s, &gradient, &square, &p);
        adamw_update_8bit(backends[HOST], &weight, NULL, &host.moment1, &host.moment2,
                          &gradient.on[HOST], &square.on[HOST], &p);
        const float *moved = fetch(&s.weight);
        for (int64_t i = 0; i < count; i++)
            check_number("weight", (double)moved[i], (double)weights[i],
                         8 * (double)FLT_EPSILON);
        memcpy(weights, moved, (size_t)count * sizeof(float));
        moment_follows(&host.moment1, &s.codes.moment1, before, count, scale_count);
        moment_follows(&host.moment2, &s.codes.moment2, before + scale_count, count,
                       scale_count);
    }
    release_all();
}

static void cpu_against_device(void **state)
{
    static const int64_t counts[] = {1, 255, 256, 257, 5000, 300007};
    static const int64_t offsets[] = {0, 1, 100, 255, 256 * 7};

    (void)state;
    require(DTYPE_F32);
    for (int i = 0; i < (small ? 5 : 6); i++)
        for (int j = 0; j < 5; j++) {
            shifted = (i + j) % 2;
            follows_the_cpu(counts[i], offsets[j]);
        }
}

static void assert_same_moments(const struct state *a, const struct state *b)
{
    const int64_t scale_count = moments8_block_count(a->offset, a->count);

    for (int i = 0; i < 2; i++) {
        const struct moment8 *x = i ? &a->codes.moment2 : &a->codes.moment1;
        const struct moment8 *y = i ? &b->codes.moment2 : &b->codes.moment1;
        assert_same_bits("codes", codes_of(x, a->count), codes_of(y, a->count),
                         (size_t)a->count);
        assert_same_bits("scales", scales_of(x, scale_count), scales_of(y, scale_count),
                         (size_t)scale_count * sizeof(float));
    }
}

/* Joined masters and f32 weights are moved alike; bf16 weights alone take the same draws
 * every time, and others with another seed. */
static void forms_of_weights(void **state)
{
    enum { COUNT = 20003, OFFSET = 77 };
    struct adamw_step_parameters p = parameters_of(OFFSET);

    (void)state;
    require(DTYPE_BF16);
    case_begin("adamw 8 bits, forms of weights");
    float *weights = keep(float, COUNT), *masters = keep(float, COUNT);
    random_fill(weights, COUNT);
    const struct operand gradient = random_vector(DTYPE_F32, COUNT);
    const struct operand square = square_of(&gradient);
    struct state wide = state_make(weights, COUNT, OFFSET, WEIGHT_F32);
    struct state joined = state_make(weights, COUNT, OFFSET, WEIGHT_JOINED);
    struct state bf16[3];
    for (int i = 0; i < 3; i++)
        bf16[i] = state_make(weights, COUNT, OFFSET, WEIGHT_BF16);
    for (p.step = 1; p.step <= 3; p.step++) {
        p.seed = 42;
        state_step(&wide, &gradient, &square, &p);
        state_step(&joined, &gradient, &square, &p);
        for (int i = 0; i < 3; i++) {
            p.seed = i < 2 ? 42 : 43;
            state_step(&bf16[i], &gradient, &square, &p);
        }
    }
    bf16_join_all(masters, fetch(&joined.weight), fetch(&joined.remainder), COUNT);
    assert_same_bits("masters", masters, fetch(&wide.weight), COUNT * sizeof(float));
    assert_same_moments(&wide, &joined);
    assert_same_moments(&wide, &bf16[0]); /* gradients, not weights, decide them */
    assert_same_bits("bf16", fetch(&bf16[0].weight), fetch(&bf16[1].weight), COUNT * 2);
    assert_true(memcmp(fetch(&bf16[0].weight), fetch(&bf16[2].weight), COUNT * 2) != 0);
    release_all();
}

static void broken_norm_changes_nothing(void **state)
{
    const struct adamw_step_parameters p = parameters_of(0);

    (void)state;
    require(DTYPE_F32);
    case_begin("adamw 8 bits, broken norm");
    float *weights = keep(float, 1000);
    random_fill(weights, 1000);
    const struct operand gradient = random_vector(DTYPE_F32, 1000);
    const struct operand square = double_operand((double)NAN);
    struct state s = state_make(weights, 1000, 0, WEIGHT_F32);
    struct state before = state_make(weights, 1000, 0, WEIGHT_F32);
    state_step(&s, &gradient, &square, &p);
    assert_same_bits("weights", fetch(&s.weight), weights, 1000 * sizeof(float));
    assert_same_moments(&s, &before);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_test(cpu_against_device),
        gpu_test(forms_of_weights),
        gpu_test(broken_norm_changes_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
