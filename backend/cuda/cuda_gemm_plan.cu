#include "backend/cuda/cuda_gemm_plan.h"

#include <inttypes.h>
#include <string.h>

enum {
    ALIGNMENT_MOST = 256,      /* what algorithms ask for at most */
    ROW_ALIGNMENT_MOST = 16,   /* of row-invariant products: see row_alignment() */
    ROWS_REPRESENTATIVE = 128, /* for which a row-invariant algorithm is chosen */
    ROWS_FEW = 1,              /* and for which it must work too */
    ROWS_MANY = 512,
    SPLIT_DEPTH_MULTIPLE = 128, /* twice the 64 that algorithms walk at a time */
    TUNING_CANDIDATES = 8
};

/* ---- Keys ---- */

/* The greatest power of two, at most `most`, that divides the address. */
static uint32_t alignment(const void *memory, uint32_t most)
{
    const uintptr_t bits = reinterpret_cast<uintptr_t>(memory) | most;
    return static_cast<uint32_t>(bits & -bits);
}

/*
 * The alignment that all rows of a matrix have. Whichever rows of it a product is made
 * of, this is the same, so that a row-invariant product always gets the same algorithm.
 */
static uint32_t row_alignment(const void *memory, int64_t stride, enum dtype dtype)
{
    const uintptr_t step = static_cast<uintptr_t>(stride) * dtype_bytes(dtype);
    const uintptr_t bits = reinterpret_cast<uintptr_t>(memory) | step | ROW_ALIGNMENT_MOST;
    return static_cast<uint32_t>(bits & -bits);
}

static uint32_t operand_alignment(const struct cuda_gemm *gemm, const void *memory,
                                  int64_t stride, enum dtype dtype)
{
    return gemm->row_invariant ? row_alignment(memory, stride, dtype)
                               : alignment(memory, ALIGNMENT_MOST);
}

static uint32_t form_of(const struct cuda_gemm *gemm)
{
    const bool bits[] = {
        gemm->a_transposed,
        gemm->b_transposed,
        gemm->in == DTYPE_BF16,
        gemm->out == DTYPE_BF16,
        gemm->bias != NULL,
        gemm->c != NULL,
        /* A row has the same bits whether it is added to in place or not. */
        gemm->c == gemm->d && !gemm->row_invariant,
        gemm->row_invariant,
        gemm->in == DTYPE_U8,
        gemm->fast_sums,
    };
    uint32_t form = 0;

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        form |= static_cast<uint32_t>(bits[i]) << i;
    return form;
}

static struct gemm_key key_of(const struct cuda_gemm *gemm)
{
    const void *c = gemm->c ? gemm->c : gemm->d;
    const int64_t c_stride = gemm->c ? gemm->c_stride : gemm->d_stride;
    struct gemm_key key;

    memset(&key, 0, sizeof key);
    key.rows = gemm->rows;
    key.columns = gemm->columns;
    key.depth = gemm->depth;
    key.a_stride = gemm->a_stride;
    key.b_stride = gemm->b_stride;
    key.c_stride = c_stride;
    key.d_stride = gemm->d_stride;
    key.a_alignment = operand_alignment(gemm, gemm->a, gemm->a_stride, gemm->in);
    key.b_alignment = operand_alignment(gemm, gemm->b, gemm->b_stride, gemm->in);
    key.c_alignment = operand_alignment(gemm, c, c_stride, gemm->out);
    key.d_alignment = operand_alignment(gemm, gemm->d, gemm->d_stride, gemm->out);
    if (gemm->bias)
        key.bias_alignment = alignment(gemm->bias, gemm->row_invariant ? ROW_ALIGNMENT_MOST
                                                                       : ALIGNMENT_MOST);
    key.form = form_of(gemm);
    return key;
}

/* ---- Candidates ---- */

static bool may_split(const struct cuda_gemm *gemm)
{
    return !gemm->row_invariant && gemm->in != DTYPE_U8 &&
           gemm->depth % SPLIT_DEPTH_MULTIPLE == 0;
}

