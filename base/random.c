#include "base/random.h"

#include "base/error.h"

#include <math.h>

enum { PHILOX_ROUNDS = 10, BLOCK_DRAWS = 4 };

/* One multiplication: high and low word of a x b. */
static uint32_t multiply(uint32_t a, uint32_t b, uint32_t *low)
{
    const uint64_t product = (uint64_t)a * b;
    *low = (uint32_t)product;
    return (uint32_t)(product >> 32);
}

void random_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint32_t low0, low1;
        const uint32_t high0 = multiply(0xD2511F53, c0, &low0);
        const uint32_t high1 = multiply(0xCD9E8D57, c2, &low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9; /* golden ratio */
        k1 += 0xBB67AE85; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block_at(const struct random *random, uint64_t block, uint32_t out[4])
{
    const uint32_t key[2] = {(uint32_t)random->seed, (uint32_t)(random->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32),
                                 (uint32_t)random->stream,
                                 (uint32_t)(random->stream >> 32)};
    random_philox(out, counter, key);
}

/* Two successive draws; one block does for both unless they straddle its end. */
static void draw_pair(struct random *random, uint32_t *first, uint32_t *second)
{
    uint32_t block[BLOCK_DRAWS];
    const uint64_t position = random->position;
    block_at(random, position / BLOCK_DRAWS, block);
    *first = block[position % BLOCK_DRAWS];
    if ((position + 1) % BLOCK_DRAWS == 0)
        block_at(random, (position + 1) / BLOCK_DRAWS, block);
    *second = block[(position + 1) % BLOCK_DRAWS];
    random->position = position + 2;
}

struct random random_stream(uint64_t seed, uint64_t stream)
{
    return (struct random){.seed = seed, .stream = stream};
}

static uint64_t fnv1a_byte(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * 0x100000001B3;
}

static uint64_t fnv1a_number(uint64_t hash, uint64_t number)
{
    for (int shift = 0; shift < 64; shift += 8)
        hash = fnv1a_byte(hash, (unsigned char)(number >> shift));
    return hash;
}

uint64_t random_stream_of(const char *name, uint64_t a, uint64_t b)
{
    uint64_t hash = 0xCBF29CE484222325;
    for (; *name; name++)
        hash = fnv1a_byte(hash, (unsigned char)*name);
    return fnv1a_number(fnv1a_number(hash, a), b);
}

uint32_t random_u32(struct random *random)
{
    uint32_t block[BLOCK_DRAWS];
    block_at(random, random->position / BLOCK_DRAWS, block);
    return block[random->position++ % BLOCK_DRAWS];
}

uint64_t random_u64(struct random *random)
{
    uint32_t low, high;
    draw_pair(random, &low, &high);
    return (uint64_t)high << 32 | low;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    CHECK(limit > 0);
    const uint64_t surplus =
        (0 - limit) % limit; /* 2^64 mod limit: draws below it repeat */
    uint64_t draw;
    do
        draw = random_u64(random);
    while (draw < surplus);
    return draw % limit;
}

float random_float(struct random *random)
{
    return (float)(random_u32(random) >> 8) * 0x1p-24F;
}

double random_double(struct random *random)
{
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

float random_normal(struct random *random)
{
    uint32_t radius_draw, angle_draw;
    draw_pair(random, &radius_draw, &angle_draw);
    const double uniform = ((double)radius_draw + 1.0) * 0x1p-32; /* (0, 1] */
    const double angle = 6.283185307179586 * 0x1p-32 * (double)angle_draw;
    return (float)(sqrt(-2.0 * log(uniform)) * cos(angle));
}

void random_shuffle(struct random *random, int64_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t other = (size_t)random_below(random, i);
        const int64_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}
