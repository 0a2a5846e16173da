#include "backend/cuda/cuda_adamw.cuh"
#include "backend/cuda/cuda_operations.h"
#include "backend/moments8.h"

#include <float.h>

/*
 * AdamW with moments in 8 bits. A warp has a block of MOMENTS8_BLOCK weights: eight a lane,
 * in registers from the first load to the last store, so that the new greatest magnitudes
 * are known before the new codes are written. Whole blocks whose operands are aligned move
 * four neighbours at a time, others one. The maps and the places half-way between their
 * values lie in shared memory; a code is found in eight halvings.
 *
 * Given the same moments, scales and codes are the CPU back-end's, bit for bit.
 */

static constexpr int THREADS = 256;
static constexpr int WARPS = THREADS / WARP_SIZE;
static constexpr int GROUP = 4;
static constexpr int EACH = MOMENTS8_BLOCK / WARP_SIZE; /* weights of a lane */
static constexpr int BLOCKS = 64; /* of threads, at most, for each multiprocessor */

struct operands {
    struct adamw_weights weights;
    struct moment8 moment1, moment2;
    const float *gradient;
    const double *norm_squared;
    int64_t count;
    int64_t offset;
    int64_t blocks;
    int64_t lead; /* weights of the first block that lie before the range */
    bool aligned; /* whole blocks may move four weights at a time */
};

struct maps {
    float signed_values[MOMENTS8_VALUES], unsigned_values[MOMENTS8_VALUES];
};

/* In shared memory. */
struct map {
    float values[MOMENTS8_VALUES];
    float limits[MOMENTS8_VALUES]; /* the last one is not looked at */
};

/* All threads of a block; a barrier follows. */
static __device__ inline void map_make(struct map *map, const float *values)
{
    const int i = static_cast<int>(threadIdx.x);

    static_assert(THREADS == MOMENTS8_VALUES, "a thread makes one entry");
    map->values[i] = values[i];
    map->limits[i] = i + 1 < MOMENTS8_VALUES ? 0.5f * (values[i] + values[i + 1]) : FLT_MAX;
}

/* N codes: one, or four in one access. */
template <int N>
static __device__ inline pack<N> decode(const uint8_t *codes, const struct map &map,
                                        float scale)
{
    pack<N> values;

    if constexpr (N == 1) {
        values.value[0] = map.values[codes[0]] * scale;
    } else {
        const uchar4 four = *reinterpret_cast<const uchar4 *>(codes);
        values.value[0] = map.values[four.x] * scale;
        values.value[1] = map.values[four.y] * scale;
        values.value[2] = map.values[four.z] * scale;
        values.value[3] = map.values[four.w] * scale;
    }
    return values;
}

/* What is above 0 gets `least` at least. */
static __device__ inline uint8_t code_of(float value, float scale, const struct map &map,
                                         int least)
{
    const float x = value / scale;
    int code = 0;

#pragma unroll
    for (int half = MOMENTS8_VALUES / 2; half > 0; half /= 2)
        code += x > map.limits[code + half - 1] ? half : 0;
    return static_cast<uint8_t>(x > 0 && code < least ? least : code);
}

template <int N>
static __device__ inline void encode(uint8_t *codes, const pack<N> &values, float scale,
                                     const struct map &map, int least)
{
    if constexpr (N == 1)
        codes[0] = code_of(values.value[0], scale, map, least);
    else
        *reinterpret_cast<uchar4 *>(codes) =
            make_uchar4(code_of(values.value[0], scale, map, least),
                        code_of(values.value[1], scale, map, least),
                        code_of(values.value[2], scale, map, least),
                        code_of(values.value[3], scale, map, least));
}

/* Over the warp. Finite, also where a moment is not. */
template <int N> static __device__ inline float greatest_magnitude(const pack<N> *values)
{
    float greatest = 0.0f;

#pragma unroll
    for (int k = 0; k < EACH / N; k++)
#pragma unroll
        for (int i = 0; i < N; i++)
            greatest = fmaxf(greatest, fabsf(values[k].value[i]));
    return fminf(warp_maximum(greatest), FLT_MAX);
}

/* The group `first` of the update: moments into registers, the weight into memory. */
template <int N, int WEIGHT>
static __device__ inline void update_group(const struct operands &x, int64_t first,
                                           float scale, const struct factors &f,
                                           pack<N> *moment1, pack<N> *moment2)
{
    const pack<N> gradients = load_pack<N>(x.gradient + first);
    pack<N> weights = load_weights<N, WEIGHT>(x.weights, first);
    draws<N> random = {};

    if constexpr (WEIGHT == WEIGHT_BF16)
        random = draw<N>(f, static_cast<uint64_t>(x.offset + first));
#pragma unroll
    for (int i = 0; i < N; i++)
        update(&weights.value[i], &moment1->value[i], &moment2->value[i],
               gradients.value[i], scale, f);
    store_weights<N, WEIGHT>(x.weights, first, weights, random);
}

