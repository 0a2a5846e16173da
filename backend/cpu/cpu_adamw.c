#include "backend/cpu/cpu_adamw.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

float adamw_gradient_scale(const struct adamw_step_parameters *p, double norm)
{
    const bool clipped = p->clip_norm > 0 && norm > (double)p->clip_norm;
    return clipped ? (float)((double)p->clip_norm / norm) : 1.0f;
}

TARGET_CLONES
void adamw_piece(float *restrict weight, float *restrict moment1, float *restrict moment2,
                 const float *restrict gradient, int64_t count, float gradient_scale,
                 const struct adamw_factors *factors)
{
    const struct adamw_factors f = *factors;

    for (int64_t i = 0; i < count; i++) {
        const float g = gradient[i] * gradient_scale;
        const float m = f.beta1 * moment1[i] + f.one_minus_beta1 * g;
        const float v = f.beta2 * moment2[i] + f.one_minus_beta2 * (g * g);
        const float root = sqrtf(v) * f.root_of_correction2 + f.epsilon;

        moment1[i] = m;
        moment2[i] = v;
        weight[i] -= f.lr_corrected * m / root + f.decay * weight[i];
    }
}

/* Moments as adamw_update() has them: f32 are updated where they lie. */
static float *moments_load(const struct tensor *moments, int64_t first, int64_t count,
                           float *buffer)
{
    if (moments->dtype == DTYPE_F32)
        return f32(moments) + first;
    dtype_convert(buffer, DTYPE_F32, (const uint16_t *)moments->data + first, DTYPE_BF16,
                  count);
    return buffer;
}

static void moments_store(const struct tensor *moments, int64_t first, int64_t count,
                          const float *values, const struct adamw_draws *draws, int shift)
{
    if (moments->dtype == DTYPE_BF16)
        round_stochastically((uint16_t *)moments->data + first, values, draws->of, shift,
                             count);
}

/* One update's operands. */
struct update {
    struct adamw_weights weights;
    const struct tensor *moment1, *moment2;
    const float *gradient;
    const struct adamw_step_parameters *parameters;
    float gradient_scale;
    struct adamw_factors factors;
    bool drawn; /* something is rounded stochastically */
};

/* At most ADAMW_PIECE elements. */
static void update_piece(const struct update *u, int64_t first, int64_t count)
{
    float weights[ADAMW_PIECE], moments1[ADAMW_PIECE], moments2[ADAMW_PIECE];
    struct adamw_draws draws;
    float *weight = adamw_weights_load(&u->weights, first, count, weights);
    float *moment1 = moments_load(u->moment1, first, count, moments1);
    float *moment2 = moments_load(u->moment2, first, count, moments2);

    if (u->drawn)
        adamw_draw(&draws, u->parameters, u->parameters->offset + first, count);
    adamw_piece(weight, moment1, moment2, u->gradient + first, count, u->gradient_scale,
                &u->factors);
    moments_store(u->moment1, first, count, moment1, &draws, 0);
    moments_store(u->moment2, first, count, moment2, &draws, 16);
    adamw_weights_store(&u->weights, first, count, weight, &draws);
}

void cpu_adamw_update(struct backend *backend, struct tensor *weight,
                      struct tensor *remainder, struct tensor *moment1,
                      struct tensor *moment2, const struct tensor *gradient,
                      const struct tensor *norm_squared,
                      const struct adamw_step_parameters *parameters)
{
    enum { SHARE = 16 * ADAMW_PIECE };
    const double norm = sqrt(*(const double *)norm_squared->data);
    const int64_t count = tensor_count(weight);
    struct update update = {.weights = adamw_weights_of(weight, remainder),
                            .moment1 = moment1,
                            .moment2 = moment2,
                            .gradient = f32(gradient),
                            .parameters = parameters,
                            .gradient_scale = adamw_gradient_scale(parameters, norm),
                            .factors = adamw_factors_of(parameters)};

    update.drawn = adamw_weights_are_drawn(&update.weights) || moment1->dtype == DTYPE_BF16;
    if (!isfinite(norm))
        return;
    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += SHARE)
        for (int64_t j = i; j < minimum(i + SHARE, count); j += ADAMW_PIECE)
            update_piece(&update, j, minimum(ADAMW_PIECE, count - j));
}
