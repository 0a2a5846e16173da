#include "backend/cuda/cuda_operations.h"
#include "backend/cuda/cuda_sample.cuh"

/*
 * The passes that narrow down the threshold of the nucleus: see cuda_sample.cuh. A radix
 * select over all blocks of a row (Zhang et al. 2023, "Parallel Top-K Algorithms on GPU"),
 * by masses and not by counts; its first digit is the bin. Instead of masses, each of which
 * would take several atomics, bins count their weights and sum up how far these lie below
 * the top of the bin, in 32 steps a bin, both in one word. That bounds the mass of the bin
 * from both sides to 1/32 of its width, so that the threshold is found to lie in one bin,
 * or in two beside each other. Which of the weights there it is, is then decided by exact
 * masses.
 */
namespace
{

constexpr int STEP_BITS = 5;
constexpr int STEPS = 1 << STEP_BITS;
constexpr int COUNT_SHIFT = 18; /* of a bin in shared memory: count above, steps below */
constexpr int WIDEST_BIN_BITS = 17;
constexpr int LOGITS_OF_THREAD = PART_PACKS * PACK_LOGITS;
constexpr int BINS_OF_THREAD = BINS / PART_THREADS;
constexpr int PART_WARPS = PART_THREADS / WARP_SIZE;

static_assert((STEPS - 1) * PART_LENGTH < 1 << COUNT_SHIFT, "steps do not overflow");
static_assert(PART_LENGTH < 1 << (32 - COUNT_SHIFT), "counts do not overflow");
static_assert(uint64_t(STEPS - 1) * PART_LENGTH * PARTS_LIMIT <= UINT32_MAX,
              "nor do the sums of a row");
static_assert(uint32_t(BINS - 1) << WIDEST_BIN_BITS < ONE_BITS,
              "each bin begins at a weight");
static_assert(LOGITS_OF_THREAD == 32, "a bit each");

/*
 * All weights below half of (1 - top_p) mass / V hold less mass together than may be left
 * out, so none of them is the threshold. Slightly less than half where `mass` is not exact.
 */
__device__ inline float least_threshold(const sample_work &work, float top_p, double mass,
                                        double half)
{
    return static_cast<float>(
        half * (1.0 - static_cast<double>(top_p)) * mass /
        (static_cast<double>(work.count) * static_cast<double>(work.unit)));
}

/* A lower bound of the threshold, from the masses of the parts; every warp for itself, all
 * with the same result. */
__device__ float first_threshold(const sample_work &work, int64_t s, float greatest)
{
    const float inverse = inverse_temperature(work, s);
    float mass = 0.0f;

    for (int i = lane_index(); i < work.parts; i += WARP_SIZE)
        mass += static_cast<float>(work.masses[s * work.parts + i]) *
                weight_of(work.greatest[s * work.parts + i], greatest, inverse);
    return least_threshold(work, work.rows.top_p[s], static_cast<double>(warp_sum(mass)),
                           0.49);
}

/* The narrowest bins with which all weights from `least` on have one; at WIDEST_BIN_BITS
 * the last bin takes what lies further down. */
__device__ inline int bin_shift(float least)
{
    const uint32_t range = ONE_BITS - __float_as_uint(fminf(least, 1.0f));
    int shift = STEP_BITS;

    while (shift < WIDEST_BIN_BITS && range >> shift >= BINS)
        shift++;
    return shift;
}

__device__ inline void bin_add(uint32_t *bins, float weight, int shift)
{
    const uint32_t depth = ONE_BITS - __float_as_uint(weight);
    const uint32_t bin = min(depth >> shift, uint32_t(BINS - 1));
    const uint32_t step = depth >> (shift - STEP_BITS) & (STEPS - 1);

    atomicAdd(&bins[bin], (1U << COUNT_SHIFT) + step);
}

/* Adds the part to the row, whose bins take 64 bits. */
__device__ void bins_to_row(const uint32_t *bins, mass_t *row)
{
    for (int i = thread_index(); i < BINS; i += PART_THREADS) {
        const uint32_t sum = bins[i];
        const mass_t steps = sum & ((1U << COUNT_SHIFT) - 1);
        if (sum)
            atomicAdd(&row[i], static_cast<mass_t>(sum >> COUNT_SHIFT) << 32 | steps);
    }
}

/* The weights of a part, in the row's scale; false where the row has no greatest logit. */
template <bool WHOLE>
__device__ inline bool load_weights(const sample_work &work, int64_t s, int index,
                                    sample_part &part, float &greatest)
{
    part = load_part_of_row<WHOLE>(work, s, index);
    greatest = row_greatest(work.greatest + s * work.parts, work.parts);
    const float inverse = inverse_temperature(work, s);
#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++) {
        float &value = part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS];
        value = weight_of(value, greatest, inverse);
    }
    return isfinite(greatest);
}

/* Lists the weights that `mine` has a bit for, in any order: nothing depends on it. One
 * atomic a warp. `first_id` is that of the part. */
