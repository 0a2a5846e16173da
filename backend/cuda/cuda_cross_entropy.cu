#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

#include <stddef.h>

/*
 * Chunks of rows, and slices of a chunk: a product makes the logits of a slice in f32, one
 * block a row turns them into losses and, in the element type of the call, into their
 * gradients; when the chunk is full, two products bring those to the input and the weight.
 * Each chunk reads and writes the whole gradient of the weight, so chunks are large; slices
 * are small because f32 logits take most. Scratch, with R rows in a chunk and S in a slice:
 *
 *     logits   [S, stride] f32    stride: V rounded up, so that every row is aligned
 *     d_logits [R, stride]        f32: in place of the logits, and S = R
 *     rows     [R, C]             only where some rows have no target: gathered
 *     d_rows   [R, C]             likewise, scattered
 */
static const int64_t LOGITS_BYTES = 512LL << 20;
static const int64_t GRADIENT_BYTES = 1024LL << 20;
enum {
    ROWS_ROUND = 128,    /* whole tiles of a product */
    STRIDE_ROUND = 64,   /* 128 bytes of bf16 */
    BATCH = 4,           /* accesses of a thread in flight */
    QUAD = 4,            /* logits of an access */
    THREADS_SHORT = 256, /* of a row */
    THREADS_LONG = 1024,
    SHORT_ROW_MOST = 8192, /* logits */
    COPY_THREADS = 256,
    SUM_THREADS = 1024
};

/* ---- One row ---- */

struct row_pass {
    float *logits;  /* [rows, stride] */
    void *d_logits; /* [rows, stride], may be the logits */
    int64_t stride;
    const int32_t *targets; /* [rows] */
    double *loss;           /* [rows] */
    double *nll;            /* [rows] */
    int vocabulary;
    float inverse_cap; /* 0: none; the logits are capped already */
    float smoothing;
    float scale;
};

/* Of the logits seen so far: the greatest, the sum of exp(z - greatest), the sum of z. */
struct online {
    float highest;
    float sum;
    float total;
};

/* What a sum relative to `highest` is multiplied by to be relative to `higher`. Equal ones
 * are set apart because before the first logit both are -infinity. */
static __device__ float rescale(float highest, float higher)
{
    return highest == higher ? 1.0f : expf(highest - higher);
}

template <int N>
static __device__ void online_add(struct online *online, const float (&z)[N])
{
    float highest = online->highest;

#pragma unroll
    for (int i = 0; i < N; i++)
        highest = fmaxf(highest, z[i]);
    float sum = online->sum * rescale(online->highest, highest);
#pragma unroll
    for (int i = 0; i < N; i++) {
        sum += expf(z[i] - highest);
        online->total += z[i];
    }
    online->highest = highest;
    online->sum = sum;
}

static __device__ void put_quad(float *to, float4 quad)
{
    to[0] = quad.x;
    to[1] = quad.y;
    to[2] = quad.z;
    to[3] = quad.w;
}

/* What a thread sees of a row: every THREADS-th quad, and of the logits after the last
 * quad at most one. Several accesses are in flight before the first is used. */
template <int THREADS> static __device__ struct online row_read(const float *z, int count)
{
    const float4 *quads = reinterpret_cast<const float4 *>(z);
    const int quad_count = count / QUAD, thread = static_cast<int>(threadIdx.x);
    struct online online = {-INFINITY, 0, 0};
    int at = thread;

    for (; at + (BATCH - 1) * THREADS < quad_count; at += BATCH * THREADS) {
        float batch[BATCH * QUAD];
#pragma unroll
        for (int j = 0; j < BATCH; j++)
            put_quad(batch + j * QUAD, quads[at + j * THREADS]);
        online_add(&online, batch);
    }
    for (; at < quad_count; at += THREADS) {
        float quad[QUAD];
        put_quad(quad, quads[at]);
        online_add(&online, quad);
    }
    if (quad_count * QUAD + thread < count) {
        const float one[1] = {z[quad_count * QUAD + thread]};
        online_add(&online, one);
    }
    return online;
}

static __device__ void store_quad(float *to, const float *value)
{
    __stcs(reinterpret_cast<float4 *>(to),
           make_float4(value[0], value[1], value[2], value[3]));
}

static __device__ void store_quad(__nv_bfloat16 *to, const float *value)
{
    __stcs(reinterpret_cast<uint2 *>(to),
           make_uint2(pack_word(value), pack_word(value + 2)));
}

/*
 * d loss / d z_v = (factor exp(z_v - highest) - offset) slope, but for the target's: slope
 * is that of the cap, 1 - (z / cap)^2, as the gradient is of the logits before it.
 */
