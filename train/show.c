#include "train/show.h"

#include <inttypes.h>
#include <stdio.h>

static void show_example(const struct dataset *dataset, int64_t index,
                         const struct mix *mix, const struct tokenizer *tokenizer)
{
    const struct mix_example *example = &mix->examples[dataset->mix_indices[index]];
    const int64_t first = dataset->starts[index];
    const int64_t last = dataset->starts[index + 1];
    printf("example %" PRId64 " (%s, %s): %" PRId64 " tokens, %" PRId64 " carry loss\n",
           index, example->id, example->kind, last - first, dataset->target_counts[index]);
    for (int64_t i = first; i < last; i++) {
        struct text_buffer piece = {0};
        const bool carries_loss = i > first && dataset->targets[i - 1] >= 0;
        tokenizer_decode(tokenizer, dataset->tokens + i, 1, true, &piece);
        printf(carries_loss ? "[%s]" : "%s", text_buffer_string(&piece));
        text_buffer_release(&piece);
    }
    printf("\n\n");
}

void show_examples(const struct dataset *dataset, const struct mix *mix,
                   const struct tokenizer *tokenizer, int64_t count)
{
    for (int64_t i = 0; i < count && i < dataset->count; i++)
        show_example(dataset, i, mix, tokenizer);
}
