#ifndef HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_ATTENTION_CUH

#include "backend/cuda/cuda_backend.h"

/*
 * Our own attention for packed documents, by tiles with an online softmax (Dao 2023,
 * arXiv:2307.08691). With s = q . k, P = exp(scale s - log_sum), delta = sum_d dO O:
 *
 *     O = P V     dV = P^T dO     dP = dO V^T     dS = P (dP - delta)
 *     dQ = scale dS K             dK = scale dS^T Q
 *
 * With a cap, P = exp(c - log_sum), c = cap t, t = tanh(scale s / cap), and dS has the
 * factor 1 - t^2 besides.
 *
 * Two implementations: tensor cores for bf16 and the usual head sizes
 * (cuda_attention_forward.cu, cuda_attention_backward.cu), and plain arithmetic in fp32
 * for everything else (cuda_attention_simple.cu). The backward is made of two kernels, one
 * that owns tiles of queries (dQ) and one that owns tiles of keys (dK and dV, summed over
 * the query heads of the group): nothing is added to by two blocks, so the sums have one
 * order. All kernels take the same operands. Shape letters as in backend/tensor.h.
 *
 * Either implementation has a second forward, whose keys and values come from the pages of
 * the cache (`…_paged`): a document may then be the continuation of what is there. It gives
 * a row the bits that the first one gives it.
 */
struct cuda_attention {
    const void *qkv;       /* [T, (H + 2G) D] */
    void *out;             /* [T, H D] */
    float *log_sum;        /* [H, T]; NULL: not wanted */
    const void *d_out;     /* [T, H D] */
    void *d_qkv;           /* [T, (H + 2G) D] */
    float *delta;          /* [H, T] */
    const int32_t *starts; /* [documents + 1] */
    int tokens;
    int documents;
    int heads;
    int key_value_heads;
    int head_size;
    int window; /* 0: none */
    float scale;
    float cap; /* 0: none */
    /* Read by the paged ones alone: the cache [R, G D], the rows' positions [T], and the
     * documents' pages [documents, width]. */
    const void *cached_keys;
    const void *cached_values;
    const int32_t *positions;
    const int32_t *pages;
    int64_t width;
};

enum { CUDA_ATTENTION_HEAD_SIZE_MAXIMUM = 512 };

/* Launches; a failure is the back-end's sticky error. The tensor-core ones serve bf16, head
 * sizes 64, 80, 96, 128 and 256, tensors (and the cache) aligned to 16 bytes, and rows of
 * qkv below 2^23 elements. */
void cuda_attention_tensor_forward(struct cuda_backend *cuda, struct cuda_attention *a);
void cuda_attention_tensor_paged(struct cuda_backend *cuda, struct cuda_attention *a);
void cuda_attention_tensor_backward(struct cuda_backend *cuda, struct cuda_attention *a);
/* Whether the GPU has the shared memory for it. */
bool cuda_attention_tensor_backward_fits(const struct cuda_backend *cuda,
                                         const struct cuda_attention *a);
void cuda_attention_simple_forward(struct cuda_backend *cuda, struct cuda_attention *a,
                                   enum dtype dtype);
void cuda_attention_simple_paged(struct cuda_backend *cuda, struct cuda_attention *a,
                                 enum dtype dtype);
void cuda_attention_simple_backward(struct cuda_backend *cuda, struct cuda_attention *a,
                                    enum dtype dtype);

typedef void cuda_attention_kernel(struct cuda_attention);

/* No blocks: does nothing. */
void cuda_attention_launch(struct cuda_backend *cuda, cuda_attention_kernel *kernel,
                           int64_t blocks, int threads, size_t shared_bytes,
                           const struct cuda_attention *a);

/*
 * Tiles of `rows` rows, counted from the start of their document, so that a document's
 * bits do not depend on where it lies. The host does not know where documents begin: it
 * launches a block for each index below T / rows + N (each times a number of heads), and
 *
 *     document n has the indices from  starts[n] / rows + n  on.
 *
 * They suffice: a document of L tokens from `start` on has at most
 * (start + L) / rows - start / rows + 1 tiles. Blocks with an index to spare leave.
 */
static inline int64_t cuda_attention_tiles(const struct cuda_attention *a, int rows)
{
    return a->tokens / rows + a->documents;
}

/* Rows [first, …) of the document of `length` tokens that starts at row `start`. */
struct document_tile {
    int document;
    int start;
    int length;
    int first;
};

/* The document that owns tile index `index`: each round the 32 lanes of the warp cut the
 * candidates [low, low + count) into as many parts. */
template <int ROWS>
__device__ inline int document_of_tile(const int32_t *starts, int documents, int index)
{
    const int lane = threadIdx.x % 32;
    int low = 0, count = documents;

    while (count > 1) {
        const int step = (count + 31) / 32, probe = low + lane * step;
        const bool before = lane * step < count && starts[probe] / ROWS + probe <= index;
        const int parts = __popc(__ballot_sync(0xffffffffu, before)) - 1;
        low += parts * step;
        count = min(step, count - parts * step);
    }
    return low;
}

/* False where the index is to spare. Called by whole warps. */
template <int ROWS>
__device__ inline bool document_tile_find(struct document_tile *tile,
                                          const struct cuda_attention &a, int index)
{
    const int n = document_of_tile<ROWS>(a.starts, a.documents, index);

    /* The shuffles tell the compiler that all lanes agree. */
    tile->start = __shfl_sync(0xffffffffu, a.starts[n], 0);
    tile->length = __shfl_sync(0xffffffffu, a.starts[n + 1], 0) - tile->start;
    tile->document = n;
    tile->first = (index - (tile->start / ROWS + n)) * ROWS;
    return tile->first < tile->length;
}

/* The causal rule, in positions of a document. */
__device__ inline bool attends(int query, int key)
{
    return key <= query;
}

/* The same with a window (0: none). */
__device__ inline bool attends_within(int query, int key, int window)
{
    return key <= query && (window == 0 || key > query - window);
}

/* The first of the tiles of `rows` keys that queries from `query` on need. */
__device__ inline int first_key_of(int query, int window, int rows)
{
    return window == 0 ? 0 : max(0, query - window + 1) / rows * rows;
}

/* Behind the last query of a document of `length` that attends to keys up to `key`. */
__device__ inline int end_query_of(int key, int window, int length)
{
    return window == 0 || key >= length - window ? length : key + window;
}

#endif
