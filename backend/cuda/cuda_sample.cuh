#ifndef HOLDFAST_BACKEND_CUDA_CUDA_SAMPLE_CUH
#define HOLDFAST_BACKEND_CUDA_CUDA_SAMPLE_CUH

#include "backend/cuda/cuda_kernel.cuh"

#include <math_constants.h>

/*
 * What the two files of token sampling share. The formulas stand in backend/operations.h.
 *
 * A row of logits is cut into parts of PART_LENGTH. A block takes one part, reads it once,
 * in packs that are all in flight together, and keeps it in registers. The cuts depend on
 * nothing but the vocabulary, so that a row's token depends on no other row. Logits are
 * only read. Kernels in order, each a pass over the parts or a block a row:
 *
 *     parts   reads all    the greatest logit of each part, and the part's mass
 *     bins    reads all*   the mass of the row; how many weights lie in each of 2,048 bins;
 *                          lists all weights that may be the threshold, if they are few
 *     cut     a row*       between which weights the threshold of the nucleus lies
 *     gather  reads all*   the mass of each part above them; lists the weights between them
 *     draw    a row        the threshold, among those listed; the part in which the token
 *                          lies, and in that part, which it reads, the token
 *
 * (*: rows with top_p < 1 only; gather not where `bins` could list all.) Passes take the
 * parts forward and backward by turns: what one read last, the next finds in the L2 cache.
 *
 * A mass is a sum of weights exp((z - reference) / temperature), in whole numbers of 2^-44
 * of the reference's weight (of more where the vocabulary has more than 2^19 tokens, so
 * that no sum overflows 64 bits): such sums are exact, hence the same in any order, also
 * with atomics. Weights are rounded up to them: none that is there counts for nothing. The
 * greatest weight is 1, so a mass is off by less than V 2^-44 of itself, which is less than
 * the error of the exponentials. The reference is the row's greatest logit; with top_p 1 it
 * is the part's, whose masses are then brought to the row's scale in double.
 */
typedef unsigned long long mass_t;

inline constexpr int PART_THREADS = 256;
inline constexpr int PART_PACKS = 8; /* of a thread */
inline constexpr int PACK_LOGITS = PACK_ELEMENTS<float>;
inline constexpr int PART_LENGTH = PART_THREADS * PART_PACKS * PACK_LOGITS;
inline constexpr int PARTS_LIMIT = 512; /* of a row: 4 million tokens */
inline constexpr int BINS = 2048;
inline constexpr int LIST_LENGTH = 8192;
inline constexpr uint32_t ONE_BITS = 0x3F800000U; /* of the greatest weight, 1 */
inline constexpr unsigned ALL_LANES = 0xFFFFFFFFU;

/* What is known of the nucleus of a row. Bits of weights order as the weights do. */
struct sample_cut {
    mass_t total;       /* mass of the row */
    float least;        /* smaller weights are not the threshold */
    int shift;          /* a bin is 2^shift neighbouring floats */
    bool all_listed;    /* by `bins`: all weights from `least` on are, and gather rests */
    int listed;         /* more than LIST_LENGTH: not all of them are in the list */
    uint32_t low_bits;  /* the listed ones lie between these, both included, and the */
    uint32_t high_bits; /* threshold is one of them */
};

struct sample_candidate {
    float weight;
    int id;
};

/* What all kernels are told. */
struct sample_work {
    const float *logits; /* [S, count] */
    int64_t count;
    int parts;
    float unit; /* of masses: 2^44, or less */
    struct sampling_rows rows;
    float *greatest;          /* [S, parts] a part's greatest logit, NaN if it has one */
    mass_t *masses;           /* [S, parts] see above; gather replaces them */
    mass_t *bins;             /* [S, BINS] count in the upper 32 bits, sum of steps below */
    struct sample_cut *cuts;  /* [S] */
    sample_candidate *listed; /* [S, LIST_LENGTH] */
};

/* cuda_sample_nucleus.cu: the kernels of rows with top_p < 1. `whole`: see load_logits().
 */
void cuda_sample_nucleus(struct cuda_backend *cuda, const struct sample_work *work,
                         int64_t rows, bool whole);

static __device__ inline int thread_index()
{
    return static_cast<int>(threadIdx.x);
}

