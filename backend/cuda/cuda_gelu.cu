#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

/* GELU, alone or as the gate of GeGLU, and soft-caps: a thread has one element. */

static constexpr int THREADS = 256;

/* gelu(x) and gelu'(x); see backend/operations.h. */
struct gelu_value {
    float value;
    float slope;
};

template <enum gelu_kind KIND> static __device__ inline struct gelu_value gelu(float x)
{
    if constexpr (KIND == GELU_TANH) {
        const float root = 0.797884560802865f, cubic = 0.044715f; /* sqrt(2 / pi) */
        const float t = tanhf(root * (x + cubic * x * x * x));
        const float d_inner = root * (1.0f + 3.0f * cubic * x * x);
        return {0.5f * x * (1.0f + t),
                0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * d_inner};
    } else {
        const float share = 0.5f * erfcf(-0.707106781186548f * x);
        return {x * share, share + x * 0.398942280401433f * expf(-0.5f * x * x)};
    }
}

struct gelu_shape {
    int64_t count; /* T F */
    int width;     /* F */
    bool gated;    /* `in` is [T, 2F] */
};

/* Where element `i` of [T, F] is in `in`. */
static __device__ inline int64_t gate_at(const struct gelu_shape &shape, int64_t i)
{
    return shape.gated ? i / shape.width * shape.width + i : i;
}

template <typename T, enum gelu_kind KIND>
static __global__ void __launch_bounds__(THREADS)
    gelu_kernel(T *__restrict__ out, const T *__restrict__ in, struct gelu_shape shape)
{
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;

    if (i >= shape.count)
        return;
    const int64_t at = gate_at(shape, i);
    const float up = shape.gated ? to_float(in[at + shape.width]) : 1.0f;
    out[i] = from_float<T>(gelu<KIND>(to_float(in[at])).value * up);
}

template <typename T, enum gelu_kind KIND>
static __global__ void __launch_bounds__(THREADS)
    gelu_backward_kernel(T *__restrict__ d_in, T *__restrict__ out,
                         const T *__restrict__ d_out, const T *__restrict__ in,
                         struct gelu_shape shape)
{
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;

    if (i >= shape.count)
        return;
    const int64_t at = gate_at(shape, i);
    const float up = shape.gated ? to_float(in[at + shape.width]) : 1.0f;
    const float d = to_float(d_out[i]);
    const struct gelu_value y = gelu<KIND>(to_float(in[at]));
    d_in[at] = from_float<T>(d * up * y.slope);
    if (shape.gated)
        d_in[at + shape.width] = from_float<T>(d * y.value);
    if (out)
        out[i] = from_float<T>(y.value * up);
}

static struct gelu_shape shape_of(const struct tensor *out, const struct tensor *in)
{
    return {tensor_count(out), static_cast<int>(out->shape[1]),
            in->shape[1] > out->shape[1]};
}

template <typename T>
static void run_forward(struct cuda_backend *cuda, struct tensor *out,
                        const struct tensor *in, enum gelu_kind kind)
{
    const struct gelu_shape shape = shape_of(out, in);
    const auto kernel =
        kind == GELU_TANH ? gelu_kernel<T, GELU_TANH> : gelu_kernel<T, GELU_EXACT>;

    kernel<<<grid_size(ceiling_divide(shape.count, THREADS)), THREADS, 0, cuda->stream>>>(
        data_of<T>(out), data_of<const T>(in), shape);
}

void cuda_gelu_forward(struct backend *backend, struct tensor *out, const struct tensor *in,
                       enum gelu_kind kind)
{
    if (tensor_count(out) == 0)
        return;
    (out->dtype == DTYPE_BF16 ? run_forward<__nv_bfloat16>
                              : run_forward<float>)(cuda_of(backend), out, in, kind);
    cuda_launched(cuda_of(backend), "gelu_forward");
}

template <typename T>
static void run_backward(struct cuda_backend *cuda, struct tensor *d_in, struct tensor *out,
                         const struct tensor *d_out, const struct tensor *in,
                         enum gelu_kind kind)
{
    const struct gelu_shape shape = shape_of(d_out, in);
    const auto kernel = kind == GELU_TANH ? gelu_backward_kernel<T, GELU_TANH>
                                          : gelu_backward_kernel<T, GELU_EXACT>;

    kernel<<<grid_size(ceiling_divide(shape.count, THREADS)), THREADS, 0, cuda->stream>>>(
        data_of<T>(d_in), out ? data_of<T>(out) : nullptr, data_of<const T>(d_out),
        data_of<const T>(in), shape);
}

void cuda_gelu_backward(struct backend *backend, struct tensor *d_in, struct tensor *out,
                        const struct tensor *d_out, const struct tensor *in,
                        enum gelu_kind kind)
{
    if (tensor_count(d_out) == 0)
        return;
    (in->dtype == DTYPE_BF16
         ? run_backward<__nv_bfloat16>
         : run_backward<float>)(cuda_of(backend), d_in, out, d_out, in, kind);
    cuda_launched(cuda_of(backend), "gelu_backward");
}

static __global__ void __launch_bounds__(THREADS)
    soft_cap_kernel(float *values, int64_t count, float cap, float inverse)
{
    const int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;

    if (i < count)
        values[i] = cap * tanhf(values[i] * inverse);
}

void cuda_soft_cap(struct backend *backend, struct tensor *values, float cap)
{
    const int64_t count = tensor_count(values);

    if (count == 0)
        return;
    soft_cap_kernel<<<grid_size(ceiling_divide(count, THREADS)), THREADS, 0,
                      cuda_of(backend)->stream>>>(data_of<float>(values), count, cap,
                                                  1.0f / cap);
    cuda_launched(cuda_of(backend), "soft_cap");
}
