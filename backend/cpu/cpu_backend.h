#ifndef HOLDFAST_BACKEND_CPU_CPU_BACKEND_H
#define HOLDFAST_BACKEND_CPU_CPU_BACKEND_H

#include "backend/cpu/cpu_bf16_kernel.h"
#include "backend/cpu/cpu_gemm_kernel.h"
#include "backend/operation_table.h"

#include <stddef.h>
#include <stdint.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* Scratch memory: each slot grows at first use and stays. Two users of one slot may not
 * be active at the same time, hence one slot a purpose. */
enum scratch_slot {
    SCRATCH_PACKED,  /* gemm: the packed operand that all threads share */
    SCRATCH_THREADS, /* one piece a thread, of gemm or of attention */
    SCRATCH_LOGITS,  /* cross entropy: one chunk of logits */
    SCRATCH_ROWS,    /* cross entropy: rows that have a target, and their gradients */
    SCRATCH_PARTIAL, /* partial sums, and attention's delta */
    SCRATCH_VECTOR,  /* a bf16 vector of weights, widened: see cpu_vector() */
    SCRATCH_VECTOR_2,
    SCRATCH_FP8_INPUT, /* FP8 products: operands, as f32 */
    SCRATCH_FP8_WEIGHT,
    SCRATCH_SLOT_COUNT
};

struct cpu_backend {
    struct backend backend; /* first: a struct backend * is a struct cpu_backend * */
    int thread_count;
    const struct gemm_kernel *kernel;
    const struct bf16_kernel *bf16; /* NULL: products are computed in fp32 */
    char description[160];
    struct {
        void *memory;
        size_t bytes;
    } scratch[SCRATCH_SLOT_COUNT];
};

static inline struct cpu_backend *cpu_of(struct backend *backend)
{
    return (struct cpu_backend *)backend;
}

/* At least count x bytes_each, aligned to 64, contents undefined; NULL sets the sticky
 * error, and the operation returns. */
void *cpu_scratch(struct cpu_backend *cpu, enum scratch_slot slot, int64_t count,
                  size_t bytes_each);

/* One piece of `floats` a thread, at cpu_thread_piece(base, floats) within a region. */
float *cpu_thread_scratch(struct cpu_backend *cpu, int64_t floats);

/* A vector of weights as f32: its data, or a copy in the slot. NULL: see cpu_scratch(). */
const float *cpu_vector(struct cpu_backend *cpu, const struct tensor *vector,
                        enum scratch_slot slot);

static inline int64_t cpu_thread_index(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Pieces are kept a multiple of 64 bytes apart. */
static inline int64_t cpu_piece_floats(int64_t floats)
{
    return (floats + 15) / 16 * 16;
}

static inline float *cpu_thread_piece(float *base, int64_t floats)
{
    return base + cpu_thread_index() * cpu_piece_floats(floats);
}

static inline int64_t minimum(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t maximum(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline float *f32(const struct tensor *tensor)
{
    return tensor->data;
}

/*
 * Before a `for` statement: its rounds are shared out to all threads, unless the work
 * (elements in all) is so little that a parallel region costs more than it gives.
 */
enum { CPU_PARALLEL_MINIMUM = 16384 };
#ifdef _OPENMP
#define CPU_PRAGMA(text) _Pragma(#text)
#define CPU_PARALLEL_FOR(cpu, work)                                                        \
    CPU_PRAGMA(omp parallel for num_threads((cpu)->thread_count)                           \
                   if ((work) >= CPU_PARALLEL_MINIMUM))
#else
#define CPU_PARALLEL_FOR(cpu, work) (void)(cpu), (void)(work);
#endif

#endif
