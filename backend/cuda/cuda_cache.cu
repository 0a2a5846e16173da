#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * The cache of generation: writing it. Keys and values of a token go to a row of its page;
 * cuda_decode.cu reads them.
 */
namespace
{

/* Block t: keys and values lie side by side in a row of qkv. `count` accesses of either. */
template <typename A>
__global__ void cache_write_kernel(A *keys, A *values, const A *qkv, const int32_t *rows,
                                   int64_t qkv_stride, int64_t qkv_offset, int64_t count)
{
    const A *from = qkv + blockIdx.x * qkv_stride + qkv_offset;
    const int64_t to = rows[blockIdx.x] * count;

    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        keys[to + i] = from[i];
        values[to + i] = from[count + i];
    }
}

/* With accesses of type A. */
template <typename A>
void write_rows(struct cuda_backend *cuda, struct key_value_cache_layer *cache,
                const struct tensor *qkv, const int32_t *rows,
                const struct attention_shape *shape)
{
    const int64_t bytes = static_cast<int64_t>(dtype_bytes(qkv->dtype));
    const int64_t size = static_cast<int64_t>(sizeof(A));
    const int64_t count = cache->keys.shape[1] * bytes / size;

    cache_write_kernel<<<grid_size(qkv->shape[0]), whole_warps(count, 256), 0,
                         cuda->stream>>>(
        data_of<A>(&cache->keys), data_of<A>(&cache->values), data_of<const A>(qkv), rows,
        qkv->shape[1] * bytes / size, shape->heads * shape->head_size * bytes / size,
        count);
    cuda_launched(cuda, "cache_write");
}

} // namespace

void cuda_cache_write(struct backend *backend, struct key_value_cache_layer *cache,
                      const struct tensor *qkv, const int32_t *rows,
                      const struct attention_shape *shape)
{
    const int64_t bytes = shape->head_size * static_cast<int64_t>(dtype_bytes(qkv->dtype));
    const bool packs = bytes % PACK_BYTES == 0 && pack_aligned(qkv->data) &&
                       pack_aligned(cache->keys.data) && pack_aligned(cache->values.data);

    if (qkv->shape[0] == 0)
        return;
    if (packs)
        write_rows<uint4>(cuda_of(backend), cache, qkv, rows, shape);
    else if (qkv->dtype == DTYPE_BF16)
        write_rows<uint16_t>(cuda_of(backend), cache, qkv, rows, shape);
    else
        write_rows<uint32_t>(cuda_of(backend), cache, qkv, rows, shape);
}
