#include "backend/cuda/cuda_operations.h"
#include "backend/cuda/cuda_swiglu.cuh"

/* SwiGLU: a thread has one pack of one row, a block THREADS neighbouring packs. */

static constexpr int THREADS = 256;

struct swiglu_shape {
    int width; /* F */
    int blocks_a_row;
};

/* Where the thread is: element `column` of row `row`; false: beyond the row. */
template <int N>
static __device__ inline bool place(struct swiglu_shape shape, int64_t *row, int *column)
{
    *row = blockIdx.x / shape.blocks_a_row;
    *column = (static_cast<int>(blockIdx.x % shape.blocks_a_row) * THREADS +
               static_cast<int>(threadIdx.x)) *
              N;
    return *column < shape.width;
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    swiglu_kernel(T *__restrict__ out, const T *__restrict__ gate_up,
                  struct swiglu_shape shape)
{
    int64_t row;
    int column;

    if (!place<N>(shape, &row, &column))
        return;
    const T *at = gate_up + row * 2 * shape.width + column;
    pack<N> gate = load_pack<N>(at);
    const pack<N> up = load_pack<N>(at + shape.width);
    activate<T>(&gate, up);
    store_pack(out + row * shape.width + column, gate);
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    swiglu_backward_kernel(swiglu_backward_data<T> data, struct swiglu_shape shape)
{
    int64_t row;
    int column;

    if (!place<N>(shape, &row, &column))
        return;
    const int64_t wide = row * 2 * shape.width + column,
                  narrow = row * shape.width + column;
    pack<N> d_out = load_pack<N>(data.d_out + narrow);
    pack<N> gate = load_pack<N>(data.gate_up + wide);
    pack<N> up = load_pack<N>(data.gate_up + wide + shape.width);
    differentiate<T>(&d_out, &gate, &up);
    store_pack(data.d_gate_up + wide, d_out);
    store_pack(data.d_gate_up + wide + shape.width, up);
    if (data.out)
        store_pack(data.out + narrow, gate);
}

template <int N> static struct swiglu_shape shape_of(const struct tensor *narrow)
{
    const int64_t width = narrow->shape[1];
    return {static_cast<int>(width), static_cast<int>(ceiling_divide(width, N * THREADS))};
}

template <typename T, int N>
static void launch_forward(struct cuda_backend *cuda, struct tensor *out,
                           const struct tensor *gate_up)
{
    const struct swiglu_shape shape = shape_of<N>(out);

    swiglu_kernel<T, N>
        <<<grid_size(out->shape[0] * shape.blocks_a_row), THREADS, 0, cuda->stream>>>(
            data_of<T>(out), data_of<const T>(gate_up), shape);
}

template <typename T>
static void run_forward(struct cuda_backend *cuda, struct tensor *out,
                        const struct tensor *gate_up)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const bool whole =
        out->shape[1] % N == 0 && pack_aligned(out->data) && pack_aligned(gate_up->data);

    (whole ? launch_forward<T, N> : launch_forward<T, 1>)(cuda, out, gate_up);
}

void cuda_swiglu_forward(struct backend *backend, struct tensor *out,
                         const struct tensor *gate_up)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(out) == 0 || cuda_swiglu_fp8_forward(cuda, out, gate_up))
        return;
    (out->dtype == DTYPE_BF16 ? run_forward<__nv_bfloat16> : run_forward<float>)(cuda, out,
                                                                                 gate_up);
    cuda_launched(cuda, "swiglu_forward");
}

template <typename T, int N>
static void launch_backward(struct cuda_backend *cuda, const swiglu_backward_data<T> *data,
                            const struct tensor *d_out)
{
    const struct swiglu_shape shape = shape_of<N>(d_out);

    swiglu_backward_kernel<T, N>
        <<<grid_size(d_out->shape[0] * shape.blocks_a_row), THREADS, 0, cuda->stream>>>(
            *data, shape);
}

template <typename T>
static void run_backward(struct cuda_backend *cuda, struct tensor *d_gate_up,
                         struct tensor *out, const struct tensor *d_out,
                         const struct tensor *gate_up)
{
    constexpr int N = PACK_ELEMENTS<T>;
    const swiglu_backward_data<T> data = {
        data_of<T>(d_gate_up), out ? data_of<T>(out) : nullptr, data_of<const T>(d_out),
        data_of<const T>(gate_up)};
    const bool whole = d_out->shape[1] % N == 0 && pack_aligned(data.d_gate_up) &&
                       pack_aligned(data.out) && pack_aligned(data.d_out) &&
                       pack_aligned(data.gate_up);

    (whole ? launch_backward<T, N> : launch_backward<T, 1>)(cuda, &data, d_out);
}

void cuda_swiglu_backward(struct backend *backend, struct tensor *d_gate_up,
                          struct tensor *out, const struct tensor *d_out,
                          const struct tensor *gate_up)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(d_out) == 0 ||
        cuda_swiglu_fp8_backward(cuda, d_gate_up, out, d_out, gate_up))
        return;
    (d_out->dtype == DTYPE_BF16
         ? run_backward<__nv_bfloat16>
         : run_backward<float>)(cuda, d_gate_up, out, d_out, gate_up);
    cuda_launched(cuda, "swiglu_backward");
}
