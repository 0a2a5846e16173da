#include "backend/cpu/cpu_bf16_panels.h"

#include <string.h>

bool bf16_panels_arrange(struct cpu_backend *cpu, const struct tensor *weight)
{
    const int64_t rows = weight->shape[0], depth = weight->shape[1];
    const int64_t floats = BF16_PANEL * depth / 2;
    uint16_t *values = weight->data;

    if (!cpu->bf16 || weight->dtype != DTYPE_BF16 || depth % 2 != 0)
        return false;
    float *scratch = cpu_thread_scratch(cpu, floats);
    if (!scratch)
        return false;
    CPU_PARALLEL_FOR(cpu, rows * depth)
    for (int64_t row = 0; row < rows; row += BF16_PANEL) {
        const int64_t width = minimum(BF16_PANEL, rows - row);
        uint16_t *panel = (uint16_t *)(void *)cpu_thread_piece(scratch, floats);
        cpu->bf16->pack(panel, values + row * depth, DTYPE_BF16, depth, width, depth);
        memcpy(values + row * depth, panel, (size_t)(width * depth) * sizeof *panel);
    }
    return true;
}

void bf16_panels_row(float *out, const struct tensor *weight, int64_t row)
{
    const int64_t depth = weight->shape[1], first = row / BF16_PANEL * BF16_PANEL;
    const int64_t width = minimum(BF16_PANEL, weight->shape[0] - first);
    const uint16_t *in = (const uint16_t *)weight->data + first * depth + 2 * (row - first);

    for (int64_t k = 0; k < depth; k += 2) {
        out[k] = bf16_to_float(in[k * width]);
        out[k + 1] = bf16_to_float(in[k * width + 1]);
    }
}
