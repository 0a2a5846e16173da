#include "tests/gpu/emulator/emulator.h"

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <string.h>
#include <vector>

/* The functions of cuBLASLt that the back-end calls: plain products, sums in fp32, matrices
 * by column, FP8 with scales of rows. Descriptors hold what is written here, within the
 * library's own opaque size. */

namespace {

struct operation {
    cublasOperation_t left, right;
    bool has_bias;
    const void *bias;
    cudaDataType_t bias_type;
    int32_t left_scaled, right_scaled; /* cublasLtMatmulMatrixScale_t */
    const float *left_scales, *right_scales;
};

struct layout {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t stride;
};

struct preference {
    uint32_t alignment; /* the least of the four */
};

template <typename Ours, typename Opaque> Ours *in(Opaque *opaque)
{
    static_assert(sizeof(Ours) <= sizeof(Opaque), "it has room");
    return reinterpret_cast<Ours *>(opaque);
}

template <typename Ours, typename Opaque> const Ours *in(const Opaque *opaque)
{
    static_assert(sizeof(Ours) <= sizeof(Opaque), "it has room");
    return reinterpret_cast<const Ours *>(opaque);
}

float element(const void *matrix, cudaDataType_t type, int64_t at)
{
    if (type == CUDA_R_8F_E4M3)
        return __half2float(__nv_cvt_fp8_to_halfraw(
            static_cast<const __nv_fp8_storage_t *>(matrix)[at], __NV_E4M3));
    return type == CUDA_R_16BF
               ? __bfloat162float(static_cast<const __nv_bfloat16 *>(matrix)[at])
               : static_cast<const float *>(matrix)[at];
}

/* [columns][rows] of op(matrix), rows together. */
std::vector<float> turned(const void *matrix, const layout &l, cublasOperation_t op,
                          int64_t rows, int64_t columns)
{
    std::vector<float> all(static_cast<size_t>(rows * columns));

    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++)
            all[static_cast<size_t>(j * rows + i)] =
                element(matrix, l.type, op == CUBLAS_OP_N ? j * l.stride + i : i * l.stride + j);
    return all;
}

struct product {
    operation op;
    layout left, right, c, d;
    const void *a, *b, *added;
    void *out;
    float alpha, beta;
};

void store(const product &p, int64_t i, int64_t j, float sum)
{
    const int64_t at = j * p.d.stride + i;
    float value = p.alpha * sum;

    if (p.left.type == CUDA_R_8F_E4M3)
        value *= p.op.left_scales[i] * p.op.right_scales[j];
    if (p.beta != 0)
        value += p.beta * element(p.added, p.c.type, j * p.c.stride + i);
    if (p.op.has_bias)
        value += element(p.op.bias, p.op.bias_type, i);
    if (p.d.type == CUDA_R_16BF)
        static_cast<__nv_bfloat16 *>(p.out)[at] = __float2bfloat16_rn(value);
    else
        static_cast<float *>(p.out)[at] = value;
}

void multiply(const product &p)
{
    const int64_t rows = static_cast<int64_t>(p.d.rows), columns = static_cast<int64_t>(p.d.columns);
    const int64_t depth =
        static_cast<int64_t>(p.op.left == CUBLAS_OP_N ? p.left.columns : p.left.rows);
    const std::vector<float> a = turned(p.a, p.left, p.op.left, rows, depth);
    const std::vector<float> b = turned(p.b, p.right, p.op.right, depth, columns);
    std::vector<float> sums(static_cast<size_t>(rows));

    for (int64_t j = 0; j < columns; j++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int64_t k = 0; k < depth; k++) {
            const float factor = b[static_cast<size_t>(j * depth + k)];
            const float *column = &a[static_cast<size_t>(k * rows)];
            for (int64_t i = 0; i < rows; i++)
                sums[static_cast<size_t>(i)] += factor * column[i];
        }
        for (int64_t i = 0; i < rows; i++)
            store(p, i, j, sums[static_cast<size_t>(i)]);
    }
}

