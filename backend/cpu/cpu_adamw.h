#ifndef HOLDFAST_BACKEND_CPU_CPU_ADAMW_H
#define HOLDFAST_BACKEND_CPU_CPU_ADAMW_H

#include "backend/adamw_factors.h"
#include "backend/operations.h"

/*
 * What the two updates of the CPU back-end share (cpu_adamw.c, cpu_adamw_8bit.c): the
 * formula over f32 arrays, and weights and moments that are held in fewer bits, widened
 * into a buffer before it and narrowed after it.
 *
 * Stochastic rounding to bf16 adds 16 random bits below the last place and cuts. Element e
 * among all weights takes the draws 2e and 2e + 1 of random_stream(seed, step) in
 * base/random.h: the low half of the first for moment 1, its high half for moment 2, the
 * low half of the second for the weight. The CUDA back-end does the same.
 */

/* What gradients of this global norm are multiplied by to be clipped. */
float adamw_gradient_scale(const struct adamw_step_parameters *parameters, double norm);

void adamw_piece(float *weight, float *moment1, float *moment2, const float *gradient,
                 int64_t count, float gradient_scale, const struct adamw_factors *factors);

/* At most so many elements are widened at a time. */
enum { ADAMW_PIECE = 1024 };

/* Two draws for each of `count` (at most ADAMW_PIECE) elements. */
struct adamw_draws {
    uint32_t buffer[2 * ADAMW_PIECE + 4];
    const uint32_t *of; /* [2 count], into buffer */
};
void adamw_draw(struct adamw_draws *draws, const struct adamw_step_parameters *parameters,
                int64_t first, int64_t count);

/* Rounds up with a probability of the distance to the lower neighbour. Infinity and NaN
 * stay what they are. values[i] takes the 16 bits of draws[2 i] from `shift` on. */
void round_stochastically(uint16_t *rounded, const float *values, const uint32_t *draws,
                          int shift, int64_t count);

/* Weights as adamw_update() has them. */
struct adamw_weights {
    void *data;
    int16_t *remainder; /* NULL: none */
    enum dtype dtype;
};
struct adamw_weights adamw_weights_of(const struct tensor *weight,
                                      const struct tensor *remainder);
bool adamw_weights_are_drawn(const struct adamw_weights *weights);
/* Weights [first, first + count) as f32: where they lie, or in `buffer`. */
float *adamw_weights_load(const struct adamw_weights *weights, int64_t first, int64_t count,
                          float *buffer);
/* Back from there; `draws` is read where adamw_weights_are_drawn(). */
void adamw_weights_store(const struct adamw_weights *weights, int64_t first, int64_t count,
                         const float *values, const struct adamw_draws *draws);

#endif
