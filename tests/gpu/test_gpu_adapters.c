#include "tests/gpu/gpu_fixture.h"

#include "backend/adapter_operations.h"

/*
 * backend/adapter_operations.h on the device: the masks of dropout are the CPU's, bit for
 * bit; norms, gains and their backward are within bounds of exact sums.
 */
static const struct {
    int64_t T, M, K, rank;
} shapes[] = {{1, 1, 1, 1},      {3, 5, 7, 2},        {17, 33, 65, 3},
              {40, 96, 256, 16}, {129, 257, 513, 17}, {300, 1536, 4096, 64}};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

static bool too_large(int shape)
{
    return small && shapes[shape].K > 100;
}

static void dropout_case(enum dtype dtype, int shape, bool accumulate)
{
    const int64_t T = shapes[shape].T, K = shapes[shape].K;
    int32_t *names = keep(int32_t, T), *places = keep(int32_t, T);
    for (int64_t t = 0; t < T; t++) {
        names[t] = (int32_t)random_between(0, 1 << 20);
        places[t] = (int32_t)random_between(0, 1 << 20);
    }
    struct indices documents = indices_of(names, T), positions = indices_of(places, T);
    struct operand in = random_matrix(dtype, T, K), before = random_matrix(dtype, T, K);
    struct operand out = accumulate ? operand_copy(&before) : poisoned_matrix(dtype, T, K);
    struct bounded *expected = keep(struct bounded, T * K);
    const float p = 0.3f;
    EACH_SIDE(side)
    {
        const struct dropout_mask mask = {.documents = documents.on[side],
                                          .positions = positions.on[side],
                                          .key = 0xFEDCBA9876543210,
                                          .stream = 1234,
                                          .probability = p};
        dropout(backends[side], &out.on[side], &in.on[side], &mask, accumulate);
    }
    for (int64_t i = 0; i < T * K; i++) {
        const uint32_t column = (uint32_t)(i % K);
        const uint32_t counter[4] = {column / 4, (uint32_t)places[i / K],
                                     (uint32_t)names[i / K], 1234};
        const uint32_t key[2] = {0x76543210, 0xFEDCBA98};
        uint32_t drawn[4];
        random_philox(drawn, counter, key);
        const bool kept = drawn[column % 4] >= (uint32_t)((double)p * 4294967296.0);
        const double term =
            kept ? (double)host_data(&in)[i] * (double)(1.0f / (1.0f - p)) : 0;
        const double base = accumulate ? (double)host_data(&before)[i] : 0;
        expected[i] = (struct bounded){base + term, fabs(term) * (double)FLT_EPSILON};
    }
    check_operand(accumulate ? "dropout, added" : "dropout", &out, expected);
}

static void dropout_masks(enum dtype dtype)
{
    for (int shape = 0; shape < SHAPE_COUNT; shape++)
        for (int variant = 0; variant < 4; variant++) {
            if (too_large(shape))
                continue;
            shifted = variant & 1;
            case_begin("dropout %s shape %d odd %d", dtype_name(dtype), shape, shifted);
            dropout_case(dtype, shape, variant & 2);
            release_all();
        }
    shifted = false;
}
BOTH_TYPES(dropout_masks)

/* The sum of K squares, each of a number that is itself a sum of 1 + r terms: of it, twice
 * the relative error of its terms; the root halves that. */
static void norms_exact(struct bounded *expected, const struct operand *weight,
                        const struct operand *a, const struct operand *b, int shape,
                        float factor)
{
    const int64_t M = shapes[shape].M, K = shapes[shape].K, rank = shapes[shape].rank;
    for (int64_t m = 0; m < M; m++) {
        double squares = 0, off = 0;
        for (int64_t k = 0; k < K; k++) {
            double value = (double)host_data(weight)[m * K + k], size = fabs(value);
            for (int64_t r = 0; r < rank; r++) {
                const double term = (double)factor * (double)host_data(b)[m * rank + r] *
                                    (double)host_data(a)[r * K + k];
                value += term;
                size += fabs(term);
            }
            squares += value * value;
            off += 2 * fabs(value) * size * (sum_error(rank + 1) + 2 * (double)FLT_EPSILON);
        }
        expected[m] = squares > 0
                          ? (struct bounded){sqrt(squares), off / (2 * sqrt(squares))}
                          : (struct bounded){FLT_MIN, 0};
    }
}

/* As a pruned row is; of a, nothing is added to it. */
static void clear_row(struct operand *matrix, int64_t row)
{
    const int64_t columns = matrix->on[0].shape[1];
    for (int64_t i = 0; i < columns; i++)
        host_data(matrix)[row * columns + i] = 0;
    operand_send(matrix);
}

static void norms(enum dtype dtype)
{
    for (int shape = 0; shape < SHAPE_COUNT; shape++)
        for (int odd = 0; odd < 2 && !too_large(shape); odd++) {
            const int64_t M = shapes[shape].M, K = shapes[shape].K;
            shifted = odd;
            case_begin("norms %s shape %d odd %d", dtype_name(dtype), shape, odd);
            struct operand weight = random_matrix(dtype, M, K);
            struct operand a = random_matrix(dtype, shapes[shape].rank, K);
            struct operand b = random_matrix(dtype, M, shapes[shape].rank);
            struct operand out = poisoned_vector(DTYPE_F32, M);
            struct bounded *expected = keep(struct bounded, M);
            clear_row(&weight, M / 2);
            clear_row(&b, M / 2);
            EACH_SIDE(side)
            adapted_row_norms(backends[side], &out.on[side], &weight.on[side], &a.on[side],
                              &b.on[side], 0.7f);
            norms_exact(expected, &weight, &a, &b, shape, 0.7f);
            check_operand("norms", &out, expected);
            release_all();
        }
    shifted = false;
}
BOTH_TYPES(norms)

