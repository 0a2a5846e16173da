#ifndef HOLDFAST_TESTS_GPU_FIXTURE_H
#define HOLDFAST_TESTS_GPU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/operations.h"
#include "base/memory.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * What the tests of the CUDA back-end share: two back-ends in one process, the device
 * under test and the CPU beside it; operands that lie on both; comparison with bounds.
 *
 *     TEST_SEED            repeats a run (every run draws a fresh seed and prints it)
 *     HOLDFAST_TEST_DEVICE what is tested, "cuda" if unset. "cpu" tests the tests: a
 *                          second CPU back-end is the device, bf16 is skipped. If set, a
 *                          device that cannot be opened is a failure, not a skip.
 *     HOLDFAST_TEST_SMALL  1: small shapes only, for compute-sanitizer; buffers then end
 *                          where their tensor ends, so that memcheck sees every overrun
 *
 * Outputs are poisoned with NaN before a call, so that an element that was not written
 * shows. Every device buffer has guard bytes on both sides, checked at the end of a case.
 */
enum side { DEVICE, HOST };

static struct backend *backends[2]; /* DEVICE: NULL where there is none */
static struct random numbers;
static bool small;
static bool shifted; /* operands made now start at odd addresses, as parameters may */
static char case_text[160];
static double worst_of_test; /* greatest error as a share of what was allowed */

/* ---------------------------------------------------------------- opening, closing */

static inline bool environment_says(const char *name, const char *value)
{
    const char *text = getenv(name);

    return text && strcmp(text, value) == 0;
}

/* (Re)opens the device, in bf16 where it is not the CPU: f32 tensors are served too. */
static inline int device_open(void)
{
    const char *name = getenv("HOLDFAST_TEST_DEVICE");
    const bool is_cpu = name && strcmp(name, "cpu") == 0;
    const struct backend_options options = {.device = name ? name : "cuda",
                                            .precision = is_cpu ? "fp32" : "bf16"};
    struct error error = {0};

    backend_close(backends[DEVICE]);
    backends[DEVICE] = NULL;
    if (backend_open(&backends[DEVICE], &options, &error)) {
        print_message("%s: %s\n", name ? "failed" : "skipped", error.message);
        return name ? -1 : 0;
    }
    return 0;
}

