#ifndef HOLDFAST_BACKEND_CUDA_CUDA_GEMM_PLAN_H
#define HOLDFAST_BACKEND_CUDA_CUDA_GEMM_PLAN_H

#include "backend/cuda/cuda_backend.h"

/*
 * How a product is run is decided once for each kind of product and kept in a hash table:
 *
 *     cuda_gemm.cu        the products, as cuBLASLt sees them
 *     cuda_gemm_plan.cu   which algorithm
 *     cuda_gemm_cache.cu  the table
 *     cuda_gemm_tune.cu   HOLDFAST_GEMM_TUNE: algorithms by measurement
 *     cuda_gemm_own.cu    our own kernel, for what cuBLASLt does not serve
 *
 * cuBLASLt stores by columns, we by rows: the same bytes are the transposed matrix. So its
 * product is
 *
 *     D[columns, rows] = left[columns, depth] right[depth, rows],  left = b, right = a
 *
 * and its bias, one number for each row of D, is ours for each column of d.
 *
 * Two cuBLASLt facts that shape the choice (of 12.8 to 13.2, on Hopper too):
 *   - an algorithm that splits the depth drops the last depth % 64 terms of each sum at
 *     some sizes (facebookexperimental/triton#2767): splitting is allowed only where
 *     nothing would be left over;
 *   - the bits of a sum depend on the split and on how an algorithm walks the depth, not on
 *     which tile of the output a row falls into. One unsplit algorithm, used for any number
 *     of rows, gives a row the same bits in every batch. That is `row_invariant`.
 */

/* The first algorithms that cuBLASLt names for a product, best first. */
enum { GEMM_CANDIDATES_MOST = 32 };

/* All that the choice depends on. No padding: compared and hashed as bytes. */
struct gemm_key {
    int64_t rows; /* 0: any number, of row-invariant products */
    int64_t columns, depth;
    int64_t a_stride, b_stride, c_stride, d_stride;
    uint32_t a_alignment, b_alignment, c_alignment, d_alignment, bias_alignment;
    uint32_t form; /* transposes, types, what is added */
};
static_assert(sizeof(struct gemm_key) == 80, "no padding");

enum gemm_kind {
    GEMM_UNKNOWN, /* an empty place of the table */
    GEMM_LIBRARY,
    GEMM_OWN
};

struct gemm_plan {
    struct gemm_key key;
    enum gemm_kind kind;
    cublasLtMatmulAlgo_t algorithm; /* GEMM_LIBRARY */
};

/* cuda_gemm_cache.cu. A plan that is returned is valid until the next insertion. */
struct cuda_gemm_cache {
    struct gemm_plan *plans; /* [capacity], open addressing */
    size_t capacity;         /* a power of two */
    size_t count;
    const char *tuning_path; /* NULL: by heuristic */
    bool tuning_read;
};
const struct gemm_plan *gemm_cache_find(const struct cuda_gemm_cache *cache,
                                        const struct gemm_key *key);
/* Replaces a plan of the same key. */
const struct gemm_plan *gemm_cache_insert(struct cuda_gemm_cache *cache,
                                          const struct gemm_plan *plan);

/* cuda_gemm.cu. A product as cuBLASLt is told of it, on the stack. */
struct gemm_product {
    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t left, right, c, d;
};
/* As `gemm` with another number of rows and another address of its bias. False sets the
 * sticky error. */
bool gemm_describe(struct cuda_backend *cuda, const struct cuda_gemm *gemm, int64_t rows,
                   const void *bias, struct gemm_product *product);
/* Runs it into `d`, which may be another matrix than gemm->d. */
bool gemm_launch(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                 struct gemm_product *product, const cublasLtMatmulAlgo_t *algorithm,
                 void *d);
/* False sets the sticky error. */
bool gemm_library_good(struct cuda_backend *cuda, cublasStatus_t status, const char *what);

/* cuda_gemm_plan.cu. NULL sets the sticky error. */
const struct gemm_plan *gemm_plan_of(struct cuda_backend *cuda,
                                     const struct cuda_gemm *gemm);

/*
 * cuda_gemm_tune.cu. With HOLDFAST_GEMM_TUNE=FILE the fastest of the first algorithms is
 * measured for large products and appended to FILE; products that FILE has for this GPU and
 * this cuBLASLt are taken from it, so that later runs have the same bits. Without it the
 * choice does not depend on measurements. A line of FILE is 24 numbers:
 *
 *     version of cuBLASLt, compute capability, multiprocessors, the 13 numbers of struct
 *     gemm_key in their order, the 8 words of the algorithm; lines with # are comments
 */
void gemm_tuning_read(struct cuda_backend *cuda);
bool gemm_tuning_wanted(const struct cuda_backend *cuda, const struct cuda_gemm *gemm);
/* The fastest of the candidates, kept in FILE; 0 where it cannot be measured. */
int gemm_tuning_choose(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                       struct gemm_product *product, const struct gemm_key *key,
                       const cublasLtMatmulHeuristicResult_t *candidates, int count);

/*
 * cuda_gemm_own.cu. Any strides and addresses; a plain tiled product on the cores, sums in
 * fp32 in the order of the depth, so that it is row-invariant. Far slower than cuBLASLt: it
 * serves what cuBLASLt does not, bf16 at odd addresses or strides.
 */
void gemm_own_run(struct cuda_backend *cuda, const struct cuda_gemm *gemm);
/* d = bias + c (0 for NULL), before a product is added to it. */
bool gemm_own_start(struct cuda_backend *cuda, const struct cuda_gemm *gemm);

#endif