/* Both along the depth, scales of rows, bf16 out, whole accesses of 16 bytes. */
bool fp8_served(const operation &op, const layout &left, const layout &right, const layout &d)
{
    const int32_t rows = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    return op.left == CUBLAS_OP_T && op.right == CUBLAS_OP_N && right.type == left.type &&
           op.left_scaled == rows && op.right_scaled == rows && op.left_scales &&
           op.right_scales && d.type == CUDA_R_16BF && left.stride % 16 == 0 &&
           right.stride % 16 == 0 && left.rows % 16 == 0 && left.columns % 16 == 0 &&
           (!op.has_bias || reinterpret_cast<uintptr_t>(op.bias) % 16 == 0);
}

} /* namespace */

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    static int any;
    *handle = reinterpret_cast<cublasLtHandle_t>(&any);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusString(cublasStatus_t)
{
    return "refused by the emulator";
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t into, size_t,
                                                 cudaDataType type, uint64_t rows,
                                                 uint64_t columns, int64_t stride)
{
    *in<layout>(into) = {type, rows, columns, stride};
    return static_cast<uint64_t>(stride) < rows ? CUBLAS_STATUS_INVALID_VALUE
                                                : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t into, size_t,
                                               cublasComputeType_t, cudaDataType_t)
{
    *in<operation>(into) = {CUBLAS_OP_N, CUBLAS_OP_N, false, NULL, CUDA_R_32F, 0, 0, NULL, NULL};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t into,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    operation *op = in<operation>(into);

    if (attribute == CUBLASLT_MATMUL_DESC_TRANSA)
        memcpy(&op->left, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_TRANSB)
        memcpy(&op->right, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE)
        op->has_bias = true;
    else if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER)
        memcpy(&op->bias, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE)
        memcpy(&op->bias_type, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_A_SCALE_MODE)
        memcpy(&op->left_scaled, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_B_SCALE_MODE)
        memcpy(&op->right_scaled, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER)
        memcpy(&op->left_scales, value, bytes);
    else if (attribute == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER)
        memcpy(&op->right_scales, value, bytes);
    else if (attribute != CUBLASLT_MATMUL_DESC_FAST_ACCUM) /* sums are in fp32 either way */
        emulator::stop("cuBLASLt: attribute %d", static_cast<int>(attribute));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t into, size_t)
{
    *in<preference>(into) = {256};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t into, cublasLtMatmulPreferenceAttributes_t attribute,
    const void *value, size_t)
{
    preference *wanted = in<preference>(into);
    uint32_t number;

    memcpy(&number, value, sizeof number);
    if (attribute >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
        attribute <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES && number < wanted->alignment)
        wanted->alignment = number;
    return CUBLAS_STATUS_SUCCESS;
}

/* Like the library, none for matrices that are aligned to less than 4 bytes, and of FP8 none
 * but those of which its manual says that Hopper has them. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t left,
    cublasLtMatrixLayout_t right, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t wanted, int most, cublasLtMatmulHeuristicResult_t results[],
    int *count)
{
    const uint32_t alignment = in<preference>(wanted)->alignment;

    *count = 0;
    if (alignment < 4)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (in<layout>(left)->type == CUDA_R_8F_E4M3 &&
        (alignment < 16 || !fp8_served(*in<operation>(op), *in<layout>(left),
                                       *in<layout>(right), *in<layout>(d))))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    for (; *count < most && *count < 2; ++*count) {
        results[*count] = cublasLtMatmulHeuristicResult_t();
        results[*count].state = CUBLAS_STATUS_SUCCESS;
        results[*count].algo.data[0] = static_cast<uint64_t>(*count);
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *,
                                                    cublasLtMatmulAlgoConfigAttributes_t, void *,
                                                    size_t, size_t *)
{
    return CUBLAS_STATUS_INVALID_VALUE; /* it does not know them */
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       const cublasLtMatmulAlgo_t *,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    *result = cublasLtMatmulHeuristicResult_t();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t op, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t left, const void *b,
                              cublasLtMatrixLayout_t right, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *, void *,
                              size_t, cudaStream_t stream)
{
    const product p = {*in<operation>(op),
                       *in<layout>(left),
                       *in<layout>(right),
                       *in<layout>(c_layout),
                       *in<layout>(d_layout),
                       a,
                       b,
                       c,
                       d,
                       *static_cast<const float *>(alpha),
                       *static_cast<const float *>(beta)};

    if (p.left.type == CUDA_R_8F_E4M3 && p.op.has_bias && p.beta != 0)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    emulator::enqueue(stream, [p] { multiply(p); });
    return CUBLAS_STATUS_SUCCESS;
}

} /* extern "C" */