struct gradient {
    float highest;
    float factor;
    float offset;
    float inverse_cap;
};

static __device__ float slope_of(const struct gradient &gradient, float z)
{
    const float t = z * gradient.inverse_cap;
    return 1.0f - t * t;
}

static __device__ float gradient_of(const struct gradient &gradient, float z)
{
    return (expf(z - gradient.highest) * gradient.factor - gradient.offset) *
           slope_of(gradient, z);
}

/*
 * From the end of the row to its start: what row_read() saw last is still in L2. Written
 * past the caches' normal order, for the same reason. An element is read and written by
 * the same thread: d may be z.
 */
template <int THREADS, typename T>
static __device__ void row_gradient(T *d, const float *z, int count,
                                    const struct gradient &gradient)
{
    const float4 *quads = reinterpret_cast<const float4 *>(z);
    const int quad_count = count / QUAD, thread = static_cast<int>(threadIdx.x);
    const int last = quad_count * QUAD + thread;
    const int batches = (quad_count + BATCH * THREADS - 1) / (BATCH * THREADS);

    if (last < count)
        d[last] = from_float<T>(gradient_of(gradient, z[last]));
    for (int b = batches - 1; b >= 0; b--) {
        const int first = b * BATCH * THREADS + thread;
        float batch[BATCH * QUAD];
#pragma unroll
        for (int j = 0; j < BATCH; j++)
            if (first + j * THREADS < quad_count)
                put_quad(batch + j * QUAD, __ldcs(quads + first + j * THREADS));
#pragma unroll
        for (int j = 0; j < BATCH; j++) {
            const int at = first + j * THREADS;
#pragma unroll
            for (int i = 0; i < QUAD; i++)
                batch[j * QUAD + i] = gradient_of(gradient, batch[j * QUAD + i]);
            if (at < quad_count)
                store_quad(d + at * QUAD, batch + j * QUAD);
        }
    }
}

static __device__ void row_losses(const struct row_pass &pass, int64_t row, float highest,
                                  double sum, double total, float target_logit)
{
    const double e = static_cast<double>(pass.smoothing);
    const double log_sum = static_cast<double>(highest) + log(sum);
    const double nll = log_sum - static_cast<double>(target_logit);

    pass.nll[row] = nll;
    pass.loss[row] = (1 - e) * nll + e * (log_sum - total / pass.vocabulary);
}

/* One block a row. A target outside the vocabulary, which the host cannot see, makes NaN.
 */
template <int THREADS, typename T, bool BACKWARD>
static __global__ void __launch_bounds__(THREADS) cross_entropy_row(struct row_pass pass)
{
    __shared__ float shared_highest[WARP_SIZE];
    __shared__ double shared_sum[WARP_SIZE], shared_total[WARP_SIZE];
    const int64_t row = blockIdx.x;
    const float *z = pass.logits + row * pass.stride;
    const int target = pass.targets[row];
    const bool known = target >= 0 && target < pass.vocabulary;
    const float target_logit = known ? z[target] : NAN;
    const struct online online = row_read<THREADS>(z, pass.vocabulary);
    const float highest = block_maximum(online.highest, shared_highest);
    const double mine = static_cast<double>(online.sum * rescale(online.highest, highest));
    const double sum = block_sum(mine, shared_sum);
    const double total = block_sum(static_cast<double>(online.total), shared_total);

    if (threadIdx.x == 0)
        row_losses(pass, row, highest, sum, total, target_logit);
    if constexpr (BACKWARD) {
        T *d = static_cast<T *>(pass.d_logits) + row * pass.stride;
        const struct gradient gradient = {highest, pass.scale / static_cast<float>(sum),
                                          pass.scale * pass.smoothing /
                                              static_cast<float>(pass.vocabulary),
                                          pass.inverse_cap};
        row_gradient<THREADS>(d, z, pass.vocabulary, gradient);
        __syncthreads(); /* the target's is written last, from the logit kept above */
        if (threadIdx.x == 0 && known)
            d[target] = from_float<T>(gradient_of(gradient, target_logit) -
                                      pass.scale * (1.0f - pass.smoothing) *
                                          slope_of(gradient, target_logit));
    }
}

template <typename T, bool BACKWARD>
static void launch_rows(struct cuda_backend *cuda, const struct row_pass *pass,
                        int64_t rows)
{
    if (pass->vocabulary <= SHORT_ROW_MOST)
        cross_entropy_row<THREADS_SHORT, T, BACKWARD>
            <<<grid_size(rows), THREADS_SHORT, 0, cuda->stream>>>(*pass);
    else
        cross_entropy_row<THREADS_LONG, T, BACKWARD>
            <<<grid_size(rows), THREADS_LONG, 0, cuda->stream>>>(*pass);
}

