#include "backend/cuda/cuda_backend.h"

#include "backend/cuda/cuda_adapter.h"
#include "backend/cuda/cuda_fp8.h"
#include "backend/cuda/cuda_operations.h"
#include "backend/cuda/cuda_record.h"
#include "backend/cuda/cuda_transfers.h"

extern "C" {
#include "base/memory.h"
}

#if __has_include(<cudnn_version.h>)
#include <cudnn_version.h>
#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NVIDIA recommends 32 MiB for Hopper; deep products split their depth beyond that. */
enum { BLAS_WORKSPACE_BYTES = 64 << 20, COMPUTE_CAPABILITY_LEAST = 80 };

/* ---- Errors ---- */

void cuda_fail(struct cuda_backend *cuda, enum status status, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;

    if (cuda->backend.error.status)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(&cuda->backend.error, status, "cuda: %s", message);
}

bool cuda_good(struct cuda_backend *cuda, cudaError_t code, const char *what)
{
    if (code == cudaSuccess)
        return true;
    cudaGetLastError(); /* reported once, not at the next launch again */
    cuda_fail(cuda, code == cudaErrorMemoryAllocation ? STATUS_MEMORY : STATUS_DEVICE,
              "%s: %s", what, cudaGetErrorString(code));
    return false;
}

/* ---- The table ---- */

static bool cuda_memory(const struct backend *backend, size_t *free_bytes,
                        size_t *total_bytes)
{
    (void)backend;
    const bool known = cudaMemGetInfo(free_bytes, total_bytes) == cudaSuccess;
    if (!known)
        cudaGetLastError();
    return known;
}

static int cuda_thread_count(const struct backend *backend)
{
    return reinterpret_cast<const struct cuda_backend *>(backend)->thread_count;
}

static const char *cuda_description(const struct backend *backend)
{
    return reinterpret_cast<const struct cuda_backend *>(backend)->description;
}

static void *allocation_failed(const struct cuda_backend *cuda, cudaError_t code,
                               size_t bytes, struct error *error)
{
    size_t free_bytes = 0, total_bytes = 0;

    cudaGetLastError();
    if (code == cudaErrorMemoryAllocation &&
        cuda_memory(&cuda->backend, &free_bytes, &total_bytes))
        error_set(error, STATUS_MEMORY,
                  "cuda:%d: no memory for %zu bytes: %zu of %zu bytes are free",
                  cuda->device, bytes, free_bytes, total_bytes);
    else
        error_set(error, STATUS_DEVICE, "cuda:%d: memory: %s", cuda->device,
                  cudaGetErrorString(code));
    return NULL;
}

static void *cuda_allocate(struct backend *backend, size_t bytes, struct error *error)
{
    struct cuda_backend *cuda = cuda_of(backend);
    void *memory = NULL;

    CHECK(!cuda->recording);
    cudaError_t code = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
    if (code != cudaSuccess)
        return allocation_failed(cuda, code, bytes, error);
    code = cudaMemsetAsync(memory, 0, bytes, cuda->stream);
    if (code == cudaSuccess)
        return memory;
    cudaFree(memory);
    return allocation_failed(cuda, code, bytes, error);
}

/* Operations may still be using the memory. */
static void cuda_free(struct backend *backend, void *memory)
{
    struct cuda_backend *cuda = cuda_of(backend);

    CHECK(!cuda->recording);
    cuda_good(cuda, cudaStreamSynchronize(cuda->stream), "free");
    cuda_good(cuda, cudaFree(memory), "free");
}

static void cuda_sync(struct backend *backend)
{
    CHECK(!cuda_of(backend)->recording);
    cuda_transfers_wait(cuda_of(backend));
}

/* Also what cuda_backend_open() leaves where it stops half-way. */
static void cuda_close(struct backend *backend)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    if (cuda->attention_plans)
        cuda_attention_plans_free(cuda->attention_plans);
    if (cuda->gemm_cache)
        cuda_gemm_cache_free(cuda->gemm_cache);
    if (cuda->blas)
        cublasLtDestroy(cuda->blas);
    cuda_transfers_close(cuda);
    cuda_scratch_release(cuda);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    free(cuda);
}

