#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

enum { PIECE = 16384 };

/* The bias corrections, taken out of the loop: lr m / c1 / (sqrt(v / c2) + epsilon). */
struct factors {
    float beta1, one_minus_beta1;
    float beta2, one_minus_beta2;
    float lr_corrected;        /* lr / (1 - beta1^t) */
    float root_of_correction2; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float decay; /* lr * weight_decay */
    float gradient_scale;
};

static struct factors factors_of(const struct adamw_step_parameters *p, double norm)
{
    const bool clipped = p->clip_norm > 0 && norm > (double)p->clip_norm;
    const double step = (double)p->step;
    const double correction1 = 1 - pow((double)p->beta1, step);
    const double correction2 = 1 - pow((double)p->beta2, step);

    return (struct factors){
        .beta1 = p->beta1,
        .one_minus_beta1 = (float)(1 - (double)p->beta1),
        .beta2 = p->beta2,
        .one_minus_beta2 = (float)(1 - (double)p->beta2),
        .lr_corrected = (float)((double)p->lr / correction1),
        .root_of_correction2 = (float)(1 / sqrt(correction2)),
        .epsilon = p->epsilon,
        .decay = p->lr * p->weight_decay,
        .gradient_scale = clipped ? (float)((double)p->clip_norm / norm) : 1.0f,
    };
}

TARGET_CLONES
static void adamw_piece(float *restrict weight, float *restrict moment1,
                        float *restrict moment2, const float *restrict gradient,
                        int64_t count, const struct factors *factors)
{
    const struct factors f = *factors;

    for (int64_t i = 0; i < count; i++) {
        const float g = gradient[i] * f.gradient_scale;
        const float m = f.beta1 * moment1[i] + f.one_minus_beta1 * g;
        const float v = f.beta2 * moment2[i] + f.one_minus_beta2 * (g * g);
        const float root = sqrtf(v) * f.root_of_correction2 + f.epsilon;

        moment1[i] = m;
        moment2[i] = v;
        weight[i] -= f.lr_corrected * m / root + f.decay * weight[i];
    }
}

/* The same where the weights are bf16 with the lower halves of fp32 masters beside them. */
static void adamw_split_piece(uint16_t *upper, int16_t *lower, float *moment1,
                              float *moment2, const float *gradient, int64_t count,
                              const struct factors *factors)
{
    enum { MASTERS = 1024 };
    float masters[MASTERS];

    for (int64_t i = 0; i < count; i += MASTERS) {
        const int64_t part = minimum(MASTERS, count - i);
        bf16_join_all(masters, upper + i, lower + i, part);
        adamw_piece(masters, moment1 + i, moment2 + i, gradient + i, part, factors);
        bf16_split_all(upper + i, lower + i, masters, part);
    }
}

void cpu_adamw_update(struct backend *backend, struct tensor *weight,
                      struct tensor *remainder, struct tensor *moment1,
                      struct tensor *moment2, const struct tensor *gradient,
                      const struct tensor *norm_squared,
                      const struct adamw_step_parameters *parameters)
{
    const double norm = sqrt(*(const double *)norm_squared->data);
    const struct factors factors = factors_of(parameters, norm);
    const int64_t count = tensor_count(weight);

    /* Nothing here rounds stochastically: see moments_check() in train/. */
    CHECK(moment1->dtype == DTYPE_F32 && !remainder == (weight->dtype == DTYPE_F32));
    if (!isfinite(norm))
        return;
    if (remainder) {
        CPU_PARALLEL_FOR(cpu_of(backend), count)
        for (int64_t i = 0; i < count; i += PIECE)
            adamw_split_piece((uint16_t *)weight->data + i, (int16_t *)remainder->data + i,
                              f32(moment1) + i, f32(moment2) + i, f32(gradient) + i,
                              minimum(PIECE, count - i), &factors);
        return;
    }
    CPU_PARALLEL_FOR(cpu_of(backend), count)
    for (int64_t i = 0; i < count; i += PIECE)
        adamw_piece(f32(weight) + i, f32(moment1) + i, f32(moment2) + i, f32(gradient) + i,
                    minimum(PIECE, count - i), &factors);
}
