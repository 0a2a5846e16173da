#ifndef HOLDFAST_TEXT_BPE_TRAINER_H
#define HOLDFAST_TEXT_BPE_TRAINER_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Learns a byte-level BPE vocabulary (Sennrich et al. 2016, arXiv:1508.07909): words of
 * the GPT-2 split pattern are counted, and the most frequent pair is merged until the
 * vocabulary is full; ties go to the pair with the smaller ids, so that the result is a
 * function of the texts. The 256 bytes come first, merges after them, special tokens last.
 */
struct bpe_trainer; /* opaque */

struct bpe_trainer *bpe_trainer_create(void);
void bpe_trainer_free(struct bpe_trainer *trainer);
void bpe_trainer_add_text(struct bpe_trainer *trainer, const char *text, size_t bytes);

/*
 * Writes a tokenizer.json (Hugging Face layout) of `vocabulary_count` entries in all,
 * the `special_count` special tokens included. Fails if the texts hold too few pairs.
 */
enum status bpe_trainer_finish(struct bpe_trainer *trainer, int64_t vocabulary_count,
                               const char *const *special, size_t special_count,
                               struct text_buffer *tokenizer_json, struct error *error);

#endif