static const struct operation_table cuda_table = {
    .name = "cuda",
    .on_host = false,
    .memory = cuda_memory,
    .close = cuda_close,
    .thread_count = cuda_thread_count,
    .description = cuda_description,
    .allocate = cuda_allocate,
    .free = cuda_free,
    .copy_in = cuda_copy_in,
    .copy_out = cuda_copy_out,
    .sync = cuda_sync,
    .record_begin = cuda_record_begin,
    .record_end = cuda_record_end,
    .record_launch = cuda_record_launch,
    .record_free = cuda_record_free,
    .fill = cuda_fill,
    .add = cuda_add,
    .scale = cuda_scale,
    .embedding_forward = cuda_embedding_forward,
    .embedding_backward = cuda_embedding_backward,
    .linear_forward = cuda_linear_forward,
    .linear_decode = cuda_linear_decode,
    .linear_arrange = NULL, /* cuBLASLt reads rows */
    .linear_backward_input = cuda_linear_backward_input,
    .linear_backward_weight = cuda_linear_backward_weight,
    .rms_norm_forward = cuda_rms_norm_forward,
    .rms_norm_backward = cuda_rms_norm_backward,
    .layer_norm_forward = cuda_layer_norm_forward,
    .layer_norm_backward = cuda_layer_norm_backward,
    .head_norm_forward = cuda_head_norm_forward,
    .head_norm_backward = cuda_head_norm_backward,
    .rope_forward = cuda_rope_forward,
    .rope_backward = cuda_rope_backward,
    .attention_forward = cuda_attention_forward,
    .attention_backward = cuda_attention_backward,
    .swiglu_forward = cuda_swiglu_forward,
    .swiglu_backward = cuda_swiglu_backward,
    .gelu_forward = cuda_gelu_forward,
    .gelu_backward = cuda_gelu_backward,
    .soft_cap = cuda_soft_cap,
    .linear_cross_entropy = cuda_linear_cross_entropy,
    .cache_write = cuda_cache_write,
    .attention_prefill = cuda_attention_prefill,
    .attention_decode = cuda_attention_decode,
    .sample_tokens = cuda_sample_tokens,
    .nf4_dequantize = cuda_nf4_dequantize,
    .sum_of_squares = cuda_sum_of_squares,
    .adamw_update = cuda_adamw_update,
    .adamw_update_8bit = cuda_adamw_update_8bit,
    .dropout = cuda_dropout,
    .adapted_row_norms = cuda_adapted_row_norms,
    .magnitude_gains = cuda_magnitude_gains,
    .gain_forward = cuda_gain_forward,
    .gain_backward = cuda_gain_backward,
};

/* ---- Open ---- */

static enum status driver_missing(int device, struct error *error)
{
    int driver = 0, runtime = 0;

    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "device \"cuda:%d\": no NVIDIA driver is installed on this "
                         "machine: install one, or use --device cpu",
                         device);
    return error_set(
        error, STATUS_UNSUPPORTED,
        "device \"cuda:%d\": the NVIDIA driver knows CUDA %d.%d, this holdfast "
        "was built for %d.%d: update the driver, or use --device cpu",
        device, driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
}

static enum status device_count(int device, int *count, struct error *error)
{
    const cudaError_t code = cudaGetDeviceCount(count);

    if (code != cudaSuccess)
        cudaGetLastError();
    if (code == cudaErrorInsufficientDriver)
        return driver_missing(device, error);
    if (code == cudaErrorNoDevice || (code == cudaSuccess && *count == 0))
        return error_set(error, STATUS_UNSUPPORTED,
                         "device \"cuda:%d\": the NVIDIA driver finds no GPU (is "
                         "CUDA_VISIBLE_DEVICES empty?): use --device cpu",
                         device);
    if (code != cudaSuccess)
        return error_set(error, STATUS_DEVICE, "device \"cuda:%d\": %s", device,
                         cudaGetErrorString(code));
    return STATUS_OK;
}

static enum status device_choose(int device, struct cudaDeviceProp *properties,
                                 struct error *error)
{
    int count = 0;
    const enum status status = device_count(device, &count, error);