static cublasStatus_t preference_set(cublasLtMatmulPreferenceOpaque_t *preference,
                                     cublasLtMatmulPreferenceAttributes_t attribute,
                                     uint32_t value)
{
    return cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value,
                                                sizeof value);
}

/* Of the ways to join a split sum only the one that keeps its parts in fp32 is taken. */
static cublasStatus_t preference_init(const struct cuda_backend *cuda,
                                      const struct cuda_gemm *gemm,
                                      const struct gemm_key *key,
                                      cublasLtMatmulPreferenceOpaque_t *preference)
{
    const uint64_t workspace = cuda->scratch[CUDA_SCRATCH_BLAS].bytes;
    const uint32_t schemes = may_split(gemm) ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                             : CUBLASLT_REDUCTION_SCHEME_NONE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t attribute;
        uint32_t value;
    } settings[] = {
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key->b_alignment},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key->a_alignment},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key->c_alignment},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key->d_alignment},
    };
    cublasStatus_t status = cublasLtMatmulPreferenceInit(preference);

    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
            sizeof workspace);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (status == CUBLAS_STATUS_SUCCESS)
            status = preference_set(preference, settings[i].attribute, settings[i].value);
    return status;
}

static bool is_split(const cublasLtMatmulAlgo_t *algorithm)
{
    int32_t splits = 1;
    uint32_t scheme = CUBLASLT_REDUCTION_SCHEME_NONE;
    size_t bytes;

    /* What an algorithm does not know it does not do: then the values above stay. */
    cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM,
                                         &splits, sizeof splits, &bytes);
    cublasLtMatmulAlgoConfigGetAttribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                                         &scheme, sizeof scheme, &bytes);
    return splits > 1 || scheme != CUBLASLT_REDUCTION_SCHEME_NONE;
}

/* At most `most` algorithms that serve, best first. -1 sets the sticky error. */
static int candidates_find(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                           const struct gemm_key *key, struct gemm_product *product,
                           cublasLtMatmulHeuristicResult_t *candidates, int most)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    int count = 0, kept = 0;

    if (!gemm_library_good(cuda, preference_init(cuda, gemm, key, &preference),
                           "preference"))
        return -1;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        cuda->blas, &product->operation, &product->left, &product->right, &product->c,
        &product->d, &preference, most, candidates, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED)
        return 0;
    if (!gemm_library_good(cuda, status, "choice of an algorithm"))
        return -1;
    for (int i = 0; i < count; i++)
        if (candidates[i].state == CUBLAS_STATUS_SUCCESS &&
            candidates[i].workspaceSize <= cuda->scratch[CUDA_SCRATCH_BLAS].bytes &&
            (may_split(gemm) || !is_split(&candidates[i].algo)))
            candidates[kept++] = candidates[i];
    return kept;
}

/* ---- Plans ---- */

/* By heuristic, which is a function of the product alone, or by measurement. */
static bool plan_choose(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                        struct gemm_plan *plan)
{
    cublasLtMatmulHeuristicResult_t candidates[GEMM_CANDIDATES_MOST];
    const bool tune = gemm_tuning_wanted(cuda, gemm);
    struct gemm_product product;
    int chosen = 0;

    if (!gemm_describe(cuda, gemm, gemm->rows, gemm->bias, &product))
        return false;
    int count = candidates_find(cuda, gemm, &plan->key, &product, candidates,
                                tune ? TUNING_CANDIDATES : 1);
    if (count == 0) /* the first may have been passed over */
        count = candidates_find(cuda, gemm, &plan->key, &product, candidates,
                                GEMM_CANDIDATES_MOST);
    if (count < 0)
        return false;
    if (count > 1 && tune)
        chosen = gemm_tuning_choose(cuda, gemm, &product, &plan->key, candidates, count);
    if (count == 0 && gemm->in == DTYPE_U8)
        cuda_fail(cuda, STATUS_UNSUPPORTED,
                  "cuBLASLt has no FP8 product of %" PRId64 " x %" PRId64 " x %" PRId64
                  ": use --precision bf16",
                  gemm->rows, gemm->columns, gemm->depth);
    plan->kind = count > 0 ? GEMM_LIBRARY : GEMM_OWN;
    if (count > 0)
        plan->algorithm = candidates[chosen].algo;
    return !cuda->backend.error.status;
}