/* sums[0] = the sum of loss, sums[1] = of nll; in the same order every time. */
static __global__ void __launch_bounds__(SUM_THREADS)
    sum_losses(double *sums, const double *loss, const double *nll, int64_t count)
{
    __shared__ double shared_loss[WARP_SIZE], shared_nll[WARP_SIZE];
    double loss_sum = 0, nll_sum = 0;

    for (int64_t i = threadIdx.x; i < count; i += SUM_THREADS) {
        loss_sum += loss[i];
        nll_sum += nll[i];
    }
    loss_sum = block_sum(loss_sum, shared_loss);
    nll_sum = block_sum(nll_sum, shared_nll);
    if (threadIdx.x == 0) {
        sums[0] = loss_sum;
        sums[1] = nll_sum;
    }
}

/* ---- Rows with a target ---- */

/* GATHER: to[i,:] = from[indices[i],:]. Else to[indices[i],:] = from[i,:]. A row is
 * `units` units of any type of the right size. */
template <typename Unit, bool GATHER>
static __global__ void __launch_bounds__(COPY_THREADS)
    copy_rows(Unit *to, const Unit *from, const int32_t *indices, int64_t units)
{
    const int64_t packed = static_cast<int64_t>(blockIdx.x) * units;
    const int64_t spread = static_cast<int64_t>(indices[blockIdx.x]) * units;

    for (int64_t u = threadIdx.x; u < units; u += COPY_THREADS)
        to[(GATHER ? packed : spread) + u] = from[(GATHER ? spread : packed) + u];
}

template <typename Unit, bool GATHER>
static void launch_copy_rows(struct cuda_backend *cuda, void *to, const void *from,
                             const int32_t *indices, int64_t rows, size_t row_bytes)
{
    copy_rows<Unit, GATHER><<<grid_size(rows), COPY_THREADS, 0, cuda->stream>>>(
        static_cast<Unit *>(to), static_cast<const Unit *>(from), indices,
        static_cast<int64_t>(row_bytes / sizeof(Unit)));
}

template <bool GATHER>
static void move_rows(struct cuda_backend *cuda, void *to, const void *from,
                      const int32_t *indices, int64_t rows, size_t row_bytes)
{
    if (row_bytes % PACK_BYTES == 0 && pack_aligned(to) && pack_aligned(from))
        launch_copy_rows<uint4, GATHER>(cuda, to, from, indices, rows, row_bytes);
    else
        launch_copy_rows<uint16_t, GATHER>(cuda, to, from, indices, rows, row_bytes);
    cuda_launched(cuda, "cross entropy: rows");
}

/* ---- Chunks ---- */

struct problem {
    struct cuda_backend *cuda;
    struct tensor *d_in;     /* NULL: sums only */
    struct tensor *d_weight; /* NULL: not wanted */
    const struct tensor *in;
    const struct tensor *weight;
    const struct targets *targets;
    float cap; /* 0: none */
    float smoothing;
    float scale;
    bool gathered; /* some rows have no target */
    int64_t chunk_rows;
    int64_t slice_rows;
    int64_t stride;
    float *logits;
    void *d_logits;
    void *rows;
    void *d_rows;
    double *loss; /* [targets->count] */
    double *nll;  /* [targets->count] */
    double *sums; /* [2] */
};

static int64_t round_up(int64_t count, int64_t multiple)
{
    return ceiling_divide(count, multiple) * multiple;
}

/* Equal parts of `count` rows, of whole tiles where they are not few, of `bytes` at most.
 */
static int64_t part_rows(int64_t count, int64_t row_bytes, int64_t bytes)
{
    const int64_t fit = bytes / row_bytes;
    int64_t most = fit > 0 ? fit : 1;

    if (most >= ROWS_ROUND)
        most -= most % ROWS_ROUND;
    const int64_t rows = ceiling_divide(count, ceiling_divide(count, most));
    return smaller(count, smaller(most, round_up(rows, ROWS_ROUND)));
}

