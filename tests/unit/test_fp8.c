#include "tests/unit/bf16_fixture.h"

#include "tests/fp8_reference.h"

/*
 * Products of FP8 numbers (backend/fp8.h): rounding against a search among all of them,
 * whole products against sums in double of numbers that were rounded so, and against
 * PyTorch's.
 */

static void free_all(struct tensor **tensors, int count)
{
    for (int i = 0; i < count; i++)
        tensor_free(tensors[i]);
}

/* 448 on the diagonal: each row has a scale of 1, and the product is 448 times what it
 * reads. */
static struct tensor diagonal(int64_t size)
{
    struct tensor wide = matrix(size, size);
    for (int64_t i = 0; i < size * size; i++)
        f32(&wide)[i] = i % (size + 1) == 0 ? 448 : 0;
    struct tensor narrow = bf16_of(&wide);
    tensor_free(&wide);
    narrow.fp8 = true;
    return narrow;
}

/* A row of numbers behind a 448, which gives it a scale of 1. */
static void check_rounding(const float *values, int64_t count)
{
    enum { SIZE = 64 };
    struct tensor weight = diagonal(SIZE), in = matrix(1, SIZE), out = matrix(1, SIZE);
    for (int64_t first = 0; first < count; first += SIZE - 1) {
        f32(&in)[0] = 448;
        for (int64_t i = 1; i < SIZE; i++)
            f32(&in)[i] = first + i <= count ? values[first + i - 1] : 0;
        linear_forward(mixed, &out, &in, &weight, NULL, NULL);
        for (int64_t i = 0; i < SIZE; i++)
            assert_true((double)f32(&out)[i] / 448 == e4m3_round(f32(&in)[i]));
    }
    free_all((struct tensor *[]){&weight, &in, &out}, 3);
}

static void test_rounds_to_the_nearest(void **state)
{
    enum { COUNT = 20000 };
    float *values = memory_allocate_array(COUNT, sizeof *values);
    (void)state;
    for (int i = 0; i < COUNT; i++) /* 2^-13 is half of the least, below half of it is 0 */
        values[i] = random_signed() * ldexpf(1, (int)random_between(-13, 8));
    int64_t count = 0;
    for (int code = 0; code < E4M3_CODES - 1; code++) { /* all, and half-way to the next */
        values[count++] = e4m3_value(code);
        values[count++] = -(e4m3_value(code) + e4m3_value(code + 1)) / 2;
        values[count++] =
            nextafterf((e4m3_value(code) + e4m3_value(code + 1)) / 2, INFINITY);
    }
    check_rounding(values, COUNT);
    free(values);
}

static double bf16_at(const struct tensor *weight, int64_t i)
{
    return (double)bf16_to_float(((const uint16_t *)weight->data)[i]);
}

/* fp8_rows() of a tensor, or of its transpose, freed by the caller. */
static double *quantised(const struct tensor *rows, float *scales, bool turned)
{
    const int64_t M = rows->shape[0], K = rows->shape[1], count = M * K;
    double *out = memory_allocate_array((size_t)count + 1, sizeof *out);
    float *wide = memory_allocate_array((size_t)count + 1, sizeof *wide);
    float *columns = memory_allocate_array((size_t)count + 1, sizeof *columns);
    dtype_convert(wide, DTYPE_F32, rows->data, rows->dtype, count);
    for (int64_t i = 0; i < count; i++)
        columns[i % K * M + i / K] = wide[i];
    fp8_rows(out, scales, turned ? columns : wide, turned ? K : M, turned ? M : K);
    free(wide), free(columns);
    return out;
}

static float *scales_of(int64_t rows)
{
    return memory_allocate_array((size_t)rows, sizeof(float));
}

/* Times a power of two for each of `count` rows, `columns` numbers `apart` from each other
 * and a row `step` from the next: rows, or columns, of very different sizes. */
static void make_uneven(float *rows, int64_t count, int64_t step, int64_t columns,
                        int64_t apart)
{
    for (int64_t r = 0; r < count; r++) {
        const float by = ldexpf(1, (int)random_between(-30, 10));
        for (int64_t i = 0; i < columns; i++)
            rows[r * step + i * apart] *= by;
    }
}

