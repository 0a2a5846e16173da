#include "backend/cuda/cuda_kernel.cuh"
#include "backend/cuda/cuda_operations.h"

#include <limits.h>
#include <math_constants.h>

/*
 * One token from each row of logits; a block a row. The formulas stand in
 * backend/operations.h. The weights exp((z - max z) / T) take the place of the logits.
 *
 * Masses (sums of weights) are whole numbers of 2^-44, or of more where the vocabulary has
 * more than 2^19 tokens, so that no sum overflows 64 bits: such sums are exact, hence the
 * same in any order, also with atomics. Weights are rounded up to them: none that is there
 * counts for nothing. The greatest weight is 1, so a mass is off by less than V 2^-44 of
 * itself, which is less than the error of the exponentials.
 *
 * The nucleus' threshold is found by a radix select over the bits of the weights, 8 bits
 * a pass. Only weights that could be the threshold take part, and these are first brought
 * into a list in shared memory, if they fit there.
 */
namespace
{

typedef unsigned long long mass_t;

constexpr int SAMPLE_THREADS = 1024;
constexpr int SAMPLE_WARPS = SAMPLE_THREADS / WARP_SIZE;
constexpr int DIGITS = 256;
constexpr int DIGITS_OF_LANE = DIGITS / WARP_SIZE;
constexpr int LIST_LENGTH = 6144;
constexpr unsigned ALL_LANES = 0xFFFFFFFFU;

static_assert(SAMPLE_WARPS == WARP_SIZE, "one number a warp is one number a lane");

struct sample_memory {
    mass_t sums[2][SAMPLE_WARPS]; /* by turns: see block_sum() */
    float greatest[SAMPLE_WARPS];
    int ids[SAMPLE_WARPS];
    uint32_t low[DIGITS]; /* mass of each digit, in two halves */
    uint32_t high[DIGITS];
    mass_t above;    /* mass of the digits that are greater than those chosen */
    mass_t reached;  /* with that of the chosen digit */
    uint32_t prefix; /* the digits chosen so far */
    int listed;
    float list[LIST_LENGTH];
};

/* What the threads of a block know alike. */
struct sample_row {
    float *weights;
    int64_t count;
    float unit; /* of masses: 2^44, or less */
    int turn;   /* of memory.sums */
};

/* A mass of weights in [0, 1]. */
__device__ inline mass_t mass_of(const sample_row &row, float weight)
{
    return __float2ull_ru(weight * row.unit); /* the product is exact */
}

__device__ inline mass_t sum_of_block(sample_memory &memory, sample_row &row, mass_t mass)
{
    row.turn ^= 1;
    return block_sum(mass, memory.sums[row.turn]);
}

__device__ inline int thread_index()
{
    return static_cast<int>(threadIdx.x);
}

/* The better of two logits: the greater, of equal ones the smaller id. */
__device__ inline void take_better(float &greatest, int &id, float other, int other_id)
{
    if (other > greatest || (other == greatest && other_id < id)) {
        greatest = other;
        id = other_id;
    }
}

__device__ inline void warp_greatest(float &greatest, int &id)
{
#pragma unroll
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2) {
        const float other = __shfl_xor_sync(ALL_LANES, greatest, distance);
        const int other_id = __shfl_xor_sync(ALL_LANES, id, distance);
        take_better(greatest, id, other, other_id);
    }
}

/* Id and value of the greatest logit; -1 if there is a NaN, or it is not finite. */
__device__ int row_greatest(sample_memory &memory, const sample_row &row, float &greatest)
{
    int id = INT_MAX;
    bool broken = false;

    greatest = -CUDART_INF_F;
#pragma unroll 4
    for (int64_t i = thread_index(); i < row.count; i += SAMPLE_THREADS) {
        const float logit = row.weights[i];
        broken |= isnan(logit);
        if (logit > greatest) {
            greatest = logit;
            id = static_cast<int>(i);
        }
    }
    warp_greatest(greatest, id);
    if (thread_index() % WARP_SIZE == 0) {
        memory.greatest[thread_index() / WARP_SIZE] = greatest;
        memory.ids[thread_index() / WARP_SIZE] = id;
    }
    broken = __syncthreads_or(broken) != 0;
    greatest = memory.greatest[thread_index() % WARP_SIZE];
    id = memory.ids[thread_index() % WARP_SIZE];
    warp_greatest(greatest, id);
    return broken || !isfinite(greatest) ? -1 : id;
}

