#include "backend/cuda/cuda_adamw.cuh"
#include "backend/cuda/cuda_operations.h"

/*
 * AdamW in one pass over all operands. A thread has groups of GROUP neighbouring elements,
 * so that every access of a warp is contiguous, in 8 bytes a thread for the 16-bit operands
 * and 16 for f32. Groups begin where all operands are aligned for them: parameters lie back
 * to back in blocks, so that a range's first group may begin before the range. Groups that
 * are not wholly inside, or ranges whose operands agree on no such place, go one element at
 * a time.
 */

static constexpr int THREADS = 256;
static constexpr int GROUP = 4;
static constexpr int BLOCKS = 128; /* at most, for each multiprocessor */

struct operands {
    struct adamw_weights weights;
    void *moment1, *moment2;
    const float *gradient;
    const double *norm_squared;
    int64_t count;
    int64_t offset;
    int64_t groups;
    int lead;   /* elements of the first group that lie before the range */
    bool whole; /* groups are aligned for all operands, and for the draws */
};

/* `shift` 0 or 16: which half of the first draw is the moment's. */
template <int N>
static __device__ inline void store_moments(float *to, const pack<N> &moments,
                                            const draws<N> &random, int shift)
{
    (void)random, (void)shift;
    store_pack<N>(to, moments);
}

template <int N>
static __device__ inline void store_moments(__nv_bfloat16 *to, const pack<N> &moments,
                                            const draws<N> &random, int shift)
{
    halves<N> rounded;
#pragma unroll
    for (int i = 0; i < N; i++)
        rounded.value[i] =
            round_stochastically(moments.value[i], random.value[i].x >> shift & 0xFFFFU);
    store_halves<N>(reinterpret_cast<uint16_t *>(to), rounded);
}

template <int N, int WEIGHT, typename M>
static __device__ inline void update_group(const struct operands &x, int64_t first,
                                           float scale, const struct factors &f)
{
    constexpr bool STOCHASTIC = WEIGHT == WEIGHT_BF16 || sizeof(M) == 2;
    M *at1 = static_cast<M *>(x.moment1) + first,
      *at2 = static_cast<M *>(x.moment2) + first;
    const pack<N> gradients = load_pack<N>(x.gradient + first);
    pack<N> moments1 = load_pack<N>(at1), moments2 = load_pack<N>(at2);
    pack<N> weights = load_weights<N, WEIGHT>(x.weights, first);
    draws<N> random = {};

    if constexpr (STOCHASTIC)
        random = draw<N>(f, static_cast<uint64_t>(x.offset + first));
#pragma unroll
    for (int i = 0; i < N; i++)
        update(&weights.value[i], &moments1.value[i], &moments2.value[i],
               gradients.value[i], scale, f);
    store_moments<N>(at1, moments1, random, 0);
    store_moments<N>(at2, moments2, random, 16);
    store_weights<N, WEIGHT>(x.weights, first, weights, random);
}

template <int WEIGHT, typename M>
static __global__ void __launch_bounds__(THREADS)
    adamw_kernel(struct operands x, struct factors f)
{
    __shared__ float scale;

    if (threadIdx.x == 0)
        scale = clip_scale(*x.norm_squared, f.clip_norm);
    __syncthreads();
    if (isnan(scale))
        return;
    const int64_t stride = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t group = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
         group < x.groups; group += stride) {
        const int64_t first = group * GROUP - x.lead, end = first + GROUP;
        if (x.whole && first >= 0 && end <= x.count) {
            update_group<GROUP, WEIGHT, M>(x, first, scale, f);
            continue;
        }
#pragma unroll 1
        for (int64_t i = first < 0 ? 0 : first; i < end && i < x.count; i++)
            update_group<1, WEIGHT, M>(x, i, scale, f);
    }
}

/* ---- On the host -------------------------------------------------------------------- */

static struct operands operands_of(const struct tensor *weight,
                                   const struct tensor *remainder,
                                   const struct tensor *moment1,
                                   const struct tensor *moment2,
                                   const struct tensor *gradient,
                                   const struct tensor *norm_squared, int64_t offset)
{
    const int lead = lead_of(weight, GROUP);
    struct operands x = {};

    x.weights.data = weight->data;
    x.weights.remainder = remainder ? data_of<uint16_t>(remainder) : nullptr;
    x.moment1 = moment1->data;
    x.moment2 = moment2->data;
    x.gradient = data_of<const float>(gradient);
    x.norm_squared = data_of<const double>(norm_squared);
    x.count = tensor_count(weight);
    x.offset = offset;
    x.whole = (!remainder || lead_of(remainder, GROUP) == lead) &&
              lead_of(moment1, GROUP) == lead && lead_of(moment2, GROUP) == lead &&
              lead_of(gradient, GROUP) == lead && (offset - lead) % 2 == 0;
    x.lead = x.whole ? lead : 0;
    x.groups = ceiling_divide(x.count + x.lead, GROUP);
    return x;
}

using kernel = void (*)(struct operands, struct factors);

static kernel kernel_of(const struct tensor *weight, const struct tensor *remainder,
                        const struct tensor *moment)
{
    const bool bf16 = moment->dtype == DTYPE_BF16;

    if (weight->dtype == DTYPE_F32)
        return bf16 ? adamw_kernel<WEIGHT_F32, __nv_bfloat16>
                    : adamw_kernel<WEIGHT_F32, float>;
    if (remainder)
        return bf16 ? adamw_kernel<WEIGHT_SPLIT, __nv_bfloat16>
                    : adamw_kernel<WEIGHT_SPLIT, float>;
    return bf16 ? adamw_kernel<WEIGHT_BF16, __nv_bfloat16>
                : adamw_kernel<WEIGHT_BF16, float>;
}

void cuda_adamw_update(struct backend *backend, struct tensor *weight,
                       struct tensor *remainder, struct tensor *moment1,
                       struct tensor *moment2, const struct tensor *gradient,
                       const struct tensor *norm_squared,
                       const struct adamw_step_parameters *parameters)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (tensor_count(weight) == 0)
        return;
    const struct operands x = operands_of(weight, remainder, moment1, moment2, gradient,
                                          norm_squared, parameters->offset);
    const int64_t blocks =
        smaller(ceiling_divide(x.groups, THREADS), cuda->multiprocessor_count * BLOCKS);

    kernel_of(weight, remainder, moment1)<<<grid_size(blocks), THREADS, 0, cuda->stream>>>(
        x, factors_of(parameters));
    cuda_launched(cuda, "adamw_update");
}
