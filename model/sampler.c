#include "model/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The bits of a float that is not negative, as a number: they order as the floats do. */
static uint32_t order_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The id of the greatest logit, -1 if there is a NaN. */
static int64_t greatest(const float *logits, int64_t count)
{
    int64_t best = 0;
    bool broken = false;
    for (int64_t i = 0; i < count; i++) {
        broken |= isnan(logits[i]) != 0;
        if (logits[i] > logits[best])
            best = i;
    }
    return broken || !isfinite(logits[best]) ? -1 : best;
}

static double to_weights(float *logits, int64_t count, float most, double temperature)
{
    const float inverse = (float)(1.0 / temperature);
    double mass = 0.0;
    for (int64_t i = 0; i < count; i++) {
        /* The greatest is exactly 1, also where 1 / temperature overflows. */
        logits[i] = logits[i] == most ? 1.0f : expf((logits[i] - most) * inverse);
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
    float value;
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

int32_t sample_token(float *logits, int64_t count, const struct sampling *sampling,
                     struct random *random)
{
    const int64_t best = greatest(logits, count);
    if (best < 0 || sampling->temperature == 0.0)
        return (int32_t)best;
    double mass = to_weights(logits, count, logits[best], sampling->temperature);
    float least = 0.0f;
    if (sampling->top_p < 1.0) {
        least = threshold(logits, count, sampling->top_p * mass);
        mass = mass_from(logits, count, least);
    }
    return (int32_t)walk(logits, count, least, random_double(random) * mass);
}
