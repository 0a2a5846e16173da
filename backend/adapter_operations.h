#ifndef HOLDFAST_BACKEND_ADAPTER_OPERATIONS_H
#define HOLDFAST_BACKEND_ADAPTER_OPERATIONS_H

#include "backend/backend.h"
#include "backend/tensor.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What low-rank adapters (model/adapters.h) need beside the operations of a transformer.
 * Element types, memory and errors as in backend/operations.h. M and K are the rows and
 * columns of an adapted matrix, r the rank.
 */

/*
 * Dropout, Srivastava et al. 2014:
 *
 *     out[t,k] = in[t,k] / (1 - p)  where u(t,k) >= p 2^32, else 0
 *
 * u is 32 bits of Philox (base/random.h): draw k of the counter (k / 4, position, document,
 * stream) under `key`. It depends on what a row is, not on where it was packed, nor on
 * threads; the same call makes the same mask again, in the backward too.
 */
struct dropout_mask {
    const int32_t *documents; /* [T] names of documents, where the back-end computes */
    const int32_t *positions; /* [T] likewise */
    uint64_t key;             /* of the update */
    uint32_t stream;          /* of the place in the model */
    float probability;        /* p in [0, 1) */
};
/* out[T,K] = or += the above; contiguous. */
void dropout(struct backend *backend, struct tensor *out, const struct tensor *in,
             const struct dropout_mask *dropout, bool accumulate);

/* norms[M] f32 = the norm of each row of weight[M,K] + scale b[M,r] a[r,K]. Contiguous. At
 * least FLT_MIN: a row of zeros (pruned, or of a few numbers rounded to 4 bits) has no
 * direction, and would give 0 / 0. */
void adapted_row_norms(struct backend *backend, struct tensor *norms,
                       const struct tensor *weight, const struct tensor *a,
                       const struct tensor *b, float scale);

/* gains[M] f32 = magnitude[M] / norms[M]; the magnitudes are the masters where `remainder`
 * [M] i16 is given (base/dtype.h), else the weights (NULL). */
void magnitude_gains(struct backend *backend, struct tensor *gains,
                     const struct tensor *magnitude, const struct tensor *remainder,
                     const struct tensor *norms);

/* out[T,M] = out gains[M] (+ bias[M]) (+ residual[T,M]), contiguous; NULL for none.
 * `residual` is not `out`. */
void gain_forward(struct backend *backend, struct tensor *out, const struct tensor *gains,
                  const struct tensor *bias, const struct tensor *residual);
/*
 * `values` [T,M] comes as what the forward read in `out`, and is left as its gradient,
 * d_out gains. d_magnitude[M] f32 += the column sums of values d_out, over norms (NULL: not
 * wanted). All matrices may be views of columns.
 */
void gain_backward(struct backend *backend, struct tensor *values,
                   struct tensor *d_magnitude, const struct tensor *d_out,
                   const struct tensor *gains, const struct tensor *norms);

#endif