/* Replaces the logits by their weights; returns the mass. */
__device__ mass_t to_weights(sample_memory &memory, sample_row &row, float greatest,
                             float temperature)
{
    const float inverse = static_cast<float>(1.0 / static_cast<double>(temperature));
    mass_t mass = 0;

#pragma unroll 4
    for (int64_t i = thread_index(); i < row.count; i += SAMPLE_THREADS) {
        const float logit = row.weights[i];
        /* The greatest is exactly 1, also where 1 / temperature overflows. */
        const float weight = logit == greatest ? 1.0f : expf((logit - greatest) * inverse);
        row.weights[i] = weight;
        mass += mass_of(row, weight);
    }
    return sum_of_block(memory, row, mass); /* has a barrier */
}

/* Brings the weights >= least into the list; false if they are too many. The list's order
 * differs from run to run, but nothing depends on it. */
__device__ bool list_weights(sample_memory &memory, const sample_row &row, float least)
{
    if (thread_index() == 0)
        memory.listed = 0;
    __syncthreads();
#pragma unroll 4
    for (int64_t i = thread_index(); i < row.count; i += SAMPLE_THREADS) {
        const float weight = row.weights[i];
        if (weight >= least) {
            const int place = atomicAdd(&memory.listed, 1);
            if (place < LIST_LENGTH)
                memory.list[place] = weight;
        }
    }
    __syncthreads();
    return memory.listed <= LIST_LENGTH;
}

/* *high : *low += mass, exactly: each overflow of the low half is seen by one thread. */
__device__ inline void add_mass(uint32_t *low, uint32_t *high, mass_t mass)
{
    const uint32_t part = static_cast<uint32_t>(mass);
    const uint32_t before = atomicAdd(low, part);
    const uint32_t carry = before + part < before ? 1 : 0;
    const uint32_t rest = static_cast<uint32_t>(mass >> 32) + carry;

    if (rest)
        atomicAdd(high, rest);
}

__device__ inline mass_t digit_mass(const sample_memory &memory, int digit)
{
    return static_cast<mass_t>(memory.high[digit]) << 32 | memory.low[digit];
}

__device__ inline mass_t running_mass(mass_t mass)
{
#pragma unroll
    for (int distance = 1; distance < WARP_SIZE; distance *= 2) {
        const mass_t before = __shfl_up_sync(ALL_LANES, mass, distance);
        mass += thread_index() % WARP_SIZE >= distance ? before : 0;
    }
    return mass;
}

/* The first warp looks from the greatest digit down for the one at which the mass above
 * reaches `wanted` (the least one if it never does), and adds it to the prefix. */
__device__ void choose_digit(sample_memory &memory, int shift, mass_t wanted)
{
    const int lane = thread_index() % WARP_SIZE;
    int digit = DIGITS - 1 - lane * DIGITS_OF_LANE;
    mass_t mass = 0;

    for (int i = 0; i < DIGITS_OF_LANE; i++)
        mass += digit_mass(memory, digit - i);
    const mass_t reached = memory.above + running_mass(mass);
    const unsigned reaching = __ballot_sync(ALL_LANES, reached >= wanted);
    const int chosen = reaching ? __ffs(static_cast<int>(reaching)) - 1 : WARP_SIZE - 1;
    __syncwarp();
    if (lane == chosen) {
        mass_t above = reached - mass;
        const int last = digit - DIGITS_OF_LANE + 1;
        while (digit > last && above + digit_mass(memory, digit) < wanted)
            above += digit_mass(memory, digit--);
        memory.above = above;
        memory.reached = above + digit_mass(memory, digit);
        memory.prefix |= static_cast<uint32_t>(digit) << shift;
    }
}

/* The greatest t such that the weights >= t have at least `wanted` mass, which is then
 * memory.reached. Weights below `least` cannot be it and are left out. */
__device__ float radix_select(sample_memory &memory, const sample_row &row,
                              const float *weights, int64_t count, float least,
                              mass_t wanted)
{
    if (thread_index() == 0) {
        memory.above = 0;
        memory.prefix = 0;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        const uint32_t fixed = shift == 24 ? 0 : ~0U << (shift + 8);
        if (thread_index() < DIGITS)
            memory.low[thread_index()] = memory.high[thread_index()] = 0;
        __syncthreads();
        const uint32_t prefix = memory.prefix;
        for (int64_t i = thread_index(); i < count; i += SAMPLE_THREADS) {
            const uint32_t bits = __float_as_uint(weights[i]); /* ordered as the floats */
            const int digit = static_cast<int>(bits >> shift & (DIGITS - 1));
            if (weights[i] >= least && (bits & fixed) == prefix)
                add_mass(&memory.low[digit], &memory.high[digit], mass_of(row, weights[i]));
        }
        __syncthreads();
        if (thread_index() < WARP_SIZE)
            choose_digit(memory, shift, wanted);
        __syncthreads();
    }
    return __uint_as_float(memory.prefix);
}

