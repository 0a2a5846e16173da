#include "base/dtype.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PATTERNS = 65536 };

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A binary format as the textbook has it. */
struct format {
    int fraction_bits;
    int exponent_minimum; /* of normal numbers */
    int exponent_maximum;
    uint16_t (*from_float)(float);
    float (*to_float)(uint16_t);
};

static const struct format bf16 = {7, -126, 127, bf16_from_float, bf16_to_float};
static const struct format f16 = {10, -14, 15, f16_from_float, f16_to_float};

/*
 * The nearest number of the format, ties to even, by exact arithmetic in double: the
 * quotient by the step has at most 24 bits and rint() rounds it to even.
 */
static double nearest(const struct format *format, float value)
{
    if (value == 0 || isinf(value))
        return (double)value;
    int exponent = ilogb((double)value);
    if (exponent < format->exponent_minimum)
        exponent = format->exponent_minimum;
    const double step = ldexp(1.0, exponent - format->fraction_bits);
    const double rounded = rint((double)value / step) * step;
    if (fabs(rounded) >= ldexp(1.0, format->exponent_maximum + 1))
        return copysign(HUGE_VAL, (double)value);
    return rounded;
}

static void assert_rounds(const struct format *format, float value)
{
    const double expected = nearest(format, value);
    const double actual = (double)format->to_float(format->from_float(value));
    if (memcmp(&expected, &actual, sizeof expected) != 0) /* -0 is not 0 */
        fail_msg("%a became %a, not %a", (double)value, actual, expected);
}

static void sizes_and_names(void **state)
{
    (void)state;
    assert_int_equal(dtype_bytes(DTYPE_F32), 4);
    assert_int_equal(dtype_bytes(DTYPE_BF16), 2);
    assert_int_equal(dtype_bytes(DTYPE_F16), 2);
    assert_int_equal(dtype_bytes(DTYPE_I32), 4);
    assert_int_equal(dtype_bytes(DTYPE_I64), 8);
    assert_int_equal(dtype_bytes(DTYPE_U8), 1);
    assert_string_equal(dtype_name(DTYPE_BF16), "BF16");
    assert_string_equal(dtype_name(DTYPE_U8), "U8");
}

static void known_values(void **state)
{
    (void)state;
    assert_int_equal(bf16_from_float(1.0F), 0x3F80);
    assert_int_equal(bf16_from_float(-3.14159265F), 0xC049);
    assert_int_equal(f16_from_float(1.0F), 0x3C00);
    assert_int_equal(f16_from_float(65504.0F), 0x7BFF);
    assert_int_equal(f16_from_float(65519.996F), 0x7BFF);
    assert_int_equal(f16_from_float(65520.0F), 0x7C00);
    assert_int_equal(f16_from_float(-1e30F), 0xFC00);
    assert_int_equal(f16_from_float(0x1p-24F), 0x0001);
    assert_int_equal(f16_from_float(0x1p-25F), 0x0000); /* tie to even */
    assert_int_equal(f16_from_float(0x1.8p-24F), 0x0002);
    assert_int_equal(bf16_from_float(0x1.ffp127F), 0x7F80);
    assert_true(f16_to_float(0x3555) == 0x1.554p-2F);
}

static void every_pattern_round_trips(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < PATTERNS; bits++) {
        const uint16_t pattern = (uint16_t)bits;
        assert_int_equal(bf16_from_float(bf16_to_float(pattern)), pattern);
        assert_int_equal(f16_from_float(f16_to_float(pattern)), pattern);
    }
}

static void every_pattern_means_what_the_textbook_says(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < PATTERNS; bits++) {
        const int exponent = (int)(bits >> 10 & 31);
        const double fraction = (double)(bits & 1023) / 1024;
        double expected =
            exponent == 0 ? ldexp(fraction, -14) : ldexp(1 + fraction, exponent - 15);
        if (exponent == 31)
            expected = fraction > 0 ? (double)NAN : HUGE_VAL;
        if (bits & 0x8000)
            expected = -expected;
        const double actual = (double)f16_to_float((uint16_t)bits);
        assert_true(isnan(expected) ? isnan(actual)
                                    : memcmp(&actual, &expected, sizeof actual) == 0);
    }
}