static struct tensor narrowed(struct tensor wide, bool narrow)
{
    if (!narrow)
        return wide;
    struct tensor to = bf16_of(&wide);
    tensor_free(&wide);
    return to;
}

/* As gradients have them. */
static struct tensor uneven(int64_t rows, int64_t columns, bool narrow)
{
    struct tensor wide = matrix(rows, columns);
    make_uneven(f32(&wide), rows, columns, columns, 1);
    return narrowed(wide, narrow);
}

/* A weight of the backward. */
static struct tensor uneven_columns(int64_t rows, int64_t columns)
{
    struct tensor wide = matrix(rows, columns);
    make_uneven(f32(&wide), columns, 1, rows, columns);
    return narrowed(wide, true);
}

/* Sums of n terms in fp32 of numbers that were scaled in fp32. */
static void check_element(float actual, double expected, double magnitude, int64_t terms)
{
    assert_near(actual, expected,
                (double)(terms + 6) * (double)FLT_EPSILON * magnitude + 1e-36);
}

static void forward_case(int64_t T, int64_t M, int64_t K, bool narrow)
{
    struct tensor in = uneven(T, K, narrow), weight = uneven(M, K, true);
    struct tensor bias = bf16_matrix(1, M), residual = matrix(T, M), out = matrix(T, M);
    struct tensor bias_row = tensor_view_1d(bias.data, DTYPE_BF16, M);
    float *in_scales = scales_of(T), *weight_scales = scales_of(M);
    double *in8 = quantised(&in, in_scales, false);
    double *w8 = quantised(&weight, weight_scales, false);
    weight.fp8 = true;
    linear_forward(mixed, &out, &in, &weight, &bias_row, &residual);
    for (int64_t i = 0; i < T * M; i++) {
        const double added = bf16_at(&bias, i % M) + (double)f32(&residual)[i];
        const double by = (double)in_scales[i / M] * (double)weight_scales[i % M];
        double sum = added, magnitude = fabs(added) + 2;
        for (int64_t k = 0; k < K; k++) {
            const double product = by * in8[i / M * K + k] * w8[i % M * K + k];
            sum += product;
            magnitude += fabs(product);
        }
        check_element(f32(&out)[i], sum, magnitude, K);
    }
    free(in_scales), free(weight_scales), free(in8), free(w8);
    free_all((struct tensor *[]){&in, &weight, &bias, &residual, &out}, 5);
}

static void backward_case(int64_t T, int64_t M, int64_t K, bool narrow)
{
    struct tensor d_out = uneven(T, M, narrow), weight = uneven_columns(M, K);
    struct tensor d_in = matrix(T, K), before = copy_of(&d_in);
    float *scales = scales_of(T), *weight_scales = scales_of(K);
    double *w8 = quantised(&weight, weight_scales, true);
    double *g8 = quantised(&d_out, scales, false);
    weight.fp8 = true;
    linear_backward_input(mixed, &d_in, &d_out, &weight, true);
    for (int64_t i = 0; i < T * K; i++) {
        const double by = (double)scales[i / K] * (double)weight_scales[i % K];
        double sum = (double)f32(&before)[i], magnitude = fabs(sum);
        for (int64_t m = 0; m < M; m++) {
            const double product = by * g8[i / K * M + m] * w8[i % K * M + m];
            sum += product;
            magnitude += fabs(product);
        }
        check_element(f32(&d_in)[i], sum, magnitude, M);
    }
    free(scales), free(weight_scales), free(w8), free(g8);
    free_all((struct tensor *[]){&d_out, &weight, &d_in, &before}, 4);
}

static void product_cases(void)
{
    for (int narrow = 0; narrow <= (cpu_of(mixed)->bf16 != NULL); narrow++) {
        forward_case(1, 16, 16, narrow);
        forward_case(33, 80, 144, narrow);
        backward_case(1, 16, 16, narrow);
        backward_case(33, 80, 144, narrow);
        const int64_t T = random_between(1, 90), M = random_between(1, 120);
        const int64_t K = random_between(1, 400);
        forward_case(T, M, K, narrow);
        backward_case(T, M, K, narrow);
    }
}

static void test_products(void **state)
{
    (void)state;
    with_each_mixed_kernel(product_cases);
}

