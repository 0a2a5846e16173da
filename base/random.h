#ifndef HOLDFAST_BASE_RANDOM_H
#define HOLDFAST_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random numbers that are a pure function of (seed, stream, position): Philox4x32-10,
 * Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". The key is the
 * seed; the counter is (position / 4, stream). Two streams of one seed never meet, so
 * that attempt 7 of behaviour 31 draws the same numbers whatever ran before it.
 * The state is three integers: saving and restoring a checkpoint is exact.
 */
struct random {
    uint64_t seed;
    uint64_t stream;
    uint64_t position; /* in 32-bit draws */
};

struct random random_stream(uint64_t seed, uint64_t stream);

/* A stream number from a text and two indices (FNV-1a), for "seeded per attempt". */
uint64_t random_stream_of(const char *name, uint64_t a, uint64_t b);

/* The bare block function, for tests and for other languages to compare with. */
void random_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

uint32_t random_u32(struct random *random);
uint64_t random_u64(struct random *random);
uint64_t random_below(struct random *random, uint64_t limit); /* [0, limit), unbiased */
float random_float(struct random *random);                    /* [0, 1), 24 bits */
double random_double(struct random *random);                  /* [0, 1), 53 bits */
float random_normal(struct random *random); /* Box-Muller, two draws, second dropped */

/* Fisher-Yates over the numbers 0..count-1 already in `order`. */
void random_shuffle(struct random *random, int64_t *order, size_t count);

#endif