__device__ void list_weights(const sample_work &work, int64_t s, const sample_part &weights,
                             uint32_t mine, int first_id)
{
    const int count = __popc(mine), running = running_sum(count);
    int place = 0;

    if (!__any_sync(ALL_LANES, mine != 0))
        return;
    if (lane_index() == WARP_SIZE - 1)
        place = atomicAdd(&work.cuts[s].listed, running);
    place = __shfl_sync(ALL_LANES, place, WARP_SIZE - 1) + running - count;
#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++) {
        if ((mine >> i & 1) == 0)
            continue;
        if (place < LIST_LENGTH)
            work.listed[s * LIST_LENGTH + place] = {
                weights.packs[i / PACK_LOGITS].value[i % PACK_LOGITS],
                first_id + pack_place(i / PACK_LOGITS) + i % PACK_LOGITS};
        place++;
    }
}

/* Lists what may be the threshold as long as the list has room: if it still has in the
 * end, no warp has left anything out. */
__device__ void list_from(const sample_work &work, int64_t s, const sample_part &weights,
                          float least, int first_id)
{
    uint32_t mine = 0;

    if (!__any_sync(ALL_LANES, work.cuts[s].listed <= LIST_LENGTH))
        return;
#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++)
        if (weights.packs[i / PACK_LOGITS].value[i % PACK_LOGITS] >= least)
            mine |= 1U << i;
    list_weights(work, s, weights, mine, first_id);
}

template <bool WHOLE>
__global__ void __launch_bounds__(PART_THREADS, 4) bins_kernel(sample_work work)
{
    __shared__ uint32_t bins[BINS];
    __shared__ mass_t sums[WARP_SIZE];
    const int64_t s = blockIdx.x;
    const int index = static_cast<int>(blockIdx.y);
    sample_part part;
    float greatest;
    mass_t mass = 0;

    if (!has_nucleus(work, s))
        return;
    for (int i = thread_index(); i < BINS; i += PART_THREADS)
        bins[i] = 0;
    if (!load_weights<WHOLE>(work, s, index, part, greatest))
        return;
    const float least = first_threshold(work, s, greatest);
    const int shift = bin_shift(least);
#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++)
        mass += mass_of(part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS], work.unit);
    __syncthreads(); /* the bins are empty */
#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++) {
        const float weight = part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS];
        if (weight >= least)
            bin_add(bins, weight, shift);
    }
    list_from(work, s, part, least, index * PART_LENGTH);
    mass = block_sum(mass, sums); /* has a barrier */
    bins_to_row(bins, work.bins + s * BINS);
    if (thread_index() != 0)
        return;
    atomicAdd(&work.cuts[s].total, mass);
    if (index == 0) { /* all blocks of the row have the same */
        work.cuts[s].least = least;
        work.cuts[s].shift = shift;
    }
}

/* Bounds of the mass of a bin. A weight in it is top - distance, distances being whole
 * numbers of the spacing of floats there, as no bin crosses a power of two. */
struct bin_bounds {
    mass_t most, fewest;
};

__device__ bin_bounds bounds_of_bin(const sample_work &work, mass_t sum, int bin, int shift)
{
    const uint32_t top_bits = ONE_BITS - (static_cast<uint32_t>(bin) << shift);
    const double top = static_cast<double>(__uint_as_float(top_bits));
    const double spacing = top - static_cast<double>(__uint_as_float(top_bits - 1));
    const double step = spacing * static_cast<double>(1 << (shift - STEP_BITS));
    const double count = static_cast<double>(sum >> 32),
                 unit = static_cast<double>(work.unit);
    const double steps = static_cast<double>(sum & 0xFFFFFFFFU);
    const bool last = bin == BINS - 1; /* what lies below it is in it, too */
    const double most = count * top - (last ? 0.0 : steps * step);
    const double fewest = last ? 0.0 : most - count * step;

    if (sum == 0)
        return {0, 0};
    /* Weights are rounded up to masses; the rest is more than doubles are off. */
    return {static_cast<mass_t>(most * unit * (1.0 + 1e-12) + count + 1.0),
            static_cast<mass_t>(fmax(fewest * unit * (1.0 - 1e-12), 0.0))};
}

/* The sum of all threads before this one. */
__device__ mass_t mass_before(mass_t mass, mass_t *sums)
{
    const int warp = thread_index() / WARP_SIZE;
    const mass_t running = running_sum(mass);
    mass_t before = running - mass;

    if (lane_index() == WARP_SIZE - 1)
        sums[warp] = running;
    __syncthreads();
    for (int i = 0; i < warp; i++)
        before += sums[i];
    return before;
}

struct cut_memory {
    mass_t sums[2][PART_WARPS];
    int first, last; /* bin that may, and that must have the threshold in it or before */
};

/* Finds the first bin with which the mass may reach `wanted`, and that with which it does;
 * the last one of all if there is none. */