    if (status)
        return status;
    if (device >= count)
        return error_set(error, STATUS_USAGE,
                         "device \"cuda:%d\": there %s %d GPU%s here, the last is cuda:%d",
                         device, count == 1 ? "is" : "are", count, count == 1 ? "" : "s",
                         count - 1);
    cudaError_t code = cudaGetDeviceProperties(properties, device);
    if (code == cudaSuccess &&
        properties->major * 10 + properties->minor < COMPUTE_CAPABILITY_LEAST)
        return error_set(error, STATUS_UNSUPPORTED,
                         "device \"cuda:%d\": %s has compute capability %d.%d, 8.0 or "
                         "later is needed: use --device cpu",
                         device, properties->name, properties->major, properties->minor);
    if (code == cudaSuccess)
        code = cudaSetDevice(device);
    if (code == cudaSuccess)
        return STATUS_OK;
    cudaGetLastError();
    return error_set(error, STATUS_DEVICE, "device \"cuda:%d\": %s", device,
                     cudaGetErrorString(code));
}

static int core_count(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? static_cast<int>(count) : 1;
}

static void describe(struct cuda_backend *cuda, const struct cudaDeviceProp *properties)
{
    const size_t version = cublasLtGetVersion();
    char attention[32] = "own attention kernel";

#ifdef CUDNN_MAJOR
    if (cuda->attention_plans)
        snprintf(attention, sizeof attention, "cuDNN %d.%d", CUDNN_MAJOR, CUDNN_MINOR);
#endif
    snprintf(cuda->description, sizeof cuda->description,
             "cuda:%d, %.96s, %zu GiB, %s, cuBLASLt %zu.%zu, %s", cuda->device,
             properties->name, properties->totalGlobalMem >> 30,
             cuda->backend.fp8                           ? "bf16 with FP8 products"
             : cuda->backend.compute_dtype == DTYPE_BF16 ? "bf16"
                                                         : "fp32",
             version / 10000, version % 10000 / 100, attention);
}

static void libraries_open(struct cuda_backend *cuda)
{
    if (!cuda_good(cuda, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
                   "stream"))
        return;
    const cublasStatus_t status = cublasLtCreate(&cuda->blas);
    if (status != CUBLAS_STATUS_SUCCESS) {
        cuda_fail(cuda, STATUS_DEVICE, "cuBLASLt: %s", cublasLtGetStatusString(status));
        return;
    }
    cuda->gemm_cache = cuda_gemm_cache_create();
    cuda_transfers_open(cuda);
    cuda_scratch(cuda, CUDA_SCRATCH_BLAS, BLAS_WORKSPACE_BYTES);
    if (!cuda->backend.error.status)
        cuda->attention_plans = cuda_attention_plans_create(cuda);
}

enum status cuda_backend_open(struct backend **backend, int device,
                              const struct backend_options *options, struct error *error)
{
    struct cudaDeviceProp properties;
    const char *precision = options->precision ? options->precision : "auto";
    const bool fp32 = strcmp(precision, "fp32") == 0, fp8 = strcmp(precision, "fp8") == 0;

    *backend = NULL;
    enum status status = device_choose(device, &properties, error);
    if (!status && fp8)
        status = cuda_fp8_check(properties.major * 10 + properties.minor, properties.name,
                                error);
    if (status)
        return status;
    struct cuda_backend *cuda =
        static_cast<struct cuda_backend *>(memory_allocate(sizeof *cuda));
    cuda->backend.table = &cuda_table;
    cuda->backend.compute_dtype = fp32 ? DTYPE_F32 : DTYPE_BF16;
    cuda->backend.activation_dtype = cuda->backend.compute_dtype;
    cuda->backend.operand_dtype = cuda->backend.compute_dtype;
    cuda->backend.fp8 = fp8;
    cuda->device = device;
    cuda->thread_count = options->thread_count > 0 ? options->thread_count : core_count();
    cuda->multiprocessor_count = properties.multiProcessorCount;
    cuda->compute_capability = properties.major * 10 + properties.minor;
    cuda->shared_bytes_most = properties.sharedMemPerBlockOptin;
    libraries_open(cuda);
    if (cuda->backend.error.status) {
        const enum status failed = /* cuda_fail() says "cuda: " */
            error_set(error, cuda->backend.error.status, "device \"cuda:%d\": %s", device,
                      cuda->backend.error.message + strlen("cuda: "));
        cuda_close(&cuda->backend);
        return failed;
    }
    describe(cuda, &properties);
    *backend = &cuda->backend;
    return STATUS_OK;
}