/* Halfway between neighbours, and one float to either side of it. */
static void ties_round_to_even(void **state)
{
    (void)state;
    const struct format *const formats[] = {&bf16, &f16};
    for (int i = 0; i < 2; i++) {
        for (uint32_t bits = 0; bits + 1 < PATTERNS / 2; bits++) {
            const float low = formats[i]->to_float((uint16_t)bits);
            const float high = formats[i]->to_float((uint16_t)(bits + 1));
            if (!isfinite(low) || !isfinite(high))
                continue;
            const float middle = low + (high - low) / 2;
            assert_rounds(formats[i], middle);
            assert_rounds(formats[i], -middle);
            assert_rounds(formats[i], nextafterf(middle, HUGE_VALF));
            assert_rounds(formats[i], nextafterf(middle, 0));
        }
    }
}

static void random_floats_round_to_the_nearest(void **state)
{
    (void)state;
    struct random random = random_stream(11, 0);
    for (int i = 0; i < 500000; i++) {
        const float value = float_of(random_u32(&random));
        if (isnan(value)) {
            assert_true(isnan(bf16_to_float(bf16_from_float(value))));
            assert_true(isnan(f16_to_float(f16_from_float(value))));
            continue;
        }
        assert_rounds(&bf16, value);
        assert_rounds(&f16, value);
        assert_rounds(&f16, (random_float(&random) - 0.5F) * 1e-4F); /* subnormals */
    }
}

static void nan_stays_nan_when_its_payload_does_not_fit(void **state)
{
    (void)state;
    assert_int_equal(bf16_from_float(float_of(0x7F800001)), 0x7FC0);
    assert_int_equal(f16_from_float(float_of(0xFF800001)), 0xFE00);
}

static void arrays_convert_as_scalars_do(void **state)
{
    (void)state;
    enum { COUNT = 1037 }; /* no multiple of a vector */
    static float floats[COUNT], back[COUNT];
    static uint16_t halves[COUNT], others[COUNT];
    struct random random = random_stream(12, 0);
    for (int i = 0; i < COUNT; i++)
        floats[i] = float_of(random_u32(&random));
    dtype_convert(halves, DTYPE_BF16, floats, DTYPE_F32, COUNT);
    dtype_convert(back, DTYPE_F32, halves, DTYPE_BF16, COUNT);
    dtype_convert(others, DTYPE_F16, halves, DTYPE_BF16, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const float expected = bf16_to_float(halves[i]);
        assert_int_equal(halves[i], bf16_from_float(floats[i]));
        assert_memory_equal(&back[i], &expected, sizeof expected);
        assert_int_equal(others[i], f16_from_float(expected));
    }
    dtype_convert(halves, DTYPE_F16, floats, DTYPE_F32, COUNT);
    dtype_convert(back, DTYPE_F32, halves, DTYPE_F16, COUNT);
    dtype_convert(others, DTYPE_BF16, halves, DTYPE_F16, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const float expected = f16_to_float(halves[i]);
        assert_int_equal(halves[i], f16_from_float(floats[i]));
        assert_memory_equal(&back[i], &expected, sizeof expected);
        assert_int_equal(others[i], bf16_from_float(expected));
    }
    dtype_convert(back, DTYPE_F32, floats, DTYPE_F32, COUNT);
    assert_memory_equal(back, floats, sizeof back);
    dtype_convert(back, DTYPE_F16, floats, DTYPE_F32, 0);
}

/* Any finite or infinite number comes back whole; the upper half is the nearest bf16. */
static void halves_join_again(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1 << 20; i++) {
        const uint32_t bits = (uint32_t)(i * 2654435761U + i);
        float value, joined;
        int16_t remainder;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        const uint16_t upper = bf16_split(value, &remainder);
        joined = bf16_join(upper, remainder);
        assert_memory_equal(&joined, &value, sizeof value);
        const uint16_t nearest = bf16_from_float(value);
        assert_true(upper == nearest || (uint16_t)remainder == 0x8000); /* a tie */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_names),
        cmocka_unit_test(known_values),
        cmocka_unit_test(every_pattern_round_trips),
        cmocka_unit_test(every_pattern_means_what_the_textbook_says),
        cmocka_unit_test(ties_round_to_even),
        cmocka_unit_test(random_floats_round_to_the_nearest),
        cmocka_unit_test(nan_stays_nan_when_its_payload_does_not_fit),
        cmocka_unit_test(arrays_convert_as_scalars_do),
        cmocka_unit_test(halves_join_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