/* Weights [first, end) of one block, at most MOMENTS8_BLOCK; N = 4: so many. */
template <int N, int WEIGHT>
static __device__ inline void update_block(const struct operands &x, int64_t block,
                                           int64_t first, int64_t end, float scale,
                                           const struct factors &f, const struct map &map1,
                                           const struct map &map2)
{
    const int lane = static_cast<int>(threadIdx.x) % WARP_SIZE;
    const float scale1 = x.moment1.scales[block], scale2 = x.moment2.scales[block];
    pack<N> moments1[EACH / N] = {}, moments2[EACH / N] = {};

#pragma unroll
    for (int k = 0; k < EACH / N; k++) {
        const int64_t at = first + (k * WARP_SIZE + lane) * N;
        if (at < end) {
            moments1[k] = decode<N>(x.moment1.codes + at, map1, scale1);
            moments2[k] = decode<N>(x.moment2.codes + at, map2, scale2);
            update_group<N, WEIGHT>(x, at, scale, f, &moments1[k], &moments2[k]);
        }
    }
    const float next1 = greatest_magnitude<N>(moments1);
    const float next2 = greatest_magnitude<N>(moments2);
    if (lane == 0) {
        x.moment1.scales[block] = next1; /* every lane has read the old ones: see above */
        x.moment2.scales[block] = next2;
    }
#pragma unroll
    for (int k = 0; k < EACH / N; k++) {
        const int64_t at = first + (k * WARP_SIZE + lane) * N;
        if (at < end) {
            encode<N>(x.moment1.codes + at, moments1[k], next1 > 0 ? next1 : 1.0f, map1, 0);
            encode<N>(x.moment2.codes + at, moments2[k], next2 > 0 ? next2 : 1.0f, map2,
                      MOMENTS8_ZERO + 1);
        }
    }
}

template <int WEIGHT>
static __global__ void __launch_bounds__(THREADS)
    adamw_8bit_kernel(struct operands x, struct factors f, struct maps maps)
{
    __shared__ float scale;
    __shared__ struct map map1, map2;

    if (threadIdx.x == 0)
        scale = clip_scale(*x.norm_squared, f.clip_norm);
    map_make(&map1, maps.signed_values);
    map_make(&map2, maps.unsigned_values);
    __syncthreads();
    if (isnan(scale))
        return;
    const int64_t stride = static_cast<int64_t>(gridDim.x) * WARPS;
    for (int64_t block = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / WARP_SIZE;
         block < x.blocks; block += stride) {
        const int64_t begin = block * MOMENTS8_BLOCK - x.lead;
        const int64_t first = begin > 0 ? begin : 0;
        const int64_t all = begin + MOMENTS8_BLOCK;
        const int64_t end = all < x.count ? all : x.count;
        if (x.aligned && end - first == MOMENTS8_BLOCK)
            update_block<GROUP, WEIGHT>(x, block, first, end, scale, f, map1, map2);
        else
            update_block<1, WEIGHT>(x, block, first, end, scale, f, map1, map2);
    }
}

/* ---- On the host -------------------------------------------------------------------- */

/* Whether the first whole block begins where four weights are aligned. */
static bool block_aligned(const struct tensor *tensor, int64_t lead)
{
    return !tensor || (lead_of(tensor, GROUP) + MOMENTS8_BLOCK - lead) % GROUP == 0;
}

static struct operands operands_of(const struct tensor *weight,
                                   const struct tensor *remainder,
                                   const struct moment8 *moment1,
                                   const struct moment8 *moment2,
                                   const struct tensor *gradient,
                                   const struct tensor *norm_squared, int64_t offset)
{
    const int64_t count = tensor_count(weight);
    const struct tensor codes1 = tensor_view_1d(moment1->codes, DTYPE_U8, count);
    const struct tensor codes2 = tensor_view_1d(moment2->codes, DTYPE_U8, count);
    struct operands x = {};

    x.weights.data = weight->data;
    x.weights.remainder = remainder ? data_of<uint16_t>(remainder) : nullptr;
    x.moment1 = *moment1;
    x.moment2 = *moment2;
    x.gradient = data_of<const float>(gradient);
    x.norm_squared = data_of<const double>(norm_squared);
    x.count = count;
    x.offset = offset;
    x.lead = offset % MOMENTS8_BLOCK;
    x.blocks = moments8_block_count(offset, count);
    x.aligned = block_aligned(weight, x.lead) && block_aligned(remainder, x.lead) &&
                block_aligned(gradient, x.lead) && block_aligned(&codes1, x.lead) &&
                block_aligned(&codes2, x.lead);
    return x;
}

void cuda_adamw_update_8bit(struct backend *backend, struct tensor *weight,
                            struct tensor *remainder, const struct moment8 *moment1,
                            const struct moment8 *moment2, const struct tensor *gradient,
                            const struct tensor *norm_squared,
                            const struct adamw_step_parameters *parameters)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const struct operands x = operands_of(weight, remainder, moment1, moment2, gradient,
                                          norm_squared, parameters->offset);
    const int64_t blocks =
        smaller(ceiling_divide(x.blocks, WARPS), cuda->multiprocessor_count * BLOCKS);
    const auto kernel = weight->dtype == DTYPE_F32 ? adamw_8bit_kernel<WEIGHT_F32>
                        : remainder                ? adamw_8bit_kernel<WEIGHT_SPLIT>
                                                   : adamw_8bit_kernel<WEIGHT_BF16>;
    struct maps maps;

    moments8_values(maps.signed_values, true);
    moments8_values(maps.unsigned_values, false);
    kernel<<<grid_size(blocks), THREADS, 0, cuda->stream>>>(x, factors_of(parameters),
                                                            maps);
    cuda_launched(cuda, "adamw_update_8bit");
}