/*
 * The threshold of the nucleus. All weights below half of (1 - top_p) mass / V hold less
 * mass together than may be left out, so none of them is the threshold.
 */
__device__ float nucleus_threshold(sample_memory &memory, const sample_row &row,
                                   mass_t mass, float top_p)
{
    const double share = static_cast<double>(top_p);
    const double all = static_cast<double>(mass);
    const double least = 0.5 * (1.0 - share) * all /
                         (static_cast<double>(row.count) * static_cast<double>(row.unit));
    const mass_t wanted = max(static_cast<mass_t>(ceil(share * all)), mass_t(1));

    if (list_weights(memory, row, static_cast<float>(least)))
        return radix_select(memory, row, memory.list, memory.listed, 0.0f, wanted);
    return radix_select(memory, row, row.weights, row.count, static_cast<float>(least),
                        wanted);
}

/*
 * Cuts the ids [first, first + count) into one stretch a warp, and goes on with the one in
 * which the running mass of weights >= least exceeds `target`; `target` becomes what is
 * left of it there.
 */
__device__ void narrow(sample_memory &memory, sample_row &row, float least, int64_t &first,
                       int64_t &count, mass_t &target)
{
    const int warp = thread_index() / WARP_SIZE, lane = thread_index() % WARP_SIZE;
    const int64_t lines = (count + WARP_SIZE - 1) / WARP_SIZE;
    const int64_t stretch = (lines + SAMPLE_WARPS - 1) / SAMPLE_WARPS * WARP_SIZE;
    const int64_t end = min(first + count, first + (warp + 1) * stretch);
    mass_t mass = 0;
    int chosen = 0;

#pragma unroll 4
    for (int64_t i = first + warp * stretch + lane; i < end; i += WARP_SIZE)
        mass += row.weights[i] >= least ? mass_of(row, row.weights[i]) : 0;
    mass = warp_sum(mass);
    row.turn ^= 1;
    if (lane == 0)
        memory.sums[row.turn][warp] = mass;
    __syncthreads();
    while (chosen < SAMPLE_WARPS - 1 && memory.sums[row.turn][chosen] <= target)
        target -= memory.sums[row.turn][chosen++];
    count = min(stretch, count - chosen * stretch);
    first += chosen * stretch;
}

/* The first id at which the running mass of weights >= least exceeds `target`, which is
 * less than their mass. */
__device__ int walk(sample_memory &memory, sample_row &row, float least, mass_t target)
{
    int64_t first = 0, count = row.count;

    while (count > WARP_SIZE)
        narrow(memory, row, least, first, count, target);
    const int lane = thread_index() % WARP_SIZE;
    const float weight = lane < count ? row.weights[first + lane] : 0.0f;
    const mass_t running =
        running_mass(lane < count && weight >= least ? mass_of(row, weight) : 0);
    const unsigned beyond = __ballot_sync(ALL_LANES, running > target);
    return static_cast<int>(first) + __ffs(static_cast<int>(beyond)) - 1;
}

__global__ void __launch_bounds__(SAMPLE_THREADS)
    sample_kernel(int32_t *tokens, float *logits, int64_t count, float unit,
                  struct sampling_rows rows)
{
    __shared__ sample_memory memory;
    const int64_t s = blockIdx.x;
    sample_row row = {logits + s * count, count, unit, 0};
    float greatest, least = 0.0f;
    int token = row_greatest(memory, row, greatest);

    if (token >= 0 && rows.temperature[s] != 0.0f) {
        mass_t mass = to_weights(memory, row, greatest, rows.temperature[s]);
        if (rows.top_p[s] < 1.0f) {
            least = nucleus_threshold(memory, row, mass, rows.top_p[s]);
            mass = memory.reached;
        }
        const mass_t target = static_cast<mass_t>(rows.draw[s] * static_cast<double>(mass));
        token = walk(memory, row, least, min(target, mass - 1));
    }
    if (thread_index() == 0)
        tokens[s] = token;
}

/* The unit of masses: V of them sum to 2^63 at most. */
float mass_unit(int64_t vocabulary)
{
    int bits = 0;

    while ((int64_t)1 << bits < vocabulary)
        bits++;
    return ldexpf(1.0f, static_cast<int>(smaller(44, 63 - bits)));
}

} // namespace

void cuda_sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                        const struct sampling_rows *rows)
{
    struct cuda_backend *cuda = cuda_of(backend);

    if (logits->shape[0] == 0)
        return;
    sample_kernel<<<grid_size(logits->shape[0]), SAMPLE_THREADS, 0, cuda->stream>>>(
        tokens, data_of<float>(logits), logits->shape[1], mass_unit(logits->shape[1]),
        *rows);
    cuda_launched(cuda, "sample_tokens");
}
