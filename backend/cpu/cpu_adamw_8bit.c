#include "backend/cpu/cpu_adamw.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"
#include "backend/moments8.h"

#include <float.h>
#include <math.h>

/* A map, and the places half-way between neighbours: a number's code is how many of them
 * lie below it. */
struct map {
    float values[MOMENTS8_VALUES];
    float limits[MOMENTS8_VALUES]; /* the last one is not looked at */
    bool is_signed;
};

static void map_make(struct map *map, bool is_signed)
{
    moments8_values(map->values, is_signed);
    map->is_signed = is_signed;
    for (int i = 0; i + 1 < MOMENTS8_VALUES; i++)
        map->limits[i] = 0.5f * (map->values[i] + map->values[i + 1]);
    map->limits[MOMENTS8_VALUES - 1] = FLT_MAX;
}

TARGET_CLONES
static void decode(float *restrict values, const uint8_t *restrict codes, float scale,
                   const float *restrict map, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = map[codes[i]] * scale;
}

/* Finite, also where a moment is not. */
TARGET_CLONES
static float greatest_magnitude(const float *values, int64_t count)
{
    float greatest = 0.0f;

    for (int64_t i = 0; i < count; i++) {
        const float magnitude = fabsf(values[i]);
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    return greatest < FLT_MAX ? greatest : FLT_MAX;
}

TARGET_CLONES
static void encode(uint8_t *restrict codes, const float *restrict values, float scale,
                   const float *restrict limits, int least, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float x = values[i] / scale;
        int code = 0;
        for (int half = MOMENTS8_VALUES / 2; half > 0; half /= 2)
            code += x > limits[code + half - 1] ? half : 0;
        codes[i] = (uint8_t)(x > 0 && code < least ? least : code);
    }
}

/* Returns the scale. */
static float block_encode(uint8_t *codes, const float *values, const struct map *map,
                          int64_t count)
{
    const float scale = greatest_magnitude(values, count);
    /* Of a block of zeros every quotient is 0 all the same. */
    encode(codes, values, scale > 0 ? scale : 1.0f, map->limits,
           map->is_signed ? 0 : MOMENTS8_ZERO + 1, count);
    return scale;
}

struct update {
    struct adamw_weights weights;
    struct moment8 moment1, moment2;
    const float *gradient;
    const struct adamw_step_parameters *parameters;
    float gradient_scale;
    struct adamw_factors factors;
    struct map map1, map2;
    int64_t count;
};

static void block_update(const struct update *u, int64_t block)
{
    float weights[MOMENTS8_BLOCK], moment1[MOMENTS8_BLOCK], moment2[MOMENTS8_BLOCK];
    struct adamw_draws draws;
    const int64_t lead = u->parameters->offset % MOMENTS8_BLOCK;
    const int64_t first = maximum(0, block * MOMENTS8_BLOCK - lead);
    const int64_t count = minimum((block + 1) * MOMENTS8_BLOCK - lead, u->count) - first;
    uint8_t *codes1 = u->moment1.codes + first, *codes2 = u->moment2.codes + first;
    float *weight = adamw_weights_load(&u->weights, first, count, weights);

    decode(moment1, codes1, u->moment1.scales[block], u->map1.values, count);
    decode(moment2, codes2, u->moment2.scales[block], u->map2.values, count);
    if (adamw_weights_are_drawn(&u->weights))
        adamw_draw(&draws, u->parameters, u->parameters->offset + first, count);
    adamw_piece(weight, moment1, moment2, u->gradient + first, count, u->gradient_scale,
                &u->factors);
    u->moment1.scales[block] = block_encode(codes1, moment1, &u->map1, count);
    u->moment2.scales[block] = block_encode(codes2, moment2, &u->map2, count);
    adamw_weights_store(&u->weights, first, count, weight, &draws);
}

void cpu_adamw_update_8bit(struct backend *backend, struct tensor *weight,
                           struct tensor *remainder, const struct moment8 *moment1,
                           const struct moment8 *moment2, const struct tensor *gradient,
                           const struct tensor *norm_squared,
                           const struct adamw_step_parameters *parameters)
{
    enum { SHARE = 64 };
    const double norm = sqrt(*(const double *)norm_squared->data);
    struct update update = {.weights = adamw_weights_of(weight, remainder),
                            .moment1 = *moment1,
                            .moment2 = *moment2,
                            .gradient = f32(gradient),
                            .parameters = parameters,
                            .gradient_scale = adamw_gradient_scale(parameters, norm),
                            .factors = adamw_factors_of(parameters),
                            .count = tensor_count(weight)};

    if (!isfinite(norm))
        return;
    map_make(&update.map1, true);
    map_make(&update.map2, false);
    const int64_t blocks = moments8_block_count(parameters->offset, update.count);
    CPU_PARALLEL_FOR(cpu_of(backend), update.count)
    for (int64_t i = 0; i < blocks; i += SHARE)
        for (int64_t j = i; j < minimum(i + SHARE, blocks); j++)
            block_update(&update, j);
}
