#include "backend/adamw_factors.h"

#include <math.h>

struct adamw_factors adamw_factors_of(const struct adamw_step_parameters *p)
{
    const double step = (double)p->step;
    const double correction1 = 1 - pow((double)p->beta1, step);
    const double correction2 = 1 - pow((double)p->beta2, step);

    return (struct adamw_factors){
        .beta1 = p->beta1,
        .one_minus_beta1 = (float)(1 - (double)p->beta1),
        .beta2 = p->beta2,
        .one_minus_beta2 = (float)(1 - (double)p->beta2),
        .lr_corrected = (float)((double)p->lr / correction1),
        .root_of_correction2 = (float)(1 / sqrt(correction2)),
        .epsilon = p->epsilon,
        .decay = p->lr * p->weight_decay,
    };
}
