#ifndef HOLDFAST_BACKEND_FP8_H
#define HOLDFAST_BACKEND_FP8_H

/*
 * Products of FP8 numbers: what the matrices of blocks do in training under --precision
 * fp8. E4M3 has 4 bits of exponent, 3 of mantissa, at most 448, no infinity; Micikevicius
 * et al. 2022, "FP8 Formats for Deep Learning", arXiv:2209.05433. Each row of an operand,
 * as it is multiplied along the sum, has a scale of its own, made of what stands in it:
 *
 *     scale(row) = max |row| / 448         row8 = E4M3(row / scale)
 *
 *     out[t,m]  = scale_in[t] scale_w[m] sum over k of in8[t,k] w8[m,k]
 *     d_in[t,k] = scale_g[t] scale_v[k] sum over m of g8[t,m] v8[k,m],    g: d_out, v: w^T
 *
 * so that the backward quantises a weight by its columns. Gradients of weights are sums
 * over all tokens, whose sizes differ most, and are made in bf16; so are attention, norms,
 * adapters, embedding, head.
 *
 * A row's product depends on no other row. A row of zeros stays one; NaN and infinity make
 * their row's product NaN. A row whose greatest number is below FP8_LEAST is scaled as if
 * it were that, so that no scale's inverse overflows.
 */
#define FP8_MOST  448.0F
#define FP8_LEAST 1e-30F

/* Of both sizes of a weight: tensor cores read 16 bytes at a time. */
#define FP8_MULTIPLE 16

#endif
