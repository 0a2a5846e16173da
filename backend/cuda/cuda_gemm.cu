#include "backend/cuda/cuda_gemm_plan.h"

enum { FP8_BIAS_ALIGNMENT = 16 };

bool gemm_library_good(struct cuda_backend *cuda, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return true;
    cuda_fail(cuda, STATUS_DEVICE, "cuBLASLt: %s: %s", what,
              cublasLtGetStatusString(status));
    return false;
}

static cudaDataType_t library_type(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? CUDA_R_16BF
           : dtype == DTYPE_U8 ? CUDA_R_8F_E4M3
                               : CUDA_R_32F;
}

/* A matrix of ours, [rows, columns] as stored, is [columns, rows] to cuBLASLt. */
static cublasStatus_t layout_init(cublasLtMatrixLayoutOpaque_t *layout, enum dtype dtype,
                                  int64_t rows, int64_t columns, int64_t stride)
{
    return cublasLtMatrixLayoutInit(layout, library_type(dtype),
                                    static_cast<uint64_t>(columns),
                                    static_cast<uint64_t>(rows), stride);
}

static cublasStatus_t layouts_init(const struct cuda_gemm *gemm, int64_t rows,
                                   struct gemm_product *product)
{
    const int64_t columns = gemm->columns, depth = gemm->depth;
    const int64_t c_stride = gemm->c ? gemm->c_stride : gemm->d_stride;
    cublasStatus_t status =
        layout_init(&product->left, gemm->in, gemm->b_transposed ? columns : depth,
                    gemm->b_transposed ? depth : columns, gemm->b_stride);

    if (status == CUBLAS_STATUS_SUCCESS)
        status = layout_init(&product->right, gemm->in, gemm->a_transposed ? depth : rows,
                             gemm->a_transposed ? rows : depth, gemm->a_stride);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = layout_init(&product->c, gemm->out, rows, columns, c_stride);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = layout_init(&product->d, gemm->out, rows, columns, gemm->d_stride);
    return status;
}

static cublasStatus_t operation_set(struct gemm_product *product,
                                    cublasLtMatmulDescAttributes_t attribute,
                                    const void *value, size_t bytes)
{
    return cublasLtMatmulDescSetAttribute(&product->operation, attribute, value, bytes);
}

static enum dtype bias_type(const struct cuda_gemm *gemm)
{
    return gemm->in == DTYPE_U8 ? DTYPE_BF16 : gemm->in;
}

static cublasStatus_t bias_set(struct gemm_product *product, enum dtype dtype,
                               const void *bias)
{
    const uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    const int32_t type = library_type(dtype);
    cublasStatus_t status =
        operation_set(product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);

    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            operation_set(product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            operation_set(product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type);
    return status;
}

/* A number for each row of a, to the library the columns of its right operand, and for each
 * column of b. Refused at open where the library is too old (cuda_fp8.cu). */
static cublasStatus_t scales_set(struct gemm_product *product, const struct cuda_gemm *gemm)
{
#if CUBLAS_VERSION >= 120900
    const int32_t mode = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    const int8_t fast = gemm->fast_sums;
    const struct {
        cublasLtMatmulDescAttributes_t attribute;
        const void *value;
        size_t bytes;
    } settings[] = {
        {CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode, sizeof mode},
        {CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode, sizeof mode},
        {CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &gemm->b_scales, sizeof gemm->b_scales},
        {CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &gemm->a_scales, sizeof gemm->a_scales},
        {CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast},
    };
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (status == CUBLAS_STATUS_SUCCESS)
            status = operation_set(product, settings[i].attribute, settings[i].value,
                                   settings[i].bytes);
    return status;
#else
    (void)product, (void)gemm;
    return CUBLAS_STATUS_NOT_SUPPORTED;
#endif
}

/* As stored by us, transposed for cuBLASLt: what we call transposed it must turn. */
static cublasStatus_t operation_init(const struct cuda_gemm *gemm, const void *bias,
                                     struct gemm_product *product)
{
    const int32_t left = gemm->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const int32_t right = gemm->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasStatus_t status =
        cublasLtMatmulDescInit(&product->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);

    if (status == CUBLAS_STATUS_SUCCESS)
        status = operation_set(product, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = operation_set(product, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right);
    if (status == CUBLAS_STATUS_SUCCESS && gemm->bias)
        status = bias_set(product, bias_type(gemm), bias);
    if (status == CUBLAS_STATUS_SUCCESS && gemm->in == DTYPE_U8)
        status = scales_set(product, gemm);
    return status;
}

bool gemm_describe(struct cuda_backend *cuda, const struct cuda_gemm *gemm, int64_t rows,
                   const void *bias, struct gemm_product *product)
{
    return gemm_library_good(cuda, layouts_init(gemm, rows, product), "layout") &&
           gemm_library_good(cuda, operation_init(gemm, bias, product), "operation");
}

bool gemm_launch(struct cuda_backend *cuda, const struct cuda_gemm *gemm,
                 struct gemm_product *product, const cublasLtMatmulAlgo_t *algorithm,
                 void *d)
{
    const float alpha = 1, beta = gemm->c ? 1 : 0;
    const void *c = gemm->c ? gemm->c : d;
    const cublasStatus_t status =
        cublasLtMatmul(cuda->blas, &product->operation, &alpha, gemm->b, &product->left,
                       gemm->a, &product->right, &beta, c, &product->c, d, &product->d,
                       algorithm, cuda->scratch[CUDA_SCRATCH_BLAS].memory,
                       cuda->scratch[CUDA_SCRATCH_BLAS].bytes, cuda->stream);

    return gemm_library_good(cuda, status, "product");
}

static void product_run(struct cuda_backend *cuda, const struct cuda_gemm *gemm)
{
    const struct gemm_plan *plan = gemm_plan_of(cuda, gemm);
    struct gemm_product product;

    if (!plan)
        return;
    if (plan->kind == GEMM_OWN)
        gemm_own_run(cuda, gemm);
    else if (gemm_describe(cuda, gemm, gemm->rows, gemm->bias, &product))
        gemm_launch(cuda, gemm, &product, &plan->algorithm, gemm->d);
}

/* Whether cuBLASLt adds the bias: it wants d's type, and with FP8 is not asked for c too, nor
 * for a bias that whole accesses do not reach. */
static bool bias_joins(const struct cuda_gemm *gemm)
{
    if (gemm->in != DTYPE_U8)
        return gemm->in == gemm->out;
    return !gemm->c && reinterpret_cast<uintptr_t>(gemm->bias) % FP8_BIAS_ALIGNMENT == 0;
}

void cuda_gemm_run(struct cuda_backend *cuda, const struct cuda_gemm *gemm)
{
    struct cuda_gemm rest = *gemm;

    if (gemm->rows == 0 || gemm->columns == 0)
        return;
    CHECK(gemm->in == DTYPE_F32 || gemm->in == DTYPE_BF16 || gemm->in == DTYPE_U8);
    CHECK(gemm->in == DTYPE_U8 ? gemm->out == DTYPE_BF16
                               : gemm->out == gemm->in || gemm->out == DTYPE_F32);
    CHECK(gemm->c != gemm->d || gemm->c_stride == gemm->d_stride);
    /* cuBLASLt wants at least one term in a sum. */
    if (gemm->depth == 0 || (gemm->bias && !bias_joins(gemm))) {
        if (!gemm_own_start(cuda, gemm))
            return;
        rest.bias = NULL;
        rest.c = gemm->d;
        rest.c_stride = gemm->d_stride;
    }
    if (gemm->depth > 0)
        product_run(cuda, &rest);
}