/* Positive, as lengths are. */
static struct operand lengths(int64_t count)
{
    struct operand made = random_vector(DTYPE_F32, count);
    for (int64_t i = 0; i < count; i++)
        host_data(&made)[i] = 1.5f + host_data(&made)[i];
    operand_send(&made);
    return made;
}

static void forward_case(enum dtype dtype, int shape, bool with_more)
{
    const int64_t T = shapes[shape].T, M = shapes[shape].M;
    struct operand in = random_matrix(dtype, T, M), out = operand_copy(&in);
    struct operand bias = random_vector(dtype, M), residual = random_matrix(dtype, T, M);
    struct operand gains = lengths(M);
    struct bounded *expected = keep(struct bounded, T * M);
    EACH_SIDE(side)
    gain_forward(backends[side], &out.on[side], &gains.on[side],
                 with_more ? &bias.on[side] : NULL, with_more ? &residual.on[side] : NULL);
    for (int64_t i = 0; i < T * M; i++) {
        const double product = (double)host_data(&in)[i] * (double)host_data(&gains)[i % M];
        const double more = with_more ? (double)host_data(&bias)[i % M] : 0;
        const double last = with_more ? (double)host_data(&residual)[i] : 0;
        expected[i] = (struct bounded){product + more + last, (fabs(product) + fabs(more)) *
                                                                  2 * (double)FLT_EPSILON};
    }
    check_operand("gained", &out, expected);
}

/* Columns of wider matrices, as a matrix of a group has them. */
static void backward_case(enum dtype dtype, int shape)
{
    const int64_t T = shapes[shape].T, M = shapes[shape].M, wide = M + 6;
    struct operand all = random_matrix(dtype, T, wide),
                   d_all = random_matrix(dtype, T, wide);
    struct operand in = operand_copy(&all), gains = lengths(M), over = lengths(M);
    struct operand d_magnitude = random_vector(DTYPE_F32, M);
    struct operand d_before = operand_copy(&d_magnitude);
    struct operand values = operand_columns(&all, 4, M), d = operand_columns(&d_all, 4, M);
    struct bounded *expected = keep(struct bounded, T * wide);
    struct bounded *sums = keep(struct bounded, M);
    EACH_SIDE(side)
    gain_backward(backends[side], &values.on[side], &d_magnitude.on[side], &d.on[side],
                  &gains.on[side], &over.on[side]);
    for (int64_t m = 0; m < M; m++) {
        const double norm = (double)host_data(&over)[m];
        double sum = 0, size = 0;
        for (int64_t t = 0; t < T; t++) {
            const double term = (double)host_data(&in)[t * wide + 4 + m] *
                                (double)host_data(&d_all)[t * wide + 4 + m];
            sum += term;
            size += fabs(term);
        }
        const double before = (double)host_data(&d_before)[m];
        sums[m] = (struct bounded){before + sum / norm,
                                   (sum_error(T) + 2 * (double)FLT_EPSILON) * size / norm};
    }
    for (int64_t i = 0; i < T * wide; i++) {
        const int64_t m = i % wide - 4;
        const double value =
            m >= 0 && m < M ? (double)host_data(&d_all)[i] * (double)host_data(&gains)[m]
                            : (double)host_data(&in)[i];
        /* rounded to f32, then perhaps to bf16 */
        expected[i] = (struct bounded){value, fabs(value) * (double)FLT_EPSILON};
    }
    check_operand("d_magnitude", &d_magnitude, sums);
    check_operand("d_values", &all, expected);
}

static void gains_forward_and_backward(enum dtype dtype)
{
    for (int shape = 0; shape < SHAPE_COUNT; shape++)
        for (int odd = 0; odd < 2 && !too_large(shape); odd++) {
            shifted = odd;
            case_begin("gains %s shape %d odd %d", dtype_name(dtype), shape, odd);
            forward_case(dtype, shape, odd);
            release_all();
            backward_case(dtype, shape);
            release_all();
        }
    shifted = false;
}
BOTH_TYPES(gains_forward_and_backward)

/* Masters in two halves on the device give the gain that they give whole on the host. */
static void masters_are_joined(void **state)
{
    enum { M = 777 };
    (void)state;
    require(DTYPE_BF16);
    case_begin("magnitudes in halves");
    struct operand upper = operand_make(DTYPE_BF16, 1, M, 1), norms_of = lengths(M);
    struct tensor lower =
        tensor_view_1d(device_memory(M * sizeof(int16_t), 0), DTYPE_I16, M);
    struct operand gains = poisoned_vector(DTYPE_F32, M), whole = lengths(M);
    uint16_t *bits = keep(uint16_t, M);
    int16_t *rest = keep(int16_t, M);
    struct bounded *expected = keep(struct bounded, M);
    for (int64_t i = 0; i < M; i++) {
        const float value = host_data(&whole)[i];
        bits[i] = bf16_split(value, &rest[i]);
        expected[i].value = (double)value / (double)host_data(&norms_of)[i];
    }
    backend_copy_in(backends[DEVICE], upper.on[DEVICE].data, bits, M * sizeof *bits);
    backend_copy_in(backends[DEVICE], lower.data, rest, M * sizeof *rest);
    magnitude_gains(backends[DEVICE], &gains.on[DEVICE], &upper.on[DEVICE], &lower,
                    &norms_of.on[DEVICE]);
    magnitude_gains(backends[HOST], &gains.on[HOST], &whole.on[HOST], NULL,
                    &norms_of.on[HOST]);
    check_operand("gains", &gains, expected);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        gpu_tests(dropout_masks),
        gpu_tests(norms),
        gpu_tests(gains_forward_and_backward),
        gpu_test(masters_are_joined),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
