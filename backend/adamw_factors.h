#ifndef HOLDFAST_BACKEND_ADAMW_FACTORS_H
#define HOLDFAST_BACKEND_ADAMW_FACTORS_H

#include "backend/operations.h"

/*
 * What an update of AdamW needs of its parameters, computed once, so that all back-ends
 * compute with the same numbers. The bias corrections are taken out of the loop:
 * lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon).
 */
struct adamw_factors {
    float beta1, one_minus_beta1;
    float beta2, one_minus_beta2;
    float lr_corrected;        /* lr / (1 - beta1^t) */
    float root_of_correction2; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float decay; /* lr * weight_decay */
};

struct adamw_factors adamw_factors_of(const struct adamw_step_parameters *parameters);

#endif