static inline int fixture_open(void **state)
{
    const char *text = getenv("TEST_SEED");
    const uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) % 1000000;
    const struct backend_options cpu = {.device = "cpu", .precision = "fp32"};
    struct error error = {0};

    (void)state;
    small = environment_says("HOLDFAST_TEST_SMALL", "1");
    numbers = random_stream(seed, 1);
    if (backend_open(&backends[HOST], &cpu, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    const int code = device_open();
    if (backends[DEVICE])
        print_message("TEST_SEED=%llu, %s\n", (unsigned long long)seed,
                      backend_description(backends[DEVICE]));
    return code;
}

static inline int fixture_close(void **state)
{
    (void)state;
    backend_close(backends[DEVICE]);
    backend_close(backends[HOST]);
    return 0;
}

/* The first line of a test: skips it where there is no device, or no such type on it. */
static inline void require(enum dtype dtype)
{
    if (!backends[DEVICE])
        skip();
    if (dtype == DTYPE_BF16 && backend_compute_dtype(backends[DEVICE]) != DTYPE_BF16)
        skip();
}

/* The CPU stands in for the device: some promises are not its own. */
static inline bool device_is_cpu(void)
{
    return backend_on_host(backends[DEVICE]);
}

/* Names what runs, for messages of failures. */
__attribute__((format(printf, 1, 2))) static inline void case_begin(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

static inline void device_sync(void)
{
    struct error error = {0};

    if (backend_sync(backends[DEVICE], &error))
        fail_msg("%s: %s", case_text, error.message);
}

/* ------------------------------------------------------------------------- memory */

/* What a case holds; release_all() frees it, also after a failure (test_end()). */
enum { GUARD_BYTES = 256, GUARD_PATTERN = 0xA5, BLOCK_LIMIT = 512 };
static struct block {
    unsigned char *base;
    size_t front, bytes, back; /* guard, data, guard */
} blocks[BLOCK_LIMIT];
static void *heap_pieces[4 * BLOCK_LIMIT];
static int block_count, heap_count;

static inline void *keep_bytes(size_t bytes)
{
    CHECK(heap_count < 4 * BLOCK_LIMIT);
    return heap_pieces[heap_count++] = memory_allocate(bytes + 1);
}

#define keep(type, count) ((type *)keep_bytes((size_t)(count) * sizeof(type)))

static inline void *device_memory(size_t bytes, size_t shift)
{
    const size_t guard = small ? 0 : GUARD_BYTES;
    const struct block block = {.front = guard + shift, .bytes = bytes, .back = guard};
    struct error error = {0};
    unsigned char pattern[2 * GUARD_BYTES];

    CHECK(block_count < BLOCK_LIMIT && shift < GUARD_BYTES);
    blocks[block_count] = block;
    unsigned char *base =
        backend_allocate(backends[DEVICE], block.front + bytes + guard, &error);
    if (!base)
        fail_msg("%s: %s", case_text, error.message);
    blocks[block_count++].base = base;
    memset(pattern, GUARD_PATTERN, sizeof pattern);
    backend_copy_in(backends[DEVICE], base, pattern, block.front);
    backend_copy_in(backends[DEVICE], base + block.front + bytes, pattern, guard);
    return base + block.front;
}

static inline void guard_check(const struct block *block)
{
    unsigned char seen[2][2 * GUARD_BYTES];
    size_t broken = 0;

    backend_copy_out(backends[DEVICE], seen[0], block->base, block->front);
    backend_copy_out(backends[DEVICE], seen[1], block->base + block->front + block->bytes,
                     block->back);
    device_sync();
    for (size_t i = 0; i < block->front; i++)
        broken += seen[0][i] != GUARD_PATTERN;
    for (size_t i = 0; i < block->back; i++)
        broken += seen[1][i] != GUARD_PATTERN;
    if (broken)
        fail_msg("%s: %zu bytes beside a buffer of %zu bytes were written", case_text,
                 broken, block->bytes);
}

static inline void free_all(void)
{
    while (block_count > 0)
        backend_free(backends[DEVICE], blocks[--block_count].base);
    while (heap_count > 0)
        free(heap_pieces[--heap_count]);
}

/* The end of a case. */
static inline void release_all(void)
{
    device_sync();
    for (int i = 0; i < block_count && !small; i++)
        guard_check(&blocks[i]);
    free_all();
}

static inline int test_end(void **state)
{
    (void)state;
    if (worst_of_test > 0)
        print_message("             greatest error: %.2g of what is allowed\n",
                      worst_of_test);
    worst_of_test = 0;
    shifted = false;
    if (!backends[DEVICE])
        return 0;
    free_all();
    if (backend_sync(backends[DEVICE], NULL)) /* sticky: the next test starts afresh */
        device_open();
    return 0;
}

/* ----------------------------------------------------------------------- operands */

/*
 * The same numbers on both sides: on the device in the type of the case, on the host in
 * f32 (rounded to bf16 first where that is the type, so that both are equal).
 */
struct operand {
    struct tensor on[2];
};

/* An int32 array on both sides. */
struct indices {
    int32_t *on[2];
};

static inline float *host_data(const struct operand *operand)
{
    return operand->on[HOST].data;
}

static inline int64_t random_between(int64_t low, int64_t high)
{
    return low + (int64_t)random_below(&numbers, (uint64_t)(high - low + 1));
}

static inline float random_signed(void)
{
    return 2.0f * random_float(&numbers) - 1.0f;
}

/* Uniform in [-1, 1), by a hash of the index (splitmix64), so that threads can share. */
static inline void random_fill(float *out, int64_t count)
{
    const uint64_t seed = random_u64(&numbers);

#pragma omp parallel for if (count > 65536)
    for (int64_t i = 0; i < count; i++) {
        uint64_t x = seed + (uint64_t)i * 0x9E3779B97F4A7C15;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
        x = (x ^ x >> 27) * 0x94D049BB133111EB;
        out[i] = (float)(int32_t)((x ^ x >> 31) >> 40) * 0x1p-23f - 1.0f;
    }
}

static inline void round_to_bf16(float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = bf16_to_float(bf16_from_float(values[i]));
}

/* Brings what is on the host to the device once more (both copies become equal). */
static inline void operand_send(struct operand *operand)
{
    struct tensor *device = &operand->on[DEVICE];
    const int64_t count = tensor_count(device);

    if (device->dtype == DTYPE_F32) {
        backend_copy_in(backends[DEVICE], device->data, host_data(operand),
                        tensor_bytes(device));
        return;
    }
    uint16_t *narrow = memory_allocate_array((size_t)count + 1, sizeof *narrow);
    round_to_bf16(host_data(operand), count);
    dtype_convert(narrow, DTYPE_BF16, host_data(operand), DTYPE_F32, count);
    backend_copy_in(backends[DEVICE], device->data, narrow, tensor_bytes(device));
    free(narrow);
}

static inline struct tensor tensor_of(void *data, enum dtype dtype, int rank, int64_t rows,
                                      int64_t columns)
{
    return rank == 1 ? tensor_view_1d(data, dtype, rows)
                     : tensor_view_2d(data, dtype, rows, columns);
}

/* Uninitialised on the device. A shift of 1 to 7 elements where `shifted`. */
static inline struct operand operand_make(enum dtype dtype, int rank, int64_t rows,
                                          int64_t columns)
{
    const size_t count = (size_t)(rows * columns), bytes = dtype_bytes(dtype);
    const size_t shift = shifted ? bytes * (size_t)random_between(1, 7) : 0;
    float *host = keep(float, count);
    void *device = device_memory(count * bytes, shift);

    return (struct operand){{tensor_of(device, dtype, rank, rows, columns),
                             tensor_of(host, DTYPE_F32, rank, rows, columns)}};
}

static inline struct operand random_operand(enum dtype dtype, int rank, int64_t rows,
                                            int64_t columns)
{
    struct operand operand = operand_make(dtype, rank, rows, columns);

    random_fill(host_data(&operand), rows * columns);
    operand_send(&operand);
    return operand;
}

static inline struct operand random_matrix(enum dtype dtype, int64_t rows, int64_t columns)
{
    return random_operand(dtype, 2, rows, columns);
}

static inline struct operand random_vector(enum dtype dtype, int64_t count)
{
    return random_operand(dtype, 1, count, 1);
}

/* All bytes 0xFF: a NaN in f32 and in bf16. */
static inline void poison(struct operand *operand)
{
    for (int side = DEVICE; side <= HOST; side++) {
        const size_t bytes = tensor_bytes(&operand->on[side]);
        unsigned char *pattern = memory_allocate(bytes + 1);
        memset(pattern, 0xFF, bytes);
        backend_copy_in(backends[side], operand->on[side].data, pattern, bytes);
        free(pattern);
    }
}

static inline struct operand poisoned_matrix(enum dtype dtype, int64_t rows,
                                             int64_t columns)
{
    struct operand operand = operand_make(dtype, 2, rows, columns);

    poison(&operand);
    return operand;
}

static inline struct operand poisoned_vector(enum dtype dtype, int64_t count)
{
    struct operand operand = operand_make(dtype, 1, count, 1);

    poison(&operand);
    return operand;
}

/* The same numbers in other memory. */
static inline struct operand operand_copy(const struct operand *from)
{
    const struct tensor *t = &from->on[DEVICE];
    struct operand copy =
        operand_make(t->dtype, t->rank, t->shape[0], t->rank == 1 ? 1 : t->shape[1]);

    memcpy(host_data(&copy), host_data(from), tensor_bytes(&from->on[HOST]));
    operand_send(&copy);
    return copy;
}

static inline struct operand operand_columns(const struct operand *operand, int64_t first,
                                             int64_t columns)
{
    return (struct operand){{tensor_columns(&operand->on[DEVICE], first, columns),
                             tensor_columns(&operand->on[HOST], first, columns)}};
}

/* One f64, as sums and norms are. */
static inline struct operand double_operand(double value)
{
    struct operand operand = {{tensor_view_1d(device_memory(sizeof value, 0), DTYPE_F64, 1),
                               tensor_view_1d(keep(double, 1), DTYPE_F64, 1)}};

    backend_copy_in(backends[DEVICE], operand.on[DEVICE].data, &value, sizeof value);
    backend_copy_in(backends[HOST], operand.on[HOST].data, &value, sizeof value);
    return operand;
}

/* The host's array is `host`, which stays the caller's. */
static inline struct indices indices_of(int32_t *host, int64_t count)
{
    const size_t bytes = (size_t)count * sizeof *host;
    struct indices indices = {{device_memory(bytes, 0), host}};

    backend_copy_in(backends[DEVICE], indices.on[DEVICE], host, bytes);
    return indices;
}

/* What the device holds, byte for byte; freed with the case. */
static inline void *fetch(const struct tensor *tensor)
{
    void *copy = keep_bytes(tensor_bytes(tensor));

    backend_copy_out(backends[DEVICE], copy, tensor->data, tensor_bytes(tensor));
    device_sync();
    return copy;
}

/* What the device holds, as f32. */
static inline float *fetch_floats(const struct operand *operand)
{
    const struct tensor *tensor = &operand->on[DEVICE];
    void *raw = fetch(tensor);
    float *values = keep(float, tensor_count(tensor));

    dtype_convert(values, DTYPE_F32, raw, tensor->dtype, tensor_count(tensor));
    return values;
}

static inline void assert_same_bits(const char *what, const void *a, const void *b,
                                    size_t bytes)
{
    const unsigned char *x = a, *y = b;
    size_t first = 0;

    if (bytes == 0 || memcmp(a, b, bytes) == 0)
        return;
    while (x[first] == y[first])
        first++;
    fail_msg("%s: %s: bits differ, first at byte %zu of %zu", case_text, what, first,
             bytes);
}

/* ------------------------------------------------------------------------- bounds */

/* What is expected, and how far an fp32 computation of it may be off. */
struct bounded {
    double value;
    double error;
};

/*
 * How far an fp32 sum of n terms may be off, in units of the sum of magnitudes: n
 * FLT_EPSILON in the worst case of any order of additions; 4 sqrt(n) FLT_EPSILON (8 sqrt(n)
 * roundings) with a probability of all but 2 exp(-32), the roundings being independent:
 * Higham & Mary 2019, "A new approach to probabilistic rounding error analysis", theorem
 * 2.4 with lambda = 8. Tensor cores cut off instead of rounding; a run of n / 16 of them
 * stays below that for n up to 4,096. A product in TF32 is off by 2^11 FLT_EPSILON and is
 * found out.
 */
static inline double sum_error(int64_t n)
{
    return fmin((double)n + 2, 4 * sqrt((double)n) + 2) * (double)FLT_EPSILON;
}

/* By how much of itself a number rounded to bf16 (8 bits of significand) may be off. */
static const double bf16_error = 0x1p-8;

/* Half a unit in the last place of a number below `magnitude`: what storing it may cost. */
static inline double storing_error(double magnitude, enum dtype dtype)
{
    int exponent; /* magnitude in [2^(exponent - 1), 2^exponent) */

    (void)frexp(magnitude, &exponent);
    return ldexp(1, exponent - (dtype == DTYPE_BF16 ? 9 : 25));
}

/* How far the stored number may be off: what the computation was, rounded once. */
static inline double allowed(struct bounded expected, enum dtype dtype)
{
    return expected.error + storing_error(fabs(expected.value) + expected.error, dtype) +
           1e-37;
}

/*
 * `actual` is not off by more than allowed anywhere (NaN is). Counts before it fails, so
 * that one run on a device says much.
 */
static inline void check_floats(const char *what, const float *actual, enum dtype dtype,
                                const struct bounded *expected, int64_t count)
{
    int64_t bad = 0, first = 0;
    double worst = 0;

    for (int64_t i = 0; i < count; i++) {
        const double off = fabs((double)actual[i] - expected[i].value);
        const double limit = allowed(expected[i], dtype);
        worst = off > worst * limit ? off / limit : worst;
        if (!(off <= limit) && bad++ == 0)
            first = i;
    }
    worst_of_test = fmax(worst_of_test, worst);
    if (bad)
        fail_msg("%s: %s: %lld of %lld are off, up to %.3g times the bound; first [%lld]: "
                 "%.9g, expected %.9g within %.3g",
                 case_text, what, (long long)bad, (long long)count, worst, (long long)first,
                 (double)actual[first], expected[first].value,
                 allowed(expected[first], dtype));
}

/* Element for element the bits of `expected` rounded to the type of the operand. */
static inline void check_exact(const char *what, const struct operand *operand,
                               const float *expected)
{
    const int64_t count = tensor_count(&operand->on[DEVICE]);
    const float *actual = fetch_floats(operand);
    float *rounded = keep(float, count);

    memcpy(rounded, expected, (size_t)count * sizeof *rounded);
    if (operand->on[DEVICE].dtype == DTYPE_BF16)
        round_to_bf16(rounded, count);
    assert_same_bits(what, actual, rounded, (size_t)count * sizeof *rounded);
}

/* As check_floats(), for one number. */
static inline void check_number(const char *what, double actual, double expected,
                                double limit)
{
    if (!(fabs(actual - expected) <= limit))
        fail_msg("%s: %s: %.12g, expected %.12g within %.3g", case_text, what, actual,
                 expected, limit);
    if (limit > 0)
        worst_of_test = fmax(worst_of_test, fabs(actual - expected) / limit);
}

/*
 * The device's result against the exact one, and where it is f32 against the CPU back-end's
 * as well: two numbers within the bound of one are within twice the bound of each other.
 */
static inline void check_operand(const char *what, const struct operand *operand,
                                 const struct bounded *expected)
{
    const enum dtype dtype = operand->on[DEVICE].dtype;
    const int64_t count = tensor_count(&operand->on[DEVICE]);
    const float *actual = fetch_floats(operand);

    check_floats(what, actual, dtype, expected, count);
    for (int64_t i = 0; i < count && dtype == DTYPE_F32; i++) {
        const double cpu = (double)host_data(operand)[i];
        const double limit = 2 * allowed(expected[i], DTYPE_F32);
        if (!(fabs((double)actual[i] - cpu) <= limit))
            fail_msg("%s: %s: [%lld]: %.9g, the CPU has %.9g, they may differ by %.3g",
                     case_text, what, (long long)i, (double)actual[i], cpu, limit);
    }
}

/* Cases of both types run on both sides: the CPU sees the same numbers in f32. */
#define EACH_SIDE(side) for (int side = DEVICE; side <= HOST; side++)

/* A test `name`_f32 and a test `name`_bf16, which call name(dtype). */
#define BOTH_TYPES(name)                                                                   \
    static void name##_f32(void **state)                                                   \
    {                                                                                      \
        (void)state;                                                                       \
        require(DTYPE_F32);                                                                \
        name(DTYPE_F32);                                                                   \
    }                                                                                      \
    static void name##_bf16(void **state)                                                  \
    {                                                                                      \
        (void)state;                                                                       \
        require(DTYPE_BF16);                                                               \
        name(DTYPE_BF16);                                                                  \
    }
#define gpu_test(name)  cmocka_unit_test_teardown(name, test_end)
#define gpu_tests(name) gpu_test(name##_f32), gpu_test(name##_bf16)

#endif
