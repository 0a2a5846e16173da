#ifndef HOLDFAST_BACKEND_CUDA_CUDA_PTX_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_PTX_CUH

#include <cuda_bf16.h>
#include <stdint.h>

/*
 * The instructions of compute capability 8.0 that attention is made of, as PTX ISA
 * describes them. Addresses are 32-bit ones of shared memory.
 *
 * Fragments: in the product c[16,8] += a[16,16] b[16,8] a lane holds, with i = lane / 4
 * and j = 2 (lane % 4), pairs of neighbours:
 *
 *     a[0]: (i, j)   a[1]: (i + 8, j)   a[2]: (i, j + 8)   a[3]: (i + 8, j + 8)
 *     b0: (j, i) and (j + 1, i)         b1: (j + 8, i) and (j + 9, i)
 *     c[0], c[1]: (i, j)                c[2], c[3]: (i + 8, j)
 */
__device__ inline uint32_t shared_address(const void *pointer)
{
    return (uint32_t)__cvta_generic_to_shared(pointer);
}

__device__ inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Four matrices of 8 rows of 16 bytes; lane l has the address of row l % 8 of matrix l / 8.
 * Of each it gets the pair at row l / 4, columns 2 (l % 4) and the next. */
__device__ inline void load_matrices(uint32_t (&r)[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* The same, of the transposed matrices: the pair at rows 2 (l % 4) and the next, column
 * l / 4. */
__device__ inline void load_matrices_transposed(uint32_t (&r)[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

/* Copies 16 bytes in the background, zeros where not `inside`. */
__device__ inline void copy_16_begin(uint32_t to, const void *from, bool inside)
{
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
                 :
                 : "r"(to), "l"(from), "r"(inside ? 16 : 0)
                 : "memory");
}

__device__ inline void copy_4_begin(uint32_t to, const void *from, bool inside)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
                 :
                 : "r"(to), "l"(from), "r"(inside ? 4 : 0)
                 : "memory");
}

/* Waits for this thread's copies; those of others are there after a barrier. */
__device__ inline void copies_wait(void)
{
    asm volatile("cp.async.wait_all;" : : : "memory");
}

/* 2^x within 2 ulp; results below 2^-126 become 0, which a sum of exponentials whose
 * greatest is 1 cannot notice. */
__device__ inline float exp2_approximate(float x)
{
    float y;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* log2(x) within 2 ulp, or 2^-22 near 1; -infinity for 0. */
__device__ inline float log2_approximate(float x)
{
    float y;

    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two floats rounded to bf16, `low` in the low half. */
__device__ inline uint32_t pack_bf16(float low, float high)
{
    uint32_t packed;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
}

#endif
