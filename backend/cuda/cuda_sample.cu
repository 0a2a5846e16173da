#include "backend/cuda/cuda_operations.h"
#include "backend/cuda/cuda_sample.cuh"

/*
 * One token from each row of logits: the first and the last kernel of cuda_sample.cuh. The
 * threshold of the nucleus is found by a radix select over the bits of the weights among
 * which it lies, 9 bits a round.
 */
namespace
{

constexpr int DRAW_THREADS = 512;
constexpr int DRAW_WARPS = DRAW_THREADS / WARP_SIZE;
constexpr int LINE = WARP_SIZE * PACK_LOGITS; /* what a warp reads at a time */
constexpr int LINES = PART_LENGTH / LINE;
constexpr int LINES_OF_WARP = LINES / DRAW_WARPS;
constexpr int DIGIT_BITS = 9;
constexpr int DIGITS = 1 << DIGIT_BITS;
constexpr int DIGITS_OF_LANE = DIGITS / WARP_SIZE;

static_assert(PARTS_LIMIT <= DRAW_THREADS, "a thread a part");
static_assert(LINES % DRAW_WARPS == 0, "all warps take as many lines");
static_assert(DIGITS <= DRAW_THREADS, "a thread a digit");

struct draw_memory {
    float greatest[PARTS_LIMIT]; /* of the parts */
    mass_t masses[PARTS_LIMIT];  /* of their nucleus, in the row's scale */
    mass_t lines[LINES];         /* of the part that has the token */
    uint32_t low[DIGITS];        /* mass of each digit, in two halves */
    uint32_t high[DIGITS];
    mass_t above;    /* mass of the weights that are greater than those chosen */
    uint32_t prefix; /* the digits chosen so far */
};

/* What the threads of a block know alike. */
struct draw_row {
    const float *logits;
    int64_t s, count;
    float greatest, inverse, unit;
};

/* ---- Parts ------------------------------------------------------------------------- */

/* The greatest logit of a part, NaN if it has one. Has a barrier. */
__device__ float part_greatest(const sample_part &part, float *shared)
{
    float greatest = -CUDART_INF_F;
    bool broken = false;

#pragma unroll
    for (int i = 0; i < PART_PACKS * PACK_LOGITS; i++) {
        const float logit = part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS];
        broken |= isnan(logit);
        greatest = fmaxf(greatest, logit);
    }
    greatest = warp_greatest(broken ? CUDART_NAN_F : greatest);
    if (lane_index() == 0)
        shared[thread_index() / WARP_SIZE] = greatest;
    __syncthreads();
    return row_greatest(shared, PART_THREADS / WARP_SIZE);
}

/* What later kernels add to. */
__device__ void nucleus_clear(const sample_work &work, int64_t s)
{
    for (int i = thread_index(); i < BINS; i += PART_THREADS)
        work.bins[s * BINS + i] = 0;
    if (thread_index() == 0)
        work.cuts[s] = {};
}

template <bool WHOLE>
__global__ void __launch_bounds__(PART_THREADS) parts_kernel(sample_work work)
{
    __shared__ float greatest_of[WARP_SIZE];
    __shared__ mass_t sums[WARP_SIZE];
    const int64_t s = blockIdx.x;
    const int index = work.parts - 1 - static_cast<int>(blockIdx.y);
    const sample_part part = load_part_of_row<WHOLE>(work, s, index);
    const float inverse = inverse_temperature(work, s);
    mass_t mass = 0;

    if (index == 0 && has_nucleus(work, s))
        nucleus_clear(work, s);
    const float greatest = part_greatest(part, greatest_of);
#pragma unroll
    for (int i = 0; i < PART_PACKS * PACK_LOGITS; i++) {
        const float logit = part.packs[i / PACK_LOGITS].value[i % PACK_LOGITS];
        mass += mass_of(weight_of(logit, greatest, inverse), work.unit);
    }
    mass = block_sum(mass, sums);
    if (thread_index() == 0) {
        work.greatest[s * work.parts + index] = greatest;
        work.masses[s * work.parts + index] = mass;
    }
}

/* ---- The threshold of the nucleus --------------------------------------------------- */