/* A bias that is as far from every boundary as those that the key speaks of. */
static const void *bias_at(const struct gemm_key *key)
{
    return reinterpret_cast<const void *>(static_cast<uintptr_t>(key->bias_alignment));
}

static cublasStatus_t algorithm_check(struct cuda_backend *cuda,
                                      const struct cuda_gemm *gemm,
                                      const struct gemm_key *key, int64_t rows,
                                      const cublasLtMatmulAlgo_t *algorithm)
{
    cublasLtMatmulHeuristicResult_t result;
    struct gemm_product product;

    if (!gemm_describe(cuda, gemm, rows, bias_at(key), &product))
        return CUBLAS_STATUS_INTERNAL_ERROR;
    const cublasStatus_t status =
        cublasLtMatmulAlgoCheck(cuda->blas, &product.operation, &product.left,
                                &product.right, &product.c, &product.d, algorithm, &result);
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    return result.workspaceSize <= cuda->scratch[CUDA_SCRATCH_BLAS].bytes
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* The algorithm for any number of rows: chosen without looking at how many there are. */
static bool plan_choose_any(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                            struct gemm_plan *plan)
{
    cublasLtMatmulHeuristicResult_t candidates[GEMM_CANDIDATES_MOST];
    const struct gemm_key *key = &plan->key;
    struct gemm_product product;

    if (!gemm_describe(cuda, gemm, ROWS_REPRESENTATIVE, bias_at(key), &product))
        return false;
    const int count =
        candidates_find(cuda, gemm, key, &product, candidates, GEMM_CANDIDATES_MOST);
    plan->kind = GEMM_OWN;
    for (int i = 0; i < count && plan->kind == GEMM_OWN; i++) {
        const cublasLtMatmulAlgo_t *algorithm = &candidates[i].algo;
        if (algorithm_check(cuda, gemm, key, ROWS_FEW, algorithm) ==
                CUBLAS_STATUS_SUCCESS &&
            algorithm_check(cuda, gemm, key, ROWS_MANY, algorithm) ==
                CUBLAS_STATUS_SUCCESS) {
            plan->kind = GEMM_LIBRARY;
            plan->algorithm = *algorithm;
        }
    }
    return !cuda->backend.error.status;
}

static bool plan_row_invariant(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                               struct gemm_plan *plan)
{
    struct gemm_plan any = *plan;

    any.key.rows = 0;
    const struct gemm_plan *found = gemm_cache_find(cuda->gemm_cache, &any.key);
    if (found)
        any = *found;
    else if (!plan_choose_any(cuda, gemm, &any))
        return false;
    else
        gemm_cache_insert(cuda->gemm_cache, &any);
    plan->kind = any.kind;
    plan->algorithm = any.algorithm;
    if (plan->kind == GEMM_OWN)
        return true;
    return gemm_library_good(
        cuda, algorithm_check(cuda, gemm, &plan->key, gemm->rows, &plan->algorithm),
        "the row-invariant algorithm does not serve this many rows");
}

const struct gemm_plan *gemm_plan_of(struct cuda_backend *cuda,
                                     const struct cuda_gemm *gemm)
{
    struct gemm_plan plan;

    if (cuda->gemm_cache->tuning_path && !cuda->gemm_cache->tuning_read)
        gemm_tuning_read(cuda);
    memset(&plan, 0, sizeof plan);
    plan.key = key_of(gemm);
    const struct gemm_plan *found = gemm_cache_find(cuda->gemm_cache, &plan.key);
    if (found)
        return found;
    if (gemm->row_invariant ? !plan_row_invariant(cuda, gemm, &plan)
                            : !plan_choose(cuda, gemm, &plan))
        return NULL;
    return gemm_cache_insert(cuda->gemm_cache, &plan);
}
