#include "backend/cuda/cuda_attention.cuh"
#include "backend/cuda/cuda_cudnn.h"
#include "backend/cuda/cuda_operations.h"

#include <stdlib.h>
#include <string.h>

/*
 * Which kernels serve a call: cuDNN's where they can and are worth their plans, then ours on
 * the tensor cores, then ours in fp32. HOLDFAST_ATTENTION=cudnn asks for cuDNN wherever it
 * can, =own leaves it out, =simple the tensor cores too.
 *
 * cuDNN makes a plan for each pair of number and length of documents, in half a second
 * (measured on an H200). Batches of chats have many pairs, and short documents spend little
 * on attention: below RAGGED_LENGTH_LEAST our kernel costs some hundredths of an update
 * more, a plan as much as dozens of updates' share.
 */
enum attention_choice {
    ATTENTION_CHOSEN,
    ATTENTION_CUDNN,
    ATTENTION_OWN,
    ATTENTION_SIMPLE
};
enum { RAGGED_LENGTH_LEAST = 1025 };

static enum attention_choice attention_choice(const struct cuda_backend *cuda)
{
    const char *name = getenv("HOLDFAST_ATTENTION");

    if (name && strcmp(name, "simple") == 0)
        return ATTENTION_SIMPLE;
    if (!cuda->attention_plans || (name && strcmp(name, "own") == 0))
        return ATTENTION_OWN;
    return name && strcmp(name, "cudnn") == 0 ? ATTENTION_CUDNN : ATTENTION_CHOSEN;
}

void cuda_attention_launch(struct cuda_backend *cuda, cuda_attention_kernel *kernel,
                           int64_t blocks, int threads, size_t shared_bytes,
                           const struct cuda_attention *a)
{
    if (blocks == 0)
        return;
    if (shared_bytes > cuda->shared_bytes_most) {
        cuda_fail(cuda, STATUS_UNSUPPORTED,
                  "attention: heads of %d channels take %zu bytes of shared memory, and a "
                  "block of this GPU has %zu: use another GPU, or --device cpu",
                  a->head_size, shared_bytes, cuda->shared_bytes_most);
        return;
    }
    const void *function = (const void *)kernel;
    if (!cuda_good(cuda,
                   cudaFuncSetAttribute(function,
                                        cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        (int)shared_bytes),
                   "attention: shared memory") ||
        !cuda_good(cuda,
                   cudaFuncSetAttribute(function,
                                        cudaFuncAttributePreferredSharedMemoryCarveout,
                                        cudaSharedmemCarveoutMaxShared),
                   "attention: shared memory"))
        return;
    kernel<<<(unsigned)blocks, threads, shared_bytes, cuda->stream>>>(*a);
    cuda_launched(cuda, "attention");
}

static struct cuda_attention attention_of(const struct tensor *qkv,
                                          const struct documents *documents,
                                          const struct attention_shape *shape)
{
    struct cuda_attention a = {};

    a.qkv = qkv->data;
    a.starts = documents->starts;
    a.tokens = (int)qkv->shape[0];
    a.documents = (int)documents->count;
    a.heads = (int)shape->heads;
    a.key_value_heads = (int)shape->key_value_heads;
    a.head_size = (int)shape->head_size;
    a.window = (int)shape->window;
    a.scale = shape->scale;
    a.cap = shape->cap;
    return a;
}

/* A window that is not shorter than any document changes nothing. Not for prefill: which
 * kernel serves a document must not depend on the others. */
static struct attention_shape shape_needed(const struct attention_shape *shape,
                                           const struct documents *documents)
{
    struct attention_shape needed = *shape;

    if (needed.window >= documents->longest)
        needed.window = 0;
    return needed;
}

static bool aligned(const void *pointer)
{
    return (uintptr_t)pointer % 16 == 0;
}

static bool tensor_cores_serve(const struct cuda_backend *cuda,
                               const struct cuda_attention *a, enum dtype dtype)
{
    const int64_t columns = ((int64_t)a->heads + 2 * a->key_value_heads) * a->head_size;
    const int d = a->head_size;

    return dtype == DTYPE_BF16 && attention_choice(cuda) != ATTENTION_SIMPLE &&
           (d == 64 || d == 80 || d == 96 || d == 128 || d == 256) &&
           columns < (int64_t)1 << 23 && aligned(a->qkv) && aligned(a->out) &&
           aligned(a->d_out) && aligned(a->d_qkv) && aligned(a->cached_keys) &&
           aligned(a->cached_values);
}

static bool plans_pay(const struct cuda_attention *a, const struct documents *documents)
{
    return cuda_cudnn_uniform(documents, a->tokens) ||
           documents->longest >= RAGGED_LENGTH_LEAST;
}