__device__ void find_bins(cut_memory &memory, const bin_bounds *bounds, mass_t wanted)
{
    const int bin = thread_index() * BINS_OF_THREAD;
    mass_t most = 0, fewest = 0;

    if (thread_index() == 0)
        memory.first = memory.last = BINS - 1;
    for (int i = 0; i < BINS_OF_THREAD; i++) {
        most += bounds[i].most;
        fewest += bounds[i].fewest;
    }
    most = mass_before(most, memory.sums[0]);
    fewest = mass_before(fewest, memory.sums[1]);
    for (int i = 0; i < BINS_OF_THREAD; i++) {
        if (most < wanted && most + bounds[i].most >= wanted)
            memory.first = bin + i;
        if (fewest < wanted && fewest + bounds[i].fewest >= wanted)
            memory.last = bin + i;
        most += bounds[i].most;
        fewest += bounds[i].fewest;
    }
    __syncthreads();
}

/* All that may be the threshold is listed: nothing lies above. */
__device__ void cut_nothing(const sample_work &work, int64_t s)
{
    struct sample_cut &cut = work.cuts[s];

    for (int i = thread_index(); i < work.parts; i += PART_THREADS)
        work.masses[s * work.parts + i] = 0;
    if (thread_index() == 0) {
        cut.all_listed = true;
        cut.low_bits = __float_as_uint(cut.least);
        cut.high_bits = ONE_BITS;
    }
}

__device__ void cut_at_bins(cut_memory &memory, const sample_work &work, int64_t s)
{
    struct sample_cut &cut = work.cuts[s];
    const float top_p = work.rows.top_p[s];
    const int first = thread_index() * BINS_OF_THREAD, shift = cut.shift;
    bin_bounds bounds[BINS_OF_THREAD];

#pragma unroll
    for (int i = 0; i < BINS_OF_THREAD; i++)
        bounds[i] = bounds_of_bin(work, work.bins[s * BINS + first + i], first + i, shift);
    find_bins(memory, bounds, wanted_mass(cut.total, top_p));
    if (thread_index() != 0)
        return;
    const float least = least_threshold(work, top_p, static_cast<double>(cut.total), 0.5);
    const uint32_t high = ONE_BITS - (static_cast<uint32_t>(memory.first) << shift);
    const uint32_t low = ONE_BITS + 1 - (static_cast<uint32_t>(memory.last + 1) << shift);
    cut.all_listed = false;
    cut.listed = 0;
    cut.high_bits = high;
    cut.low_bits =
        min(max(memory.last == BINS - 1 ? 0 : low, __float_as_uint(least)), high + 1);
}

__global__ void __launch_bounds__(PART_THREADS) cut_kernel(sample_work work)
{
    __shared__ cut_memory memory;
    const int64_t s = blockIdx.x;

    if (!has_nucleus(work, s) ||
        !isfinite(row_greatest(work.greatest + s * work.parts, work.parts)))
        return;
    const bool all_listed = work.cuts[s].listed <= LIST_LENGTH;
    __syncthreads(); /* all have read it */
    if (all_listed)
        cut_nothing(work, s);
    else
        cut_at_bins(memory, work, s);
}

template <bool WHOLE>
__global__ void __launch_bounds__(PART_THREADS) gather_kernel(sample_work work)
{
    __shared__ mass_t sums[WARP_SIZE];
    const int64_t s = blockIdx.x;
    const int index = work.parts - 1 - static_cast<int>(blockIdx.y);
    sample_part part;
    float greatest;

    if (!has_nucleus(work, s) || work.cuts[s].all_listed)
        return;
    if (!load_weights<WHOLE>(work, s, index, part, greatest))
        return;
    const uint32_t low = work.cuts[s].low_bits, high = work.cuts[s].high_bits;
    uint32_t mine = 0;
    mass_t mass = 0;

#pragma unroll
    for (int i = 0; i < LOGITS_OF_THREAD; i++) {
        const float weight = part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS];
        const uint32_t bits = __float_as_uint(weight);
        if (bits > high)
            mass += mass_of(weight, work.unit);
        else if (bits >= low)
            mine |= 1U << i;
    }
    list_weights(work, s, part, mine, index * PART_LENGTH);
    mass = block_sum(mass, sums);
    if (thread_index() == 0)
        work.masses[s * work.parts + index] = mass;
}

template <bool WHOLE>
void run(struct cuda_backend *cuda, const struct sample_work &work, int64_t rows)
{
    const dim3 grid(grid_size(rows), static_cast<unsigned>(work.parts));

    bins_kernel<WHOLE><<<grid, PART_THREADS, 0, cuda->stream>>>(work);
    cut_kernel<<<grid.x, PART_THREADS, 0, cuda->stream>>>(work);
    gather_kernel<WHOLE><<<grid, PART_THREADS, 0, cuda->stream>>>(work);
    cuda_launched(cuda, "sample_tokens");
}

} // namespace

void cuda_sample_nucleus(struct cuda_backend *cuda, const struct sample_work *work,
                         int64_t rows, bool whole)
{
    (whole ? run<true> : run<false>)(cuda, *work, rows);
}
