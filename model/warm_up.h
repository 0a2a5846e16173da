#ifndef HOLDFAST_MODEL_WARM_UP_H
#define HOLDFAST_MODEL_WARM_UP_H

#include "model/transformer.h"

#include <stdint.h>

/*
 * Forward and backward of a batch as large as any that follows, whose gradients are zero:
 * what a device reserves when something is first done (scratch memory, code, plans of
 * products) is there before the first update, and what does not fit is known then.
 *
 * The batch has token_count tokens, as many as were reserved, in documents of `longest`,
 * the last one having what is left. Weights stay as they are; gradients have to be zeroed
 * behind it, as before every update. All ranks that share a model out call this.
 *
 * `sums`: scratch until backend_sync(), which reports what failed.
 */
void transformer_warm_up(struct transformer *model, int64_t token_count, int64_t longest,
                         struct cross_entropy_sums *sums);

#endif
