#include "backend/cpu/cpu_backend.h"

#include "backend/cpu/cpu_adapter.h"
#include "backend/cpu/cpu_operations.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL_ALIGNMENT = 64, LARGE_ALIGNMENT = 2 << 20 };

/*
 * Zeros, freed with aligned_free(). Large blocks ask for huge pages: gemm walks many rows
 * at once and would miss the TLB. Their zeros are the kernel's, who makes a page when it is
 * first written, by the thread that writes it.
 */
static void *aligned_zeros(size_t bytes)
{
    const size_t alignment = bytes >= LARGE_ALIGNMENT ? LARGE_ALIGNMENT : SMALL_ALIGNMENT;
    const size_t before = alignment + sizeof(void *);

    if (bytes > SIZE_MAX - before - 1)
        return NULL;
    unsigned char *raw = calloc(1, bytes + before);
    if (!raw)
        return NULL;
    unsigned char *memory = raw + before - (uintptr_t)(raw + before) % alignment;
    memcpy(memory - sizeof raw, &raw, sizeof raw);
    if (alignment == LARGE_ALIGNMENT)
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

static void aligned_free(void *memory)
{
    void *raw;

    if (!memory)
        return;
    memcpy(&raw, (unsigned char *)memory - sizeof raw, sizeof raw);
    free(raw);
}

void *cpu_scratch(struct cpu_backend *cpu, enum scratch_slot slot, int64_t count,
                  size_t bytes_each)
{
    size_t bytes;

    CHECK(count >= 0 && !__builtin_mul_overflow((size_t)count, bytes_each, &bytes));
    if (bytes > cpu->scratch[slot].bytes || !cpu->scratch[slot].memory) {
        aligned_free(cpu->scratch[slot].memory);
        cpu->scratch[slot].memory = aligned_zeros(bytes);
        cpu->scratch[slot].bytes = cpu->scratch[slot].memory ? bytes : 0;
        if (!cpu->scratch[slot].memory)
            error_set(&cpu->backend.error, STATUS_MEMORY,
                      "cpu: no memory for %zu bytes of scratch", bytes);
    }
    return cpu->scratch[slot].memory;
}

float *cpu_thread_scratch(struct cpu_backend *cpu, int64_t floats)
{
    return cpu_scratch(cpu, SCRATCH_THREADS, cpu_piece_floats(floats) * cpu->thread_count,
                       sizeof(float));
}

const float *cpu_vector(struct cpu_backend *cpu, const struct tensor *vector,
                        enum scratch_slot slot)
{
    const int64_t count = tensor_count(vector);

    if (vector->dtype == DTYPE_F32)
        return f32(vector);
    float *wide = cpu_scratch(cpu, slot, count, sizeof *wide);
    if (wide)
        dtype_convert(wide, DTYPE_F32, vector->data, vector->dtype, count);
    return wide;
}

static void cpu_close(struct backend *backend)
{
    struct cpu_backend *cpu = cpu_of(backend);

    for (int i = 0; i < SCRATCH_SLOT_COUNT; i++)
        aligned_free(cpu->scratch[i].memory);
    free(cpu);
}

static int cpu_thread_count(const struct backend *backend)
{
    return ((const struct cpu_backend *)backend)->thread_count;
}

static const char *cpu_description(const struct backend *backend)
{
    return ((const struct cpu_backend *)backend)->description;
}

static void *cpu_allocate(struct backend *backend, size_t bytes, struct error *error)
{
    void *memory = aligned_zeros(bytes);

    (void)backend;
    if (!memory)
        error_set(error, STATUS_MEMORY, "cpu: no memory for %zu bytes", bytes);
    return memory;
}

static void cpu_free(struct backend *backend, void *memory)
{
    (void)backend;
    aligned_free(memory);
}

static void cpu_copy_in(struct backend *backend, void *device, const void *host,
                        size_t bytes)
{
    (void)backend;
    memcpy(device, host, bytes);
}

static void cpu_copy_out(struct backend *backend, void *host, const void *device,
                         size_t bytes)
{
    (void)backend;
    memcpy(host, device, bytes);
}

/* Every operation has ended when it returns. */
static void cpu_sync(struct backend *backend)
{
    (void)backend;
}

/* Memory is the machine's, and others use it too. */
static bool cpu_memory(const struct backend *backend, size_t *free_bytes,
                       size_t *total_bytes)
{
    (void)backend;
    *free_bytes = *total_bytes = 0;
    return false;
}

static bool cpu_record_begin(struct backend *backend)
{
    (void)backend;
    return false;
}

static const struct operation_table cpu_table = {
    .name = "cpu",
    .on_host = true,
    .memory = cpu_memory,
    .close = cpu_close,
    .thread_count = cpu_thread_count,
    .description = cpu_description,
    .allocate = cpu_allocate,
    .free = cpu_free,
    .copy_in = cpu_copy_in,
    .copy_out = cpu_copy_out,
    .sync = cpu_sync,
    .record_begin = cpu_record_begin,
    .fill = cpu_fill,
    .add = cpu_add,
    .scale = cpu_scale,
    .embedding_forward = cpu_embedding_forward,
    .embedding_backward = cpu_embedding_backward,
    .linear_forward = cpu_linear_forward,
    .linear_decode = cpu_linear_decode, /* rows are independent in our gemm */
    .linear_arrange = cpu_linear_arrange,
    .linear_backward_input = cpu_linear_backward_input,
    .linear_backward_weight = cpu_linear_backward_weight,
    .rms_norm_forward = cpu_rms_norm_forward,
    .rms_norm_backward = cpu_rms_norm_backward,
    .layer_norm_forward = cpu_layer_norm_forward,
    .layer_norm_backward = cpu_layer_norm_backward,
    .head_norm_forward = cpu_head_norm_forward,
    .head_norm_backward = cpu_head_norm_backward,
    .rope_forward = cpu_rope_forward,
    .rope_backward = cpu_rope_backward,
    .attention_forward = cpu_attention_forward,
    .attention_backward = cpu_attention_backward,
    .swiglu_forward = cpu_swiglu_forward,
    .swiglu_backward = cpu_swiglu_backward,
    .gelu_forward = cpu_gelu_forward,
    .gelu_backward = cpu_gelu_backward,
    .soft_cap = cpu_soft_cap,
    .linear_cross_entropy = cpu_linear_cross_entropy,
    .cache_write = cpu_cache_write,
    .attention_prefill = cpu_attention_prefill,
    .attention_decode = cpu_attention_decode,
    .sample_tokens = cpu_sample_tokens,
    .nf4_dequantize = cpu_nf4_dequantize,
    .sum_of_squares = cpu_sum_of_squares,
    .adamw_update = cpu_adamw_update,
    .adamw_update_8bit = cpu_adamw_update_8bit,
    .dropout = cpu_dropout,
    .adapted_row_norms = cpu_adapted_row_norms,
    .magnitude_gains = cpu_magnitude_gains,
    .gain_forward = cpu_gain_forward,
    .gain_backward = cpu_gain_backward,
};

static int core_count(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/*
 * bf16: weights are held in it, which halves what decoding reads; activations stay fp32.
 * Products are made in it where the processor can, else from widened weights. fp8: the
 * same, and products with marked weights as cpu_fp8.h says.
 */
static void precision_choose(struct cpu_backend *cpu, const char *precision)
{
    const struct bf16_kernel *kernel = bf16_kernel_best();
    const bool fp8 = strcmp(precision, "fp8") == 0;
    char how[96];

    snprintf(how, sizeof how, "fp32, %s", cpu->kernel->name);
    if (strcmp(precision, "bf16") == 0 || fp8 ||
        (strcmp(precision, "auto") == 0 && kernel)) {
        cpu->backend.compute_dtype = DTYPE_BF16;
        cpu->bf16 = kernel;
        cpu->backend.operand_dtype = kernel ? DTYPE_BF16 : DTYPE_F32;
        if (kernel)
            snprintf(how, sizeof how, "bf16, %s", kernel->name);
        else
            snprintf(how, sizeof how,
                     "bf16 weights, computed in fp32: no bf16 instructions here, %s",
                     cpu->kernel->name);
    }
    cpu->backend.fp8 = fp8;
    snprintf(cpu->description, sizeof cpu->description, "cpu, %d thread%s, %s%s",
             cpu->thread_count, cpu->thread_count == 1 ? "" : "s", how,
             fp8 ? ", some rounded to FP8 and computed in fp32" : "");
}

enum status cpu_backend_open(struct backend **backend,
                             const struct backend_options *options, struct error *error)
{
    struct cpu_backend *cpu = memory_allocate(sizeof *cpu);
    (void)error;
    cpu->backend.table = &cpu_table;
    cpu->backend.compute_dtype = DTYPE_F32;
    cpu->backend.activation_dtype = DTYPE_F32;
    cpu->backend.operand_dtype = DTYPE_F32;
    cpu->thread_count = core_count();
#ifdef _OPENMP
    if (options->thread_count > 0)
        cpu->thread_count = options->thread_count;
#endif
    cpu->kernel = gemm_kernel_best();
    precision_choose(cpu, options->precision ? options->precision : "fp32");
    *backend = &cpu->backend;
    return STATUS_OK;
}
