#include "backend/moments8.h"

void moments8_values(float values[MOMENTS8_VALUES], bool is_signed)
{
    static const double decades[] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    const int zero = is_signed ? MOMENTS8_ZERO_SIGNED : MOMENTS8_ZERO;
    int rank = 1;

    values[zero] = 0.0f;
    for (int i = 0; i < 7; i++) {
        const int parts = is_signed ? 1 << i : 2 << i;
        for (int j = 0; j < parts; j++, rank++) {
            values[zero + rank] = (float)(decades[i] * (0.1 + 0.9 * (j + 0.5) / parts));
            if (is_signed)
                values[zero - rank] = -values[zero + rank];
        }
    }
    values[zero + rank] = 1.0f;
}

int64_t moments8_block_count(int64_t offset, int64_t count)
{
    if (count == 0)
        return 0;
    return (offset + count - 1) / MOMENTS8_BLOCK - offset / MOMENTS8_BLOCK + 1;
}
