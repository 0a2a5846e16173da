#include "backend/cpu/cpu_panels.h"

#include <string.h>

enum { WORD = 4, LINE_WORDS = 16 };

static int64_t panel_columns(const struct cpu_backend *cpu, enum dtype dtype)
{
    return dtype == DTYPE_BF16 && cpu->bf16 ? BF16_PANEL : cpu->kernel->columns;
}

/* `width` rows become columns, a cache line of each at a time. */
static void panel_make(char *panel, const char *rows, int64_t words, int64_t width)
{
    for (int64_t first = 0; first < words; first += LINE_WORDS)
        for (int64_t j = 0; j < width; j++)
            for (int64_t k = first; k < minimum(words, first + LINE_WORDS); k++)
                memcpy(panel + (k * width + j) * WORD, rows + (j * words + k) * WORD, WORD);
}

bool panels_arrange(struct cpu_backend *cpu, const struct tensor *weight)
{
    const int64_t rows = weight->shape[0];
    const int64_t row_bytes = weight->shape[1] * (int64_t)dtype_bytes(weight->dtype);
    const int64_t words = row_bytes / WORD;
    const int64_t columns = panel_columns(cpu, weight->dtype);
    char *values = weight->data;

    if (row_bytes % WORD != 0)
        return false;
    float *scratch = cpu_thread_scratch(cpu, columns * words);
    if (!scratch)
        return false;
    CPU_PARALLEL_FOR(cpu, rows * words)
    for (int64_t row = 0; row < rows; row += columns) {
        const int64_t width = minimum(columns, rows - row);
        char *panel = (char *)cpu_thread_piece(scratch, columns * words);
        panel_make(panel, values + row * row_bytes, words, width);
        memcpy(values + row * row_bytes, panel, (size_t)(width * row_bytes));
    }
    return true;
}

void panels_row(const struct cpu_backend *cpu, float *out, const struct tensor *weight,
                int64_t row)
{
    const int64_t depth = weight->shape[1], columns = panel_columns(cpu, weight->dtype);
    const int64_t each = (int64_t)dtype_bytes(weight->dtype), pack = WORD / each;
    const int64_t first = row / columns * columns;
    const int64_t width = minimum(columns, weight->shape[0] - first);
    const char *in =
        (const char *)weight->data + first * depth * each + (row - first) * WORD;

    for (int64_t k = 0; k < depth; k += pack)
        dtype_convert(out + k, DTYPE_F32, in + k * width * each, weight->dtype, pack);
}
