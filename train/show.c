#include "train/show.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * What token `index` adds to the text before it: a token alone may decode to less (a space
 * in front is dropped). Within a character cut into bytes the file's spelling serves.
 */
static void piece_append(struct text_buffer *piece, const struct tokenizer *tokenizer,
                         const int32_t *tokens, int64_t index)
{
    struct text_buffer before = {0}, with = {0};
    tokenizer_decode(tokenizer, tokens, (size_t)index, true, &before);
    tokenizer_decode(tokenizer, tokens, (size_t)index + 1, true, &with);
    const char *text = text_buffer_string(&with);
    if (text_starts_with(text, text_buffer_string(&before)))
        text_buffer_append(piece, text + before.length);
    else
        text_buffer_append(piece, tokenizer_token_text(tokenizer, tokens[index]));
    text_buffer_release(&before);
    text_buffer_release(&with);
}

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
        piece_append(&piece, tokenizer, dataset->tokens + first, i - first);
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
