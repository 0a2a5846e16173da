#include "backend/cuda/cuda_fp8.cuh"
#include "backend/cuda/cuda_swiglu.cuh"

/*
 * SwiGLU that makes its rows in FP8 too: a block a row, which stays in shared memory until
 * its scale is known, so that it is not read again for that. A thread reads back what it
 * wrote itself. Bits are those of the two one after the other.
 */

extern __shared__ __align__(16) unsigned char shared_memory[];

enum { THREADS_MOST = 256 };

static __device__ inline int first_of_thread()
{
    return static_cast<int>(threadIdx.x) * FP8_PACK;
}

static __device__ inline int step_of_block()
{
    return static_cast<int>(blockDim.x) * FP8_PACK;
}

/* Elements `first` and on of the row in shared memory. */
static __device__ inline uint4 *kept(int first)
{
    return reinterpret_cast<uint4 *>(shared_memory) + first / FP8_PACK;
}

/* The scale of a row whose threads have seen `most`, stored. */
static __device__ inline float scale_of_row(float most, float *scales)
{
    __shared__ float shared[WARP_SIZE];
    const float scale = block_maximum(most, shared) / FP8_MOST;

    if (threadIdx.x == 0)
        scales[blockIdx.x] = scale;
    return scale;
}

static __global__ void __launch_bounds__(THREADS_MOST)
    forward_rows(__nv_bfloat16 *out, const __nv_bfloat16 *gate_up, int width,
                 struct cuda_fp8_rows rows)
{
    const int64_t row = blockIdx.x;
    const __nv_bfloat16 *gates = gate_up + row * 2 * width, *ups = gates + width;
    float most = FP8_LEAST;

    for (int first = first_of_thread(); first < width; first += step_of_block()) {
        struct pack<FP8_PACK> gate = unpack_words(load_words<true>(gates, first, width));
        activate<__nv_bfloat16>(&gate, unpack_words(load_words<true>(ups, first, width)));
        const uint4 words = pack_words(gate);
        most = greatest(most, unpack_words(words));
        *reinterpret_cast<uint4 *>(out + row * width + first) = words;
        *kept(first) = words;
    }
    const float inverse = 1 / scale_of_row(most, rows.scales);
    for (int first = first_of_thread(); first < width; first += step_of_block())
        store_fp8(rows.numbers + row * width, first, width, unpack_words(*kept(first)),
                  inverse);
}

/* Of one pack. Returns the greatest of what it makes and `most`. */
static __device__ inline float backward_pack(const swiglu_backward_data<__nv_bfloat16> &data,
                                             int64_t row, int first, int width, float most)
{
    const __nv_bfloat16 *gates = data.gate_up + row * 2 * width;
    __nv_bfloat16 *d_gates = data.d_gate_up + row * 2 * width;
    struct pack<FP8_PACK> d_gate =
        unpack_words(load_words<true>(data.d_out + row * width, first, width));
    struct pack<FP8_PACK> out = unpack_words(load_words<true>(gates, first, width));
    struct pack<FP8_PACK> d_up = unpack_words(load_words<true>(gates + width, first, width));

    differentiate<__nv_bfloat16>(&d_gate, &out, &d_up);
    const uint4 gate_words = pack_words(d_gate), up_words = pack_words(d_up);
    *reinterpret_cast<uint4 *>(d_gates + first) = *kept(first) = gate_words;
    *reinterpret_cast<uint4 *>(d_gates + width + first) = *kept(width + first) = up_words;
    if (data.out)
        store_pack(data.out + row * width + first, out);
    return greatest(greatest(most, unpack_words(gate_words)), unpack_words(up_words));
}

static __global__ void __launch_bounds__(THREADS_MOST)
    backward_rows(swiglu_backward_data<__nv_bfloat16> data, int width,
                  struct cuda_fp8_rows rows)
{
    const int64_t row = blockIdx.x;
    uint8_t *numbers = rows.numbers + row * 2 * width;
    float most = FP8_LEAST;