static bool problem_reserve(struct problem *p)
{
    const size_t element = dtype_bytes(p->in->dtype);
    const int64_t count = p->targets->count, width = p->in->shape[1];

    p->stride = round_up(p->weight->shape[0], STRIDE_ROUND);
    const int64_t logits_bytes = p->stride * static_cast<int64_t>(sizeof(float));
    const bool apart = p->d_in && p->in->dtype != DTYPE_F32;
    p->chunk_rows =
        apart ? part_rows(count, p->stride * static_cast<int64_t>(element), GRADIENT_BYTES)
              : part_rows(count, logits_bytes, LOGITS_BYTES);
    p->slice_rows =
        apart ? part_rows(p->chunk_rows, logits_bytes, LOGITS_BYTES) : p->chunk_rows;
    p->gathered = count != p->in->shape[0];
    const size_t logits = static_cast<size_t>(p->slice_rows * p->stride);
    const size_t gradients = static_cast<size_t>(p->chunk_rows * p->stride);
    const size_t rows_bytes = static_cast<size_t>(
        round_up(p->chunk_rows * width * static_cast<int64_t>(element), PACK_BYTES));
    void *memory = cuda_scratch(p->cuda, CUDA_SCRATCH_LOGITS,
                                logits * sizeof(float) + (apart ? gradients * element : 0));
    void *rows =
        p->gathered ? cuda_scratch(p->cuda, CUDA_SCRATCH_ROWS, 2 * rows_bytes) : NULL;
    void *sums = cuda_scratch(p->cuda, CUDA_SCRATCH_PARTIAL,
                              static_cast<size_t>(2 * count + 2) * sizeof(double));
    if (!memory || !sums || (p->gathered && !rows))
        return false;
    p->logits = static_cast<float *>(memory);
    p->d_logits = apart ? static_cast<void *>(p->logits + logits) : memory;
    p->rows = rows;
    p->d_rows = rows ? static_cast<unsigned char *>(rows) + rows_bytes : NULL;
    p->sums = static_cast<double *>(sums);
    p->loss = p->sums + 2;
    p->nll = p->loss + count;
    return true;
}

/* One chunk: rows [first, first + count) of the targets. */
struct chunk {
    int64_t first;
    int64_t count;
    const void *rows; /* [count, C] */
    void *d_rows;     /* [count, C] */
};

/* Part of a chunk: its rows [first, first + count). */
struct slice {
    int64_t first;
    int64_t count;
};

static void slice_logits(const struct problem *p, const struct chunk *chunk,
                         const struct slice *slice)
{
    const int64_t width = p->in->shape[1];
    const size_t row_bytes = static_cast<size_t>(width) * dtype_bytes(p->in->dtype);
    const struct cuda_gemm product = {
        .rows = slice->count,
        .columns = p->weight->shape[0],
        .depth = width,
        .a = static_cast<const unsigned char *>(chunk->rows) +
             static_cast<size_t>(slice->first) * row_bytes,
        .a_stride = width,
        .a_transposed = false,
        .b = p->weight->data,
        .b_stride = width,
        .b_transposed = true,
        .c = NULL,
        .c_stride = 0,
        .d = p->logits,
        .d_stride = p->stride,
        .bias = NULL,
        .in = p->in->dtype,
        .out = DTYPE_F32,
        .row_invariant = false,
    };
    cuda_gemm_run(p->cuda, &product);
}

static void slice_losses(const struct problem *p, const struct chunk *chunk,
                         const struct slice *slice)
{
    const int64_t first = chunk->first + slice->first;
    const size_t skipped =
        static_cast<size_t>(slice->first * p->stride) * dtype_bytes(p->in->dtype);
    const struct row_pass pass = {p->logits,
                                  static_cast<unsigned char *>(p->d_logits) + skipped,
                                  p->stride,
                                  p->targets->tokens + first,
                                  p->loss + first,
                                  p->nll + first,
                                  static_cast<int>(p->weight->shape[0]),
                                  p->cap > 0 ? 1.0f / p->cap : 0.0f,
                                  p->smoothing,
                                  p->scale};

    if (!p->d_in)
        launch_rows<float, false>(p->cuda, &pass, slice->count);
    else if (p->in->dtype == DTYPE_BF16)
        launch_rows<__nv_bfloat16, true>(p->cuda, &pass, slice->count);
    else
        launch_rows<float, true>(p->cuda, &pass, slice->count);
    cuda_launched(p->cuda, "cross entropy");
}

static void chunk_backward_input(const struct problem *p, const struct chunk *chunk)
{
    const int64_t width = p->in->shape[1];
    const struct cuda_gemm product = {
        .rows = chunk->count,
        .columns = width,
        .depth = p->weight->shape[0],
        .a = p->d_logits,
        .a_stride = p->stride,
        .a_transposed = false,
        .b = p->weight->data,
        .b_stride = width,
        .b_transposed = false,
        .c = NULL,
        .c_stride = 0,
        .d = chunk->d_rows,
        .d_stride = width,
        .bias = NULL,
        .in = p->in->dtype,
        .out = p->in->dtype,
        .row_invariant = false,
    };
    cuda_gemm_run(p->cuda, &product);
}

