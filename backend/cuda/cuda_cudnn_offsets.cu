#include "backend/cuda/cuda_cudnn.h"

enum { BLOCK = 256 };

static size_t align16(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

static size_t offsets_bytes(const struct cuda_cudnn_layout *layout)
{
    return align16((size_t)(layout->batch + 1) * sizeof(int64_t));
}

size_t cuda_cudnn_index_bytes(const struct cuda_cudnn_layout *layout)
{
    return 3 * offsets_bytes(layout) + align16((size_t)layout->batch * sizeof(int32_t));
}

struct cuda_cudnn_index
cuda_cudnn_index_at(void *memory, const struct cuda_cudnn_layout *layout, int64_t launch)
{
    const size_t offsets = offsets_bytes(layout);
    char *base = (char *)memory + (size_t)launch * cuda_cudnn_index_bytes(layout);
    struct cuda_cudnn_index index;

    index.qkv = (int64_t *)base;
    index.out = (int64_t *)(base + offsets);
    index.stats = (int64_t *)(base + 2 * offsets);
    index.lengths = (int32_t *)(base + 3 * offsets);
    return index;
}

/* The first launch's index, and how far the others lie from it. */
struct index_target {
    struct cuda_cudnn_index first;
    int64_t bytes;
};

/* One thread an offset: `entry` of `launch`, in [0, batch]. */
static __global__ void index_kernel(struct index_target target,
                                    struct cuda_cudnn_layout layout, const int32_t *starts)
{
    const int64_t entry = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    const int64_t launch = blockIdx.y;

    if (entry > layout.batch)
        return;

    const int64_t document = launch * layout.batch + entry;
    const int64_t start = starts[min(document, layout.documents)];
    const int64_t moved = launch * target.bytes;

    ((int64_t *)((char *)target.first.qkv + moved))[entry] = start * layout.qkv_stride;
    ((int64_t *)((char *)target.first.out + moved))[entry] = start * layout.out_stride;
    ((int64_t *)((char *)target.first.stats + moved))[entry] = start * layout.heads;
    if (entry < layout.batch)
        ((int32_t *)((char *)target.first.lengths + moved))[entry] =
            document < layout.documents ? starts[document + 1] - (int32_t)start : 0;
}

void cuda_cudnn_index_write(struct cuda_backend *cuda, void *memory,
                            const struct cuda_cudnn_layout *layout, const int32_t *starts)
{
    const struct index_target target = {cuda_cudnn_index_at(memory, layout, 0),
                                        (int64_t)cuda_cudnn_index_bytes(layout)};
    const dim3 grid((unsigned)(layout->batch / BLOCK + 1),
                    (unsigned)cuda_cudnn_launches(layout));

    index_kernel<<<grid, BLOCK, 0, cuda->stream>>>(target, *layout, starts);
    cuda_launched(cuda, "attention: offsets of documents");
}

bool cuda_cudnn_stats_in_place(const struct cuda_cudnn_layout *layout)
{
    return layout->uniform && layout->documents == 1; /* [1, H, S] is [H, T] */
}

/* Where cuDNN has what log_sum has at [head, token]. */
static __device__ int64_t stats_place(const struct cuda_cudnn_layout &layout, int64_t head,
                                      int64_t token)
{
    if (!layout.uniform)
        return token * layout.heads + head;

    const int64_t document = token / layout.length;
    return (document * layout.heads + head - document) * layout.length + token;
}

static __global__ void stats_read_kernel(float *log_sum, const float *stats,
                                         struct cuda_cudnn_layout layout)
{
    const int64_t token = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    const int64_t head = blockIdx.y;

    if (token < layout.tokens)
        log_sum[head * layout.tokens + token] = stats[stats_place(layout, head, token)];
}

static __global__ void stats_write_kernel(float *stats, const float *log_sum,
                                          struct cuda_cudnn_layout layout)
{
    const int64_t token = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
    const int64_t head = blockIdx.y;

    if (token < layout.tokens)
        stats[stats_place(layout, head, token)] = log_sum[head * layout.tokens + token];
}

static dim3 stats_grid(const struct cuda_cudnn_layout *layout)
{
    return dim3((unsigned)((layout->tokens + BLOCK - 1) / BLOCK), (unsigned)layout->heads);
}

void cuda_cudnn_stats_read(struct cuda_backend *cuda, float *log_sum, const float *stats,
                           const struct cuda_cudnn_layout *layout)
{
    stats_read_kernel<<<stats_grid(layout), BLOCK, 0, cuda->stream>>>(log_sum, stats,
                                                                      *layout);
    cuda_launched(cuda, "attention: statistics to log_sum");
}

void cuda_cudnn_stats_write(struct cuda_backend *cuda, float *stats, const float *log_sum,
                            const struct cuda_cudnn_layout *layout)
{
    stats_write_kernel<<<stats_grid(layout), BLOCK, 0, cuda->stream>>>(stats, log_sum,
                                                                       *layout);
    cuda_launched(cuda, "attention: log_sum to statistics");
}
