#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/cpu_operations.h"
#include "backend/cpu/cpu_target.h"

#include <math.h>

/* At most NF4_BLOCK weights, all of one absmax. */
TARGET_CLONES
static void dequantize_block(float *out, const uint8_t *codes, float absmax, int64_t count)
{
    for (int64_t i = 0; i < count / 2; i++) {
        out[2 * i] = nf4_levels[codes[i] & 15] * absmax;
        out[2 * i + 1] = nf4_levels[codes[i] >> 4] * absmax;
    }
    if (count % 2)
        out[count - 1] = nf4_levels[codes[count / 2] & 15] * absmax;
}

void cpu_nf4_dequantize(struct backend *backend, struct tensor *out,
                        const struct nf4_tensor *in)
{
    CPU_PARALLEL_FOR(cpu_of(backend), in->count)
    for (int64_t block = 0; block < nf4_block_count(in->count); block++) {
        const int64_t first = block * NF4_BLOCK;
        const float absmax =
            fmaf(in->steps[block / NF4_GROUP], (float)in->scale_codes[block], in->offset);
        const int64_t count = minimum(NF4_BLOCK, in->count - first);
        float block_of[NF4_BLOCK];
        dequantize_block(block_of, in->codes + first / 2, absmax, count);
        dtype_convert((char *)out->data + first * (int64_t)dtype_bytes(out->dtype),
                      out->dtype, block_of, DTYPE_F32, count);
    }
}