/* cuDNN's attention is asked for neither windows nor caps. */
static bool cudnn_serves(const struct cuda_backend *cuda, const struct cuda_attention *a,
                         const struct documents *documents, enum dtype dtype)
{
    const enum attention_choice choice = attention_choice(cuda);

    if (a->window != 0 || a->cap != 0)
        return false;
    return choice == ATTENTION_CUDNN ||
           (choice == ATTENTION_CHOSEN &&
            (plans_pay(a, documents) || !tensor_cores_serve(cuda, a, dtype)));
}

/* False (and a sticky error) for a head size that no kernel serves. */
static bool head_size_good(struct cuda_backend *cuda, const struct attention_shape *shape)
{
    return cuda_good(cuda,
                     shape->head_size <= CUDA_ATTENTION_HEAD_SIZE_MAXIMUM
                         ? cudaSuccess
                         : cudaErrorInvalidValue,
                     "attention: head sizes above 512 are not served");
}

static struct cuda_attention forward_of(struct tensor *out, struct tensor *log_sum,
                                        const struct tensor *qkv,
                                        const struct documents *documents,
                                        const struct attention_shape *shape)
{
    struct cuda_attention a = attention_of(qkv, documents, shape);

    a.out = out->data;
    a.log_sum = log_sum ? (float *)log_sum->data : NULL;
    return a;
}

static void own_forward(struct cuda_backend *cuda, struct cuda_attention *a,
                        const struct attention_shape *shape, enum dtype dtype)
{
    if (!head_size_good(cuda, shape))
        return;
    if (tensor_cores_serve(cuda, a, dtype))
        cuda_attention_tensor_forward(cuda, a);
    else
        cuda_attention_simple_forward(cuda, a, dtype);
}

void cuda_attention_forward(struct backend *backend, struct tensor *out,
                            struct tensor *log_sum, const struct tensor *qkv,
                            const struct documents *documents,
                            const struct attention_shape *shape)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct attention_shape needed = shape_needed(shape, documents);
    struct cuda_attention a = forward_of(out, log_sum, qkv, documents, &needed);

    if (qkv->shape[0] == 0)
        return;
    if (cudnn_serves(cuda, &a, documents, qkv->dtype) &&
        cuda_cudnn_attention_forward(cuda, out, log_sum, qkv, documents, &needed))
        return;
    own_forward(cuda, &a, &needed, qkv->dtype);
}

/* Whether a document of the pass continues what is in the cache does not show in the others:
 * either implementation's two forwards give a row the same bits. */
void cuda_attention_prefill(struct backend *backend, struct tensor *out,
                            const struct tensor *qkv,
                            const struct key_value_cache_layer *cache,
                            const struct cached_documents *cached,
                            const struct attention_shape *shape)
{
    struct cuda_backend *cuda = cuda_of(backend);
    struct cuda_attention a = forward_of(out, NULL, qkv, &cached->documents, shape);

    if (qkv->shape[0] == 0 || !head_size_good(cuda, shape))
        return;
    a.cached_keys = cache->keys.data;
    a.cached_values = cache->values.data;
    a.positions = cached->positions;
    a.pages = cached->pages.table;
    a.width = cached->pages.width;
    if (!cached->continues)
        own_forward(cuda, &a, shape, qkv->dtype);
    else if (tensor_cores_serve(cuda, &a, qkv->dtype))
        cuda_attention_tensor_paged(cuda, &a);
    else
        cuda_attention_simple_paged(cuda, &a, qkv->dtype);
}

void cuda_attention_backward(struct backend *backend, struct tensor *d_qkv,
                             const struct tensor *d_out, const struct tensor *qkv,
                             const struct tensor *out, const struct tensor *log_sum,
                             const struct documents *documents,
                             const struct attention_shape *shape)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct attention_shape needed = shape_needed(shape, documents);
    struct cuda_attention a = attention_of(qkv, documents, &needed);

    if (qkv->shape[0] == 0)
        return;
    a.out = out->data;
    a.log_sum = (float *)log_sum->data;
    a.d_out = d_out->data;
    a.d_qkv = d_qkv->data;
    if (cudnn_serves(cuda, &a, documents, qkv->dtype) &&
        cuda_cudnn_attention_backward(cuda, d_qkv, d_out, qkv, out, log_sum, documents,
                                      &needed))
        return;
    if (!head_size_good(cuda, shape))
        return;
    a.delta = (float *)cuda_scratch(cuda, CUDA_SCRATCH_ATTENTION, tensor_bytes(log_sum));
    if (!a.delta)
        return;
    if (tensor_cores_serve(cuda, &a, qkv->dtype) &&
        cuda_attention_tensor_backward_fits(cuda, &a))
        cuda_attention_tensor_backward(cuda, &a);
    else
        cuda_attention_simple_backward(cuda, &a, qkv->dtype);
}
