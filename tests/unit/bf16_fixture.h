#ifndef HOLDFAST_TESTS_UNIT_BF16_FIXTURE_H
#define HOLDFAST_TESTS_UNIT_BF16_FIXTURE_H

#include "tests/unit/operations_fixture.h"

#include "backend/cpu/cpu_gemm_kernel.h"

/*
 * A second back-end, which computes in bf16, and its tensors.
 *
 * Where the processor multiplies bf16, both operands of a product are rounded to it;
 * elsewhere weights are widened and activations not rounded. Tests run both ways where they
 * can.
 */
static struct backend *mixed;

static inline int open_both(void **state)
{
    struct error error = {0};
    const struct backend_options options = {.precision = "bf16", .thread_count = 2};

    if (backend_open(&mixed, &options, &error))
        fail_msg("%s", error.message);
    return fixture_open(state);
}

static inline int close_both(void **state)
{
    backend_close(mixed);
    return fixture_close(state);
}

/* With every fp32 kernel that this processor runs. */
static inline void with_each_kernel(struct backend *of, void (*run)(void))
{
    struct cpu_backend *cpu = cpu_of(of);
    const struct gemm_kernel *best = cpu->kernel;

    for (int i = 0; gemm_kernel_at(i); i++) {
        cpu->kernel = gemm_kernel_at(i);
        run();
    }
    cpu->kernel = best;
}

/* `mixed` with bf16 instructions, if they are there, and with each fp32 kernel on widened
 * weights. */
static inline void with_each_mixed_kernel(void (*run)(void))
{
    struct cpu_backend *cpu = cpu_of(mixed);
    const struct bf16_kernel *bf16 = cpu->bf16;

    if (bf16)
        run();
    else
        print_message("no bf16 instructions here: only the products in fp32 are tested\n");
    cpu->bf16 = NULL;
    with_each_kernel(mixed, run);
    cpu->bf16 = bf16;
}

static inline struct tensor bf16_of(const struct tensor *from)
{
    struct tensor to = *from;

    to.dtype = DTYPE_BF16;
    to.data = memory_allocate((size_t)tensor_count(from) * sizeof(uint16_t) + 1);
    dtype_convert(to.data, DTYPE_BF16, from->data, DTYPE_F32, tensor_count(from));
    return to;
}

static inline struct tensor bf16_matrix(int64_t rows, int64_t columns)
{
    struct tensor wide = matrix(rows, columns);
    struct tensor narrow = bf16_of(&wide);

    tensor_free(&wide);
    return narrow;
}

#endif
