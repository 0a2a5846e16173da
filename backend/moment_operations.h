#ifndef HOLDFAST_BACKEND_MOMENT_OPERATIONS_H
#define HOLDFAST_BACKEND_MOMENT_OPERATIONS_H

#include "backend/moments8.h"
#include "backend/operations.h"

/*
 * adamw_update() with both moments in 8 bits (backend/moments8.h). The update computes with
 * the moments that it has just made, before they are rounded; blocks are those of
 * parameters->offset.
 *
 * weight, remainder, gradient, norm_squared   as adamw_update() has them
 * moment1  signed map     codes [count], scales [moments8_block_count()]  updated
 * moment2  unsigned map   the same                                        updated
 *
 * All-zero scales are moments of zero, whatever the codes.
 */
void adamw_update_8bit(struct backend *backend, struct tensor *weight,
                       struct tensor *remainder, const struct moment8 *moment1,
                       const struct moment8 *moment2, const struct tensor *gradient,
                       const struct tensor *norm_squared,
                       const struct adamw_step_parameters *parameters);

#endif