static __device__ inline int lane_index()
{
    return thread_index() % WARP_SIZE;
}

/* Temperature 0 takes the greatest logit: it has no nucleus. */
static __device__ inline bool has_nucleus(const sample_work &work, int64_t s)
{
    return work.rows.top_p[s] < 1.0f && work.rows.temperature[s] != 0.0f;
}

/* 1 / temperature; infinite at 0, and where it overflows. */
static __device__ inline float inverse_temperature(const sample_work &work, int64_t s)
{
    return static_cast<float>(1.0 / static_cast<double>(work.rows.temperature[s]));
}

/* exp((logit - reference) / temperature). The reference's own weight is 1 also where the
 * inverse is infinite: fminf() turns the NaN of 0 times infinity into 0. */
static __device__ inline float weight_of(float logit, float reference, float inverse)
{
    return expf(fminf((logit - reference) * inverse, 0.0f));
}

/* A mass of a weight in [0, 1]. */
static __device__ inline mass_t mass_of(float weight, float unit)
{
    return __float2ull_ru(weight * unit); /* the product is exact */
}

/*
 * Four logits from index `first` on, of `count`; -infinity beyond them. `WHOLE` promises
 * that the row is aligned for packs and its count a multiple of them. Both forms give a
 * thread the same elements.
 */
template <bool WHOLE>
static __device__ inline pack<PACK_LOGITS> load_logits(const float *logits, int first,
                                                       int count)
{
    pack<PACK_LOGITS> values;

#pragma unroll
    for (int i = 0; i < PACK_LOGITS; i++)
        values.value[i] = -CUDART_INF_F;
    if constexpr (WHOLE) {
        if (first < count)
            values = load_pack<PACK_LOGITS>(logits + first);
    } else {
#pragma unroll
        for (int i = 0; i < PACK_LOGITS; i++)
            if (first + i < count)
                values.value[i] = logits[first + i];
    }
    return values;
}

/* A part of a row, in the registers of a block of PART_THREADS. */
struct sample_part {
    pack<PACK_LOGITS> packs[PART_PACKS];
};

static __device__ inline int pack_place(int pack_index)
{
    return (pack_index * PART_THREADS + thread_index()) * PACK_LOGITS;
}

template <bool WHOLE>
static __device__ inline sample_part load_part_of_row(const sample_work &work, int64_t s,
                                                      int part)
{
    const int64_t first = static_cast<int64_t>(part) * PART_LENGTH;
    const float *logits = work.logits + s * work.count + first;
    const int count = static_cast<int>(min(work.count - first, int64_t(PART_LENGTH)));
    sample_part values;

#pragma unroll
    for (int i = 0; i < PART_PACKS; i++)
        values.packs[i] = load_logits<WHOLE>(logits, pack_place(i), count);
    return values;
}

/* The greater; NaN if one of them is. */
static __device__ inline float greater_or_nan(float a, float b)
{
    return a > b || isnan(a) ? a : b;
}

static __device__ inline float warp_greatest(float value)
{
#pragma unroll
    for (int distance = WARP_SIZE / 2; distance > 0; distance /= 2)
        value = greater_or_nan(value, __shfl_xor_sync(ALL_LANES, value, distance));
    return value;
}

/* The row's greatest logit, NaN if it has one; every warp finds it for itself. */
static __device__ inline float row_greatest(const float *greatest, int parts)
{
    float value = -CUDART_INF_F;

    for (int i = lane_index(); i < parts; i += WARP_SIZE)
        value = greater_or_nan(value, greatest[i]);
    return warp_greatest(value);
}

/* The sum of this and all lower lanes. */
template <typename T> static __device__ inline T running_sum(T value)
{
#pragma unroll
    for (int distance = 1; distance < WARP_SIZE; distance *= 2) {
        const T before = __shfl_up_sync(ALL_LANES, value, distance);
        value += lane_index() >= distance ? before : 0;
    }
    return value;
}

/* The mass that the nucleus has to reach. */
static __device__ inline mass_t wanted_mass(mass_t total, float top_p)
{
    const double wanted = static_cast<double>(top_p) * static_cast<double>(total);

    return max(static_cast<mass_t>(ceil(wanted)), mass_t(1));
}

#endif