/* Calls add(slot, mass) for the lanes that take part; once for all of them if they have the
 * same slot, as neighbours and equal weights often do. All lanes call it. */
template <typename Add>
__device__ inline void add_together(bool takes_part, int slot, mass_t mass, Add add)
{
    const unsigned takers = __ballot_sync(ALL_LANES, takes_part);

    if (takers == 0)
        return;
    const int leader = __ffs(static_cast<int>(takers)) - 1;
    const int common = __shfl_sync(ALL_LANES, slot, leader);
    if (__all_sync(ALL_LANES, !takes_part || slot == common)) {
        mass = warp_sum(takes_part ? mass : 0);
        if (lane_index() == leader)
            add(slot, mass);
    } else if (takes_part) {
        add(slot, mass);
    }
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

__device__ inline mass_t digit_mass(const draw_memory &memory, int digit)
{
    return static_cast<mass_t>(memory.high[digit]) << 32 | memory.low[digit];
}

/* The first warp looks from the greatest digit down for the one at which the mass above
 * reaches `wanted` (the least one if it never does), and adds it to the prefix. */
__device__ void choose_digit(draw_memory &memory, int shift, mass_t wanted)
{
    int digit = DIGITS - 1 - lane_index() * DIGITS_OF_LANE;
    mass_t mass = 0;

    for (int i = 0; i < DIGITS_OF_LANE; i++)
        mass += digit_mass(memory, digit - i);
    const mass_t reached = memory.above + running_sum(mass);
    const unsigned reaching = __ballot_sync(ALL_LANES, reached >= wanted);
    const int chosen = reaching ? __ffs(static_cast<int>(reaching)) - 1 : WARP_SIZE - 1;
    __syncwarp();
    if (lane_index() == chosen) {
        mass_t above = reached - mass;
        const int last = digit - DIGITS_OF_LANE + 1;
        while (digit > last && above + digit_mass(memory, digit) < wanted)
            above += digit_mass(memory, digit--);
        memory.above = above;
        memory.prefix |= static_cast<uint32_t>(digit) << shift;
    }
}

/*
 * The greatest key such that the weights with this or a greater one, and the mass `above`
 * of those without a key, reach `wanted`; 0 if they do not. for_each(f) calls
 * f(takes_part, key, mass) in all lanes, with keys below 2^key_bits.
 */
template <typename ForEach>
__device__ uint32_t radix_select(draw_memory &memory, ForEach for_each, int key_bits,
                                 mass_t above, mass_t wanted)
{
    int shift = key_bits;

    if (thread_index() == 0) {
        memory.above = above;
        memory.prefix = 0;
    }
    __syncthreads(); /* also: all have read the masses that made `above` */
    while (shift > 0) {
        const uint32_t fixed = shift < 32 ? ~0U << shift : 0;
        shift = max(shift - DIGIT_BITS, 0);
        if (thread_index() < DIGITS)
            memory.low[thread_index()] = memory.high[thread_index()] = 0;
        __syncthreads();
        const uint32_t prefix = memory.prefix;
        for_each([&](bool takes_part, uint32_t key, mass_t mass) {
            add_together(takes_part && (key & fixed) == prefix,
                         static_cast<int>((key & ~fixed) >> shift), mass,
                         [&](int digit, mass_t sum) {
                             add_mass(&memory.low[digit], &memory.high[digit], sum);
                         });
        });
        __syncthreads();
        if (thread_index() < WARP_SIZE)
            choose_digit(memory, shift, wanted);
        __syncthreads();
    }
    return memory.prefix;
}

/* Calls f(takes_part, weight, id) in all lanes for each weight of the list. */
template <typename Function>
__device__ void for_listed(const sample_candidate *list, int count, Function f)
{
    constexpr int AT_ONCE = 4; /* on their way from memory */

    for (int first = thread_index(); first - thread_index() < count;
         first += AT_ONCE * DRAW_THREADS) {
        sample_candidate mine[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const int place = first + i * DRAW_THREADS;
            mine[i] = place < count ? list[place] : sample_candidate{0.0f, -1};
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            f(mine[i].id >= 0, mine[i].weight, mine[i].id);
    }
}

/* The same for each weight of the row between `low` and `high`: they were too many. */
template <bool WHOLE, typename Function>
__device__ void for_row(const draw_row &row, uint32_t low, uint32_t high, Function f)
{
    for (int64_t first = 0; first < row.count; first += DRAW_THREADS * PACK_LOGITS) {
        const int id = static_cast<int>(first) + thread_index() * PACK_LOGITS;
        const pack<PACK_LOGITS> logits =
            load_logits<WHOLE>(row.logits, id, static_cast<int>(row.count));
#pragma unroll
        for (int i = 0; i < PACK_LOGITS; i++) {
            const float weight = weight_of(logits.value[i], row.greatest, row.inverse);
            const uint32_t bits = __float_as_uint(weight);
            f(id + i < row.count && bits >= low && bits <= high, weight, id + i);
        }
    }
}

/* Sums up an array in shared memory; every warp for itself. */
__device__ inline mass_t mass_sum(const mass_t *masses, int count)
{
    mass_t mass = 0;

    for (int i = lane_index(); i < count; i += WARP_SIZE)
        mass += masses[i];
    return warp_sum(mass);
}

/* The least weight of the nucleus. The masses of the parts, which were those above all
 * weights among which it lies, get those of the nucleus added that lie there. */
template <typename ForEach>
__device__ float threshold_among(draw_memory &memory, const sample_work &work,
                                 const draw_row &row, ForEach for_each)
{
    const struct sample_cut cut = work.cuts[row.s];
    const mass_t wanted = wanted_mass(cut.total, work.rows.top_p[row.s]);
    const uint32_t range = max(cut.high_bits, cut.low_bits) - cut.low_bits;
    const uint32_t key = radix_select(
        memory,
        [&](auto f) {
            for_each([&](bool takes_part, float weight, int) {
                f(takes_part, __float_as_uint(weight) - cut.low_bits,
                  mass_of(weight, row.unit));
            });
        },
        WARP_SIZE - __clz(static_cast<int>(range)), mass_sum(memory.masses, work.parts),
        wanted);
    const float least = __uint_as_float(cut.low_bits + key);

    for_each([&](bool takes_part, float weight, int id) {
        add_together(
            takes_part && weight >= least, id / PART_LENGTH, mass_of(weight, row.unit),
            [&](int part, mass_t mass) {
                uint32_t *halves = reinterpret_cast<uint32_t *>(&memory.masses[part]);
                add_mass(halves, halves + 1, mass); /* atomics of 64 bits are loops there */
            });
    });
    __syncthreads();
    return least;
}

template <bool WHOLE>
__device__ float nucleus_threshold(draw_memory &memory, const sample_work &work,
                                   const draw_row &row)
{
    const struct sample_cut &cut = work.cuts[row.s];
    const sample_candidate *list = work.listed + row.s * LIST_LENGTH;

    if (cut.listed <= LIST_LENGTH)
        return threshold_among(memory, work, row,
                               [&](auto f) { for_listed(list, cut.listed, f); });
    return threshold_among(memory, work, row, [&](auto f) {
        for_row<WHOLE>(row, cut.low_bits, cut.high_bits, f);
    });
}

/* ---- The token ---------------------------------------------------------------------- */

/* The first place at which the running mass exceeds `target`, which becomes what is left of
 * it there; the last place if it never does. Every warp for itself. */
__device__ int first_beyond(const mass_t *masses, int count, mass_t &target)
{
    for (int first = 0; first < count; first += WARP_SIZE) {
        const int i = first + lane_index();
        const mass_t mass = i < count ? masses[i] : 0, running = running_sum(mass);
        const unsigned beyond = __ballot_sync(ALL_LANES, running > target);
        const int lane = beyond ? __ffs(static_cast<int>(beyond)) - 1 : WARP_SIZE - 1;
        const mass_t before = beyond ? running - mass : running;
        target -= __shfl_sync(ALL_LANES, before, lane);
        if (beyond)
            return first + lane;
    }
    return count - 1;
}

/* By how much the weights of a part are smaller in the row's scale than in its own. */
__device__ inline double part_scale(float greatest_of_part, const draw_row &row,
                                    float temperature)
{
    const double distance =
        static_cast<double>(greatest_of_part) - static_cast<double>(row.greatest);

    return distance == 0.0 ? 1.0 : exp(distance / static_cast<double>(temperature));
}

/* Brings the masses of the parts to the row's scale. */
__device__ void masses_to_row(draw_memory &memory, const draw_row &row, int parts,
                              float temperature)
{
    const int i = thread_index();

    if (i < parts) {
        const double scale = part_scale(memory.greatest[i], row, temperature);
        memory.masses[i] =
            static_cast<mass_t>(ceil(static_cast<double>(memory.masses[i]) * scale));
    }
    __syncthreads();
}

/* A target in the row's scale, brought to that of the part. */
__device__ mass_t target_in_part(mass_t target, double scale)
{
    const double wide = static_cast<double>(target) / scale;

    return wide < 9.0e18 ? static_cast<mass_t>(wide) : ~mass_t(0); /* see walk() */
}

/* The masses of four weights, of those that are >= least; returns their sum. */
__device__ inline mass_t masses_of(const pack<PACK_LOGITS> &logits, const draw_row &row,
                                   float reference, float least, mass_t *masses)
{
    mass_t sum = 0;

#pragma unroll
    for (int i = 0; i < PACK_LOGITS; i++) {
        const float weight = weight_of(logits.value[i], reference, row.inverse);
        masses[i] = weight >= least ? mass_of(weight, row.unit) : 0;
        sum += masses[i];
    }
    return sum;
}

/* The first id in the part at which the running mass of weights >= least exceeds `target`,
 * or the last one with a mass. One thread gets it, the others -1. */
template <bool WHOLE>
__device__ int walk(draw_memory &memory, const draw_row &row, int part, float reference,
                    float least, mass_t target)
{
    const int warp = thread_index() / WARP_SIZE, column = lane_index() * PACK_LOGITS;
    const int64_t first = static_cast<int64_t>(part) * PART_LENGTH;
    const int count = static_cast<int>(min(row.count - first, int64_t(PART_LENGTH)));
    const float *logits = row.logits + first;
    pack<PACK_LOGITS> packs[LINES_OF_WARP];
    mass_t masses[PACK_LOGITS];

#pragma unroll
    for (int i = 0; i < LINES_OF_WARP; i++)
        packs[i] =
            load_logits<WHOLE>(logits, (i * DRAW_WARPS + warp) * LINE + column, count);
#pragma unroll
    for (int i = 0; i < LINES_OF_WARP; i++) {
        const mass_t sum = warp_sum(masses_of(packs[i], row, reference, least, masses));
        if (lane_index() == 0)
            memory.lines[i * DRAW_WARPS + warp] = sum;
    }
    __syncthreads();
    target = min(target, mass_sum(memory.lines, LINES) - 1);
    const int line = first_beyond(memory.lines, LINES, target);
    if (line % DRAW_WARPS != warp)
        return -1;
    packs[0] = load_logits<WHOLE>(logits, line * LINE + column, count);
    mass_t running = running_sum(masses_of(packs[0], row, reference, least, masses));
    const unsigned beyond = __ballot_sync(ALL_LANES, running > target);
    if (lane_index() != (beyond ? __ffs(static_cast<int>(beyond)) - 1 : 0))
        return -1;
    int place = PACK_LOGITS;
    while (place > 0 && running > target)
        running -= masses[--place];
    return static_cast<int>(first) + line * LINE + column + place;
}

template <bool WHOLE>
__device__ int draw(draw_memory &memory, const sample_work &work, const draw_row &row)
{
    const float temperature = work.rows.temperature[row.s];
    const bool nucleus = has_nucleus(work, row.s);
    float least = 0.0f;

    if (nucleus)
        least = nucleus_threshold<WHOLE>(memory, work, row);
    else
        masses_to_row(memory, row, work.parts, temperature);
    const mass_t mass = mass_sum(memory.masses, work.parts);
    /* The coldest draw of all: the first id that has any weight. */
    const double draw = temperature == 0.0f ? 0.0 : work.rows.draw[row.s];
    mass_t target = min(static_cast<mass_t>(draw * static_cast<double>(mass)), mass - 1);
    const int part = first_beyond(memory.masses, work.parts, target);
    float reference = row.greatest;
    if (!nucleus) {
        reference = memory.greatest[part];
        target = target_in_part(target, part_scale(reference, row, temperature));
    }
    return walk<WHOLE>(memory, row, part, reference, least, target);
}

template <bool WHOLE>
__global__ void __launch_bounds__(DRAW_THREADS, 2)
    draw_kernel(int32_t *tokens, sample_work work)
{
    __shared__ draw_memory memory;
    const int64_t s = blockIdx.x;

    if (thread_index() < work.parts) {
        memory.greatest[thread_index()] = work.greatest[s * work.parts + thread_index()];
        memory.masses[thread_index()] = work.masses[s * work.parts + thread_index()];
    }
    __syncthreads();
    const draw_row row = {work.logits + s * work.count,
                          s,
                          work.count,
                          row_greatest(memory.greatest, work.parts),
                          inverse_temperature(work, s),
                          work.unit};
    if (isfinite(row.greatest)) {
        const int token = draw<WHOLE>(memory, work, row);
        if (token >= 0)
            tokens[s] = token;
    } else if (thread_index() == 0) {
        tokens[s] = -1;
    }
}

/* ---- The operation ------------------------------------------------------------------ */

/* The unit of masses: V of them sum to 2^63 at most. */
float mass_unit(int64_t vocabulary)
{
    int bits = 0;

    while ((int64_t)1 << bits < vocabulary)
        bits++;
    return ldexpf(1.0f, static_cast<int>(smaller(44, 63 - bits)));
}

/* Lays out what the kernels leave each other, the widest types first; NULL in `memory`
 * only measures. */
size_t work_place(struct sample_work *work, int64_t rows, unsigned char *memory)
{
    const size_t S = static_cast<size_t>(rows), parts = static_cast<size_t>(work->parts);
    size_t bytes = 0;
    const auto next = [&](size_t count, size_t each) {
        unsigned char *place = memory ? memory + bytes : NULL;
        bytes += count * each;
        return static_cast<void *>(place);
    };

    work->masses = static_cast<mass_t *>(next(S * parts, sizeof(mass_t)));
    work->bins = static_cast<mass_t *>(next(S * BINS, sizeof(mass_t)));
    work->cuts = static_cast<struct sample_cut *>(next(S, sizeof(struct sample_cut)));
    work->listed =
        static_cast<sample_candidate *>(next(S * LIST_LENGTH, sizeof(sample_candidate)));
    work->greatest = static_cast<float *>(next(S * parts, sizeof(float)));
    return bytes;
}

template <bool WHOLE>
void run(struct cuda_backend *cuda, int32_t *tokens, const struct sample_work &work,
         int64_t rows)
{
    const dim3 grid(grid_size(rows), static_cast<unsigned>(work.parts));

    parts_kernel<WHOLE><<<grid, PART_THREADS, 0, cuda->stream>>>(work);
    cuda_sample_nucleus(cuda, &work, rows, WHOLE);
    draw_kernel<WHOLE><<<grid.x, DRAW_THREADS, 0, cuda->stream>>>(tokens, work);
    cuda_launched(cuda, "sample_tokens");
}

} // namespace

void cuda_sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                        const struct sampling_rows *rows)
{
    struct cuda_backend *cuda = cuda_of(backend);
    const int64_t S = logits->shape[0], V = logits->shape[1];

    if (S == 0)
        return;
    CHECK(V <= static_cast<int64_t>(PARTS_LIMIT) * PART_LENGTH);
    struct sample_work work = {};
    work.logits = data_of<float>(logits);
    work.count = V;
    work.parts = static_cast<int>(ceiling_divide(V, PART_LENGTH));
    work.unit = mass_unit(V);
    work.rows = *rows;
    void *memory = cuda_scratch(cuda, CUDA_SCRATCH_SAMPLE, work_place(&work, S, NULL));
    if (!memory)
        return;
    work_place(&work, S, static_cast<unsigned char *>(memory));
    const bool whole = V % PACK_LOGITS == 0 && pack_aligned(work.logits);
    (whole ? run<true> : run<false>)(cuda, tokens, work, S);
}
