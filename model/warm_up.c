#include "model/warm_up.h"

#include "base/memory.h"

#include <stdlib.h>

/* Every token but the very last is a target: more rows of logits than any batch has, and
 * one fewer than its rows, so that those with a target are gathered. */
static void batch_fill(struct packed_batch *batch, int64_t longest, int64_t vocabulary)
{
    const int64_t count = batch->token_count;
    batch->document_starts[0] = 0;
    for (int64_t t = 0; t < count; t++) {
        batch->tokens[t] = (int32_t)(t % vocabulary);
        batch->positions[t] = (int32_t)(t % longest);
        batch->targets[t] = t + 1 < count ? batch->tokens[t] : -1;
        if (t % longest == 0 && t > 0)
            batch->document_starts[++batch->document_count] = (int32_t)t;
    }
    batch->document_starts[++batch->document_count] = (int32_t)count;
    batch->target_count = count - 1;
}

void transformer_warm_up(struct transformer *model, int64_t token_count, int64_t longest,
                         struct cross_entropy_sums *sums)
{
    CHECK(longest > 0 && longest <= token_count);
    const size_t count = (size_t)token_count;
    int32_t *memory = memory_allocate_array(4 * count + 1, sizeof *memory);
    struct packed_batch batch = {.token_count = token_count,
                                 .tokens = memory,
                                 .positions = memory + count,
                                 .targets = memory + 2 * count,
                                 .document_starts = memory + 3 * count};
    batch_fill(&batch, longest, transformer_architecture(model)->vocabulary);
    transformer_zero_gradients(model);
    transformer_forward_backward(model, &batch, 0.0f, 0.0f, sums);
    free(memory);
}