    for (int first = first_of_thread(); first < width; first += step_of_block())
        most = backward_pack(data, row, first, width, most);
    const float inverse = 1 / scale_of_row(most, rows.scales);
    for (int first = first_of_thread(); first < width; first += step_of_block()) {
        store_fp8(numbers, first, width, unpack_words(*kept(first)), inverse);
        store_fp8(numbers + width, first, width, unpack_words(*kept(width + first)),
                  inverse);
    }
}

/* As few threads as take a row in as many turns as THREADS_MOST do. */
static int threads_of(int64_t width)
{
    const int64_t packs = width / FP8_PACK;

    return whole_warps(ceiling_divide(packs, ceiling_divide(packs, THREADS_MOST)),
                       THREADS_MOST);
}

/* Whether a row of `made`, of `bytes`, goes to shared memory; numbers that were made of such
 * rows before are no longer theirs. False sets no error. */
static bool serves(struct cuda_backend *cuda, const struct tensor *made, size_t bytes)
{
    cuda->fp8_made = {NULL, NULL, false};
    return made->fp8_with && made->shape[1] % FP8_MULTIPLE == 0 &&
           bytes + WARP_SIZE * sizeof(float) <= cuda->shared_bytes_most;
}

static size_t row_bytes(const struct tensor *tensor)
{
    return static_cast<size_t>(tensor->shape[1]) * sizeof(__nv_bfloat16);
}

static bool aligned(const struct tensor *tensor)
{
    return !tensor || pack_aligned(tensor->data);
}

static bool shared_allow(struct cuda_backend *cuda, const void *kernel, size_t bytes)
{
    return cuda_good(cuda,
                     cudaFuncSetAttribute(kernel,
                                          cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(bytes)),
                     "swiglu: shared memory");
}

bool cuda_swiglu_fp8_forward(struct cuda_backend *cuda, struct tensor *out,
                             const struct tensor *gate_up)
{
    const size_t bytes = row_bytes(out);
    struct cuda_fp8_rows rows;

    if (!serves(cuda, out, bytes) || !aligned(out) || !aligned(gate_up))
        return false;
    if (!cuda_fp8_rows_begin(cuda, out, false, &rows) ||
        !shared_allow(cuda, reinterpret_cast<const void *>(forward_rows), bytes))
        return true; /* the error is set */
    forward_rows<<<grid_size(out->shape[0]), threads_of(out->shape[1]), bytes,
                   cuda->stream>>>(data_of<__nv_bfloat16>(out),
                                   data_of<const __nv_bfloat16>(gate_up),
                                   static_cast<int>(out->shape[1]), rows);
    cuda_launched(cuda, "swiglu_forward to FP8");
    return true;
}

bool cuda_swiglu_fp8_backward(struct cuda_backend *cuda, struct tensor *d_gate_up,
                              struct tensor *out, const struct tensor *d_out,
                              const struct tensor *gate_up)
{
    const size_t bytes = row_bytes(d_gate_up);
    const swiglu_backward_data<__nv_bfloat16> data = {
        data_of<__nv_bfloat16>(d_gate_up), out ? data_of<__nv_bfloat16>(out) : nullptr,
        data_of<const __nv_bfloat16>(d_out), data_of<const __nv_bfloat16>(gate_up)};
    struct cuda_fp8_rows rows;

    if (!serves(cuda, d_gate_up, bytes) || !aligned(d_gate_up) || !aligned(out) ||
        !aligned(d_out) || !aligned(gate_up))
        return false;
    if (!cuda_fp8_rows_begin(cuda, d_gate_up, true, &rows) ||
        !shared_allow(cuda, reinterpret_cast<const void *>(backward_rows), bytes))
        return true;
    backward_rows<<<grid_size(d_out->shape[0]), threads_of(d_out->shape[1]), bytes,
                    cuda->stream>>>(data, static_cast<int>(d_out->shape[1]), rows);
    cuda_launched(cuda, "swiglu_backward to FP8");
    return true;
}