static struct tensor golden_matrix(const cJSON *golden, const char *name, int64_t rows,
                                   int64_t columns)
{
    struct tensor tensor = matrix(rows, columns);
    double *read = fp8_golden_read(golden, name, rows * columns);
    for (int64_t i = 0; i < rows * columns; i++)
        f32(&tensor)[i] = (float)read[i];
    free(read);
    return tensor;
}

/* By the greatest of the row, as terms cancel. */
static void check_golden(const struct tensor *actual, const struct tensor *golden)
{
    const int64_t columns = golden->shape[1];
    for (int64_t t = 0; t < golden->shape[0]; t++) {
        double most = 0;
        for (int64_t i = t * columns; i < (t + 1) * columns; i++)
            most = fmax(most, fabs((double)f32(golden)[i]));
        for (int64_t i = t * columns; i < (t + 1) * columns; i++)
            assert_near(f32(actual)[i], f32(golden)[i], 1e-5 * most);
    }
}

static void test_agrees_with_pytorch(void **state)
{
    int64_t T, M, K;
    (void)state;
    cJSON *json = fp8_golden(&T, &M, &K);
    struct tensor in = golden_matrix(json, "in", T, K);
    struct tensor wide = golden_matrix(json, "weight", M, K), weight = bf16_of(&wide);
    struct tensor d_out = golden_matrix(json, "d_out", T, M);
    struct tensor out = matrix(T, M), d_in = matrix(T, K);
    struct tensor golden_out = golden_matrix(json, "out", T, M);
    struct tensor golden_d_in = golden_matrix(json, "d_in", T, K);
    weight.fp8 = true;
    linear_forward(mixed, &out, &in, &weight, NULL, NULL);
    linear_backward_input(mixed, &d_in, &d_out, &weight, false);
    check_golden(&out, &golden_out);
    check_golden(&d_in, &golden_d_in);
    cJSON_Delete(json);
    free_all((struct tensor *[]){&in, &wide, &weight, &d_out, &out, &d_in, &golden_out,
                                 &golden_d_in},
             8);
}

/* A row's product is its own, whatever stands beside it, and NaN stays in its row. */
static void test_rows_are_their_own(void **state)
{
    enum { T = 9, M = 32, K = 48 };
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K);
    struct tensor all = matrix(T, M), one = matrix(1, M);
    (void)state;
    weight.fp8 = true;
    for (int64_t i = 0; i < K; i++)
        f32(&in)[2 * K + i] = 0;
    f32(&in)[3 * K + 5] = bf16_to_float(0x7FFF); /* NaN as GPUs make it: all bits set */
    f32(&in)[4 * K + 5] = INFINITY;
    linear_forward(mixed, &all, &in, &weight, NULL, NULL);
    for (int64_t t = 0; t < T; t++) {
        const struct tensor row = tensor_rows(&in, t, 1);
        linear_forward(mixed, &one, &row, &weight, NULL, NULL);
        for (int64_t m = 0; m < M; m++) {
            const float value = f32(&all)[t * M + m];
            assert_true(t == 3 || t == 4 ? isnan(value) : value == f32(&one)[m]);
            assert_true(t != 2 || value == 0);
        }
    }
    free_all((struct tensor *[]){&in, &weight, &all, &one}, 4);
}

/* Only what is marked, and not what generates. */
static void test_others_stay(void **state)
{
    enum { T = 5, M = 32, K = 48 };
    struct tensor in = matrix(T, K), weight = bf16_matrix(M, K);
    struct tensor plain = matrix(T, M), rounded = matrix(T, M), decoded = matrix(T, M);
    (void)state;
    linear_forward(mixed, &plain, &in, &weight, NULL, NULL);
    weight.fp8 = true;
    linear_forward(mixed, &rounded, &in, &weight, NULL, NULL);
    linear_decode(mixed, &decoded, &in, &weight, NULL, NULL);
    assert_same_bits(&decoded, &plain);
    assert_memory_not_equal(rounded.data, plain.data, tensor_bytes(&plain));
    free_all((struct tensor *[]){&in, &weight, &plain, &rounded, &decoded}, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds_to_the_nearest),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_agrees_with_pytorch),
        cmocka_unit_test(test_rows_are_their_own),
        cmocka_unit_test(test_others_stay),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
