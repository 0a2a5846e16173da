#ifndef HOLDFAST_CHECKPOINTS_NPY_H
#define HOLDFAST_CHECKPOINTS_NPY_H

#include "base/error.h"

#include <stdint.h>

/*
 * NumPy's .npy, version 1.0:
 *
 *     [0, 6)        "\x93NUMPY"
 *     [6, 8)        version 1, 0
 *     [8, 10)       header length N, u16 little-endian; 10 + N is a multiple of 64
 *     [10, 10+N)    {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *                   padded with spaces and closed with a newline
 *     [10+N, …)     the data, last index fastest
 *
 * Source: numpy.lib.format. The bytes are those of numpy.save (2.x).
 *
 * data   [shape] f32   read; may be NULL if the shape holds a 0
 * shape  [rank]        extents >= 0; rank 0 (a scalar) to 8
 *
 * Errors: atomic; after one (a full disk) nothing is left and an earlier file stands.
 */
enum status npy_write_f32(const char *path, const float *data, int rank,
                          const int64_t *shape, struct error *error);

#endif
