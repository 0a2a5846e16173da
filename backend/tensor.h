#ifndef HOLDFAST_BACKEND_TENSOR_H
#define HOLDFAST_BACKEND_TENSOR_H

#include "base/dtype.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Shape letters, used in backend/ and model/ only:
 *
 *     T  tokens in the packed batch        N  documents in the packed batch
 *     C  channels (hidden size)            F  width of the feed-forward layer
 *     H  query heads                       G  key/value heads (G divides H)
 *     D  head size                         V  vocabulary
 *     L  layers                            S  sequences being decoded
 *
 * A tensor is a view: it owns nothing. Row-major; shape[0] is outermost. Contiguous, but
 * for a matrix made by tensor_columns(), whose rows lie row_stride elements apart: only
 * the linear operations take such views. `data` may live on the device of its back-end.
 * A weight that linear_arrange() has arranged is in an order of its back-end's, and is for
 * linear_forward(), linear_decode() and embedding_forward() alone.
 */
enum { TENSOR_DIMENSIONS_MAXIMUM = 4 };

struct tensor {
    void *data;
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_DIMENSIONS_MAXIMUM];
    int64_t row_stride; /* in elements; 0: contiguous */
    bool arranged;
    bool fp8; /* a weight: its forward and the gradients of its inputs, linear_forward()
               * and linear_backward_input(), multiply FP8 numbers (backend_fp8()) */
    const struct tensor *fp8_with; /* rows that nothing changes before they are multiplied
                                    * with this weight, marked fp8: what makes them may
                                    * make their FP8 numbers too. NULL: not known */
};

struct tensor tensor_view_1d(void *data, enum dtype dtype, int64_t count);
struct tensor tensor_view_2d(void *data, enum dtype dtype, int64_t rows, int64_t columns);
int64_t tensor_count(const struct tensor *tensor);
size_t tensor_bytes(const struct tensor *tensor);
/* Rows [first, first + rows) of a tensor, as a view. */
struct tensor tensor_rows(const struct tensor *tensor, int64_t first, int64_t rows);
/* Columns [first, first + columns) of a matrix, as a view. */
struct tensor tensor_columns(const struct tensor *tensor, int64_t first, int64_t columns);
/* Elements from one row of a matrix to the next. */
int64_t tensor_row_stride(const struct tensor *tensor);

/*
 * A packed batch: documents one after another, no padding.
 *
 *     tokens           a0 a1 a2 | b0 b1 | c0 c1 c2 c3
 *     positions         0  1  2 |  0  1 |  0  1  2  3
 *     document_starts   0,         3,      5,          9     (N + 1 numbers)
 *     targets          what follows each token where it carries loss, else -1
 *
 * Attention is causal within a document and never crosses from one into another.
 * All four are int32 arrays in host memory; model/ brings them to where the back-end
 * computes, in the form of the structs below.
 */
struct packed_batch {
    int64_t token_count;
    int64_t document_count;
    int64_t target_count; /* how many targets are not -1 */
    int32_t *tokens;
    int32_t *positions;
    int32_t *targets;
    int32_t *document_starts;
    int32_t *document_names; /* [N] which documents they are, wherever they are packed: for
                              * dropout; NULL: numbered as they come */
    uint64_t dropout_key;    /* of the adapters' masks; 0: no dropout in this pass */
};

/* Where the documents of a packed batch lie, for attention. */
struct documents {
    const int32_t *starts; /* [count + 1], where the back-end computes */
    int64_t count;
    int64_t longest; /* tokens of the longest one (an upper bound is allowed) */
};

/* Which rows of a packed batch carry loss, for cross entropy. */
struct targets {
    const int32_t *rows;   /* [count] ascending, where the back-end computes */
    const int32_t *tokens; /* [count] what follows each of them */
    int64_t count;
};

#endif
