#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_math.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The bits of a float that is not negative, as a number: they order as the floats do. */
static uint32_t order_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The greatest logit; NaN if there is one among them. */
TARGET_CLONES
static float greatest_value(const float *logits, int64_t count)
{
    float most = -INFINITY;
    int32_t broken = 0;

#pragma omp simd reduction(max : most) reduction(| : broken)
    for (int64_t i = 0; i < count; i++) {
        broken |= logits[i] != logits[i];
        most = logits[i] > most ? logits[i] : most;
    }
    return broken ? NAN : most;
}

/* The first id of the greatest logit, -1 if there is a NaN or it is not finite. Read once,
 * but for the piece that has it. */
static int64_t greatest(const float *logits, int64_t count)
{
    enum { PIECE = 2048 };
    float most = -INFINITY;
    int64_t best = 0;

    for (int64_t first = 0; first < count; first += PIECE) {
        const float here = greatest_value(logits + first, minimum(PIECE, count - first));
        if (isnan(here))
            return -1;
        if (here > most) {
            most = here;
            best = first;
        }
    }
    if (!isfinite(most))
        return -1;
    while (logits[best] != most)
        best++;
    return best;
}

/* logits <- exp((logits - most) / temperature), of the greatest exactly 1; returns their
 * sum. 1 / temperature is kept finite: 0 times it is 0. */
TARGET_CLONES
static double to_weights(float *logits, int64_t count, float most, double temperature)
{
    const float inverse = (float)fmin(1.0 / temperature, (double)FLT_MAX);
    double mass = 0.0;

#pragma omp simd reduction(+ : mass)
    for (int64_t i = 0; i < count; i++) {
        logits[i] = exponential((logits[i] - most) * inverse);
        mass += (double)logits[i];
    }
    return mass;
}

/*
 * The greatest t such that the weights >= t have at least `wanted` mass: a radix select
 * over the bits of the floats, 8 bits a pass, the mass of each digit summed in a bucket.
 */
static float threshold(const float *weights, int64_t count, double wanted)
{
    enum { DIGITS = 256 };
    uint32_t prefix = 0;
    double above = 0.0;
    float value;

    for (int shift = 24; shift >= 0; shift -= 8) {
        const uint32_t fixed = shift == 24 ? 0 : ~0U << (shift + 8);
        double mass[DIGITS] = {0};
        for (int64_t i = 0; i < count; i++) {
            const uint32_t bits = order_bits(weights[i]);
            if ((bits & fixed) == prefix)
                mass[bits >> shift & (DIGITS - 1)] += (double)weights[i];
        }
        uint32_t digit = DIGITS - 1;
        while (digit > 0 && above + mass[digit] < wanted)
            above += mass[digit--];
        prefix |= digit << shift;
    }
    memcpy(&value, &prefix, sizeof value);
    return value;
}

static double mass_from(const float *weights, int64_t count, float least)
{
    double mass = 0.0;

    for (int64_t i = 0; i < count; i++)
        mass += weights[i] >= least ? (double)weights[i] : 0.0;
    return mass;
}

/* The first id at which the running mass of weights >= least exceeds `target`. */
static int64_t walk(const float *weights, int64_t count, float least, double target)
{
    double mass = 0.0;
    int64_t last = 0;

    for (int64_t i = 0; i < count; i++) {
        if (weights[i] < least || weights[i] <= 0.0f)
            continue;
        last = i;
        mass += (double)weights[i];
        if (mass > target)
            break;
    }
    return last;
}

static int64_t sample_row(float *logits, int64_t count, double temperature, double top_p,
                          double draw)
{
    const int64_t best = greatest(logits, count);
    float least = 0.0f;

    if (best < 0 || temperature == 0.0)
        return best;
    double mass = to_weights(logits, count, logits[best], temperature);
    if (top_p < 1.0) {
        least = threshold(logits, count, top_p * mass);
        mass = mass_from(logits, count, least);
    }
    return walk(logits, count, least, draw * mass);
}

void cpu_sample_tokens(struct backend *backend, int32_t *tokens, struct tensor *logits,
                       const struct sampling_rows *rows)
{
    const int64_t count = logits->shape[1], sequences = logits->shape[0];

    CPU_PARALLEL_FOR(cpu_of(backend), sequences * count)
    for (int64_t s = 0; s < sequences; s++)
        tokens[s] = (int32_t)sample_row(f32(logits) + s * count, count,
                                        (double)rows->temperature[s],
                                        (double)rows->top_p[s], rows->draw[s]);
}
