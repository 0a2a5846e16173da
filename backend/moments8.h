#ifndef HOLDFAST_BACKEND_MOMENTS8_H
#define HOLDFAST_BACKEND_MOMENTS8_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Moments of the optimiser in 8 bits: block-wise quantisation with a dynamic map, Dettmers,
 * Lewis, Shleifer & Zettlemoyer 2022, "8-bit Optimizers via Block-wise Quantization",
 * arXiv:2110.02861, sections 2.1 and 2.2, with bitsandbytes' blocks of 256:
 *
 *     moment = value[code] scale[block],   scale = the greatest magnitude of its block
 *
 * The map has seven decades, each of equal parts, more of them the greater the numbers: for
 * decade i = 0 … 6, from 10^(i-7) to 10^(i-6), part j = 0 … n_i - 1 stands for its middle,
 *
 *     10^(i-6) (0.1 + 0.9 (j + 1/2) / n_i)
 *
 * beside 0 and 1. Signed (the first moment): n_i = 2^i, and the same with a minus (no -1).
 * Unsigned (the second): n_i = 2^(i+1). 256 values either way, in ascending order of code.
 *
 * A number takes the nearest value; one half-way between two the lower. What is above 0 in
 * the second moment never becomes 0: it stands under a root in a denominator (Li, Chen &
 * Zhu 2023, arXiv:2309.01507, section 4.1, "zero-point problem"; bitsandbytes does let it).
 *
 * Blocks begin at multiples of MOMENTS8_BLOCK among all weights, and where a range of
 * weights begins or ends; a block may thus be shorter.
 *
 *     codes   [count]  one a weight
 *     scales  [blocks] f32
 */
enum { MOMENTS8_VALUES = 256, MOMENTS8_BLOCK = 256 };
/* The codes of 0. */
enum { MOMENTS8_ZERO_SIGNED = 127, MOMENTS8_ZERO = 0 };

/* A moment's part, where the back-end computes; a view. */
struct moment8 {
    uint8_t *codes;
    float *scales;
};

/* Greatest distance of a number in [0, 1] (the magnitude) from its nearest value, as
 * a share of the block's greatest: half a part of the last decade, signed. */
#define MOMENTS8_SIGNED_ERROR   0.00704
#define MOMENTS8_UNSIGNED_ERROR 0.00352

/* Ascending. Both back-ends compute with these numbers. */
void moments8_values(float values[MOMENTS8_VALUES], bool is_signed);

/* Of `count` neighbours among all weights from `offset` on. */
int64_t moments8_block_count(int64_t offset, int64_t count);

#endif