static void chunk_backward_weight(const struct problem *p, const struct chunk *chunk)
{
    const int64_t width = p->in->shape[1];
    const struct cuda_gemm product = {
        .rows = p->weight->shape[0],
        .columns = width,
        .depth = chunk->count,
        .a = p->d_logits,
        .a_stride = p->stride,
        .a_transposed = true,
        .b = chunk->rows,
        .b_stride = width,
        .b_transposed = false,
        .c = p->d_weight->data,
        .c_stride = width,
        .d = p->d_weight->data,
        .d_stride = width,
        .bias = NULL,
        .in = p->in->dtype,
        .out = DTYPE_F32,
        .row_invariant = false,
    };
    cuda_gemm_run(p->cuda, &product);
}

/* Row `first` of a matrix [T, C]. */
static unsigned char *row_at(const struct tensor *tensor, int64_t first)
{
    return data_of<unsigned char>(tensor) +
           static_cast<size_t>(first * tensor->shape[1]) * dtype_bytes(tensor->dtype);
}

static struct chunk chunk_at(const struct problem *p, int64_t first)
{
    struct chunk chunk = {first, smaller(p->chunk_rows, p->targets->count - first), NULL,
                          NULL};

    chunk.rows = p->gathered ? p->rows : row_at(p->in, first);
    if (p->d_in)
        chunk.d_rows = p->gathered ? p->d_rows : row_at(p->d_in, first);
    return chunk;
}

static void chunk_run(const struct problem *p, int64_t first)
{
    const struct chunk chunk = chunk_at(p, first);
    const int32_t *indices = p->targets->rows + first;
    const size_t row_bytes =
        static_cast<size_t>(p->in->shape[1]) * dtype_bytes(p->in->dtype);

    if (p->gathered)
        move_rows<true>(p->cuda, p->rows, p->in->data, indices, chunk.count, row_bytes);
    for (int64_t done = 0; done < chunk.count; done += p->slice_rows) {
        const struct slice slice = {done, smaller(p->slice_rows, chunk.count - done)};
        slice_logits(p, &chunk, &slice);
        if (p->cap > 0) { /* what pads the rows is capped too, and not read */
            struct tensor logits =
                tensor_view_2d(p->logits, DTYPE_F32, slice.count, p->stride);
            cuda_soft_cap(&p->cuda->backend, &logits, p->cap);
        }
        slice_losses(p, &chunk, &slice);
    }
    if (!p->d_in)
        return;
    chunk_backward_input(p, &chunk);
    if (p->gathered)
        move_rows<false>(p->cuda, p->d_in->data, p->d_rows, indices, chunk.count,
                         row_bytes);
    if (p->d_weight)
        chunk_backward_weight(p, &chunk);
}

static void sums_deliver(const struct problem *p, struct cross_entropy_sums *sums)
{
    static_assert(offsetof(struct cross_entropy_sums, nll) ==
                      offsetof(struct cross_entropy_sums, loss) + sizeof(double),
                  "loss and nll are brought in one copy");

    sum_losses<<<1, SUM_THREADS, 0, p->cuda->stream>>>(p->sums, p->loss, p->nll,
                                                       p->targets->count);
    if (cuda_launched(p->cuda, "cross entropy: sums"))
        cuda_result(p->cuda, &sums->loss, p->sums, 2);
}

void cuda_linear_cross_entropy(struct backend *backend, struct cross_entropy_sums *sums,
                               struct tensor *d_in, struct tensor *d_weight,
                               const struct tensor *in, const struct tensor *weight,
                               const struct targets *targets, float cap,
                               float label_smoothing, float scale)
{
    struct cuda_backend *cuda = cuda_of(backend);
    struct problem p = {};

    p.cuda = cuda;
    p.d_in = d_in;
    p.d_weight = d_weight;
    p.in = in;
    p.weight = weight;
    p.targets = targets;
    p.cap = cap;
    p.smoothing = label_smoothing;
    p.scale = scale;
    if (d_in && targets->count < in->shape[0] && in->shape[1] > 0)
        cuda_good(cuda, cudaMemsetAsync(d_in->data, 0, tensor_bytes(d_in), cuda->stream),
                  "cross entropy");
    if (targets->count == 0)
        return;
    CHECK(weight->shape[0] > 0 && weight->shape[0] <= INT_MAX - STRIDE_ROUND);
    if (!problem_reserve(&p))
        return;
    for (int64_t first = 0; first < targets->count; first += p.chunk_rows)
        if (!backend->error.status)
            chunk_run(&p, first);
    if (!backend->error.status)
        sums_deliver(&p, sums);
}
