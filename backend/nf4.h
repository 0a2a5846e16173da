#ifndef HOLDFAST_BACKEND_NF4_H
#define HOLDFAST_BACKEND_NF4_H

#include <stdint.h>

/*
 * NF4, four-bit numbers for weights that are normally distributed, with double
 * quantisation: Dettmers, Pagnoni, Holtzman & Zettlemoyer 2023, "QLoRA", arXiv:2305.14314,
 * section 3. Weights lie in blocks of 64, and the greatest magnitude of a block, absmax, is
 * itself held in 8 bits, in groups of 256 blocks:
 *
 *     weight = level[code] absmax[block]
 *     absmax = offset + step[group] scale_code[block]
 *
 * 4 + 8 / 64 + 32 / (64 256) = 4.127 bits a weight. `offset` is the mean of all absmax of
 * the tensor. The 8-bit code is linear, a signed integer in [-127, 127], where bitsandbytes
 * has an 8-bit float of its own: absmax is off by at most step / 2, and step is the
 * greatest |absmax - offset| of its group / 127. The levels are bitsandbytes' ("nf4").
 *
 *     codes        [(count + 1) / 2] two weights a byte: the first in the low half
 *     scale_codes  [blocks]          blocks = (count + 63) / 64; the last may be shorter
 *     steps        [groups] f32      groups = (blocks + 255) / 256
 *
 * Zero stays zero. Both back-ends give the same bits in f32: absmax by a fused
 * multiply-add, then one product; bf16 is that rounded to nearest even.
 */
enum { NF4_LEVELS = 16, NF4_BLOCK = 64, NF4_GROUP = 256 };
extern const float nf4_levels[NF4_LEVELS];

/* A quantised tensor, where the back-end computes; a view. */
struct nf4_tensor {
    int64_t count;
    uint8_t *codes;
    int8_t *scale_codes;
    float *steps;
    float offset;
};

int64_t nf4_code_bytes(int64_t count);
int64_t nf4_block_count(int64_t count);
int64_t nf4_group_count(int64_t count);

/*
 * The two halves of quantising, on the host. The first may be called piece by piece, where
 * pieces begin at a multiple of NF4_BLOCK: codes and absmax are then the piece's.
 * Values must be finite. Each weight gets the nearest level of its block.
 */
void nf4_quantize(uint8_t *codes, float *absmax, const float *values, int64_t count);
/* Returns `offset`. */
float nf4_quantize_scales(int8_t *scale_codes, float *steps, const float *absmax,
                          int64_t blocks);

#endif
