#ifndef HOLDFAST_BACKEND_CUDA_CUDA_BACKEND_H
#define HOLDFAST_BACKEND_CUDA_CUDA_BACKEND_H

extern "C" {
#include "backend/operation_table.h"
}

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the parts of the CUDA back-end share. Everything runs in order on one stream; the
 * host runs ahead of it and waits only in backend_sync(). CUDA chooses its device per
 * thread, so that a back-end is used by the thread that opened it. Included by .cu and .cpp
 * files.
 */

/* Scratch memory: each slot grows at first use and stays. Two users of one slot may not be
 * active at the same time, hence one slot a purpose. */
enum cuda_scratch_slot {
    CUDA_SCRATCH_BLAS,      /* cuBLASLt's workspace */
    CUDA_SCRATCH_LOGITS,    /* cross entropy: one chunk of logits */
    CUDA_SCRATCH_ROWS,      /* cross entropy: rows with a target, and their gradients */
    CUDA_SCRATCH_PARTIAL,   /* partial sums of reductions */
    CUDA_SCRATCH_ATTENTION, /* delta, fp32 gradients, cuDNN's workspace */
    CUDA_SCRATCH_SORT,      /* embedding: tokens in order */
    CUDA_SCRATCH_SAMPLE,    /* sampling: parts, bins and lists of rows */
    CUDA_SCRATCH_FP8,       /* FP8 products: their operands */
    CUDA_SCRATCH_SLOT_COUNT
};

struct cuda_gemm_cache;      /* cuda_gemm.cu */
struct cuda_attention_plans; /* cuda_cudnn.cpp */
struct cuda_transfers;       /* cuda_transfers.cu: pinned memory on its way */
struct cuda_retired;         /* cuda_scratch.cu: outgrown scratch that recordings name */

struct cuda_backend {
    struct backend backend; /* first: a struct backend * is a struct cuda_backend * */
    int device;
    int thread_count; /* of the host, for work that stays there */
    int multiprocessor_count;
    int compute_capability; /* 90 for 9.0 */
    size_t
        shared_bytes_most; /* of a block: 227 KiB on 9.0, 163 on 8.0, 99 on 8.6 and 8.9 */
    cudaStream_t stream;
    cublasLtHandle_t blas;
    struct cuda_gemm_cache *gemm_cache;
    struct cuda_attention_plans *attention_plans; /* NULL: no cuDNN */
    struct cuda_transfers *transfers;
    bool recording;
    struct recording *recorded;   /* the one being made; NULL: none */
    int recording_count;          /* alive: their graphs hold addresses of scratch */
    struct cuda_retired *retired; /* freed when no recording is left */
    char description[256];
    struct {
        void *memory;
        size_t bytes;
    } scratch[CUDA_SCRATCH_SLOT_COUNT];
    struct { /* whose FP8 numbers stand in scratch for the product to come: cuda_fp8.cu */
        const void *rows, *weight; /* NULL: none */
        bool backward;
    } fp8_made;
};

static inline struct cuda_backend *cuda_of(struct backend *backend)
{
    return (struct cuda_backend *)backend;
}

/* False sets the sticky error (the first one stays): "cuda: WHAT: …". */
bool cuda_good(struct cuda_backend *cuda, cudaError_t code, const char *what);

/* Sets the sticky error (the first one stays): "cuda: …". */
void cuda_fail(struct cuda_backend *cuda, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* After a kernel launch: whether it could be launched. */
static inline bool cuda_launched(struct cuda_backend *cuda, const char *what)
{
    return cuda_good(cuda, cudaGetLastError(), what);
}

/* At least `bytes`, aligned to 256, contents undefined; NULL sets the sticky error, and the
 * operation returns. May not grow while recording (a sticky error). */
void *cuda_scratch(struct cuda_backend *cuda, enum cuda_scratch_slot slot, size_t bytes);
void cuda_scratch_release(struct cuda_backend *cuda);
/* After a recording was freed: gives back what only recordings still named. */
void cuda_scratch_release_retired(struct cuda_backend *cuda);

/* Brings `count` doubles to `host` (written there by backend_sync()), without waiting. */
void cuda_result(struct cuda_backend *cuda, double *host, const double *device, int count);

/*
 * Row-major matrix product on the tensor cores, sums in fp32:
 *
 *     d[rows, columns] = a[rows, depth] b[depth, columns] (+ bias[columns]) (+ c)
 *
 * `a_transposed`: a is stored [depth, rows]; `b_transposed`: b is stored [columns, depth].
 * Strides are elements from one stored row to the next. c has d's type and may be d.
 * With `row_invariant` a row of d has the same bits whatever `rows` is and whatever stands
 * in the other rows.
 *
 * FP8 (backend/fp8.h) is u8 here: E4M3, a and b both stored along the depth, row i of a
 * times a_scales[i], column j of b times b_scales[j]. `fast_sums`: kept in the tensor
 * cores, which drop low bits of long ones; enough where what is summed has 4 bits itself.
 */
struct cuda_gemm {
    int64_t rows, columns, depth;
    const void *a;
    int64_t a_stride;
    bool a_transposed;
    const void *b;
    int64_t b_stride;
    bool b_transposed;
    const void *c; /* NULL: none */
    int64_t c_stride;
    void *d;
    int64_t d_stride;
    const void *bias; /* NULL: none; of the type of a (FP8: bf16) */
    enum dtype in;    /* of a and b: f32, bf16, or u8: FP8 */
    enum dtype out;   /* of c and d: `in`, or f32 (FP8: bf16) */
    bool row_invariant;
    const float *a_scales = NULL, *b_scales = NULL; /* FP8: [rows], [columns] */
    bool fast_sums = false;
};
void cuda_gemm_run(struct cuda_backend *cuda, const struct cuda_gemm *gemm);
struct cuda_gemm_cache *cuda_gemm_cache_create(void);
void cuda_gemm_cache_free(struct cuda_gemm_cache *cache);

/*
 * cuDNN's fused attention, where it serves (cuda_cudnn.cpp). The plans are NULL where cuDNN
 * is not built in or the GPU is not served. The two functions return false, having
 * done nothing, where a call is not served (an f32 tensor, a head size, …): the caller then
 * takes our own kernel.
 */
struct cuda_attention_plans *cuda_attention_plans_create(struct cuda_backend *cuda);
void cuda_attention_plans_free(struct cuda_attention_plans *plans);
bool cuda_cudnn_attention_forward(struct cuda_backend *cuda, struct tensor *out,
                                  struct tensor *log_sum, const struct tensor *qkv,
                                  const struct documents *documents,
                                  const struct attention_shape *shape);
bool cuda_cudnn_attention_backward(struct cuda_backend *cuda, struct tensor *d_qkv,
                                   const struct tensor *d_out, const struct tensor *qkv,
                                   const struct tensor *out, const struct tensor *log_sum,
                                   const struct documents *documents,
                                   const struct attention_shape *shape);

#endif
