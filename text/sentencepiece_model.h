#ifndef HOLDFAST_TEXT_SENTENCEPIECE_MODEL_H
#define HOLDFAST_TEXT_SENTENCEPIECE_MODEL_H

#include "base/error.h"
#include "text/normalizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A SentencePiece model file (tokenizer.model), a Protocol Buffers message of
 * sentencepiece_model.proto. What is read of it, by field number:
 *
 *     1  pieces, one each   1 piece, 2 score (float), 3 type
 *     2  trainer_spec       3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback,
 *                           44 unk_surface, 46 bos_piece, 47 eos_piece
 *     3  normalizer_spec    2 precompiled_charsmap, 3 add_dummy_prefix,
 *                           4 remove_extra_whitespaces, 5 escape_whitespaces
 *     5  denormalizer_spec  2 precompiled_charsmap
 *
 * The other fields tell how the model was trained.
 */
enum piece_type {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN,
    PIECE_CONTROL,
    PIECE_USER_DEFINED,
    PIECE_UNUSED,
    PIECE_BYTE
};
enum sentencepiece_type {
    SENTENCEPIECE_UNIGRAM = 1,
    SENTENCEPIECE_BPE,
    SENTENCEPIECE_WORD,
    SENTENCEPIECE_CHARACTER
};

struct piece {
    char *text; /* owned */
    size_t bytes;
    float score;
    enum piece_type type;
};

struct sentencepiece_model {
    struct piece *pieces; /* by id */
    size_t count;
    size_t capacity;
    enum sentencepiece_type type;
    bool byte_fallback;
    char *unknown_surface; /* owned: how the unknown piece reads, e.g. " ⁇ " */
    char *bos_piece;       /* owned */
    char *eos_piece;       /* owned */
    struct sentencepiece_rules rules;
    const unsigned char *charsmap; /* borrowed from the file's bytes */
    size_t charsmap_bytes;
};

/* Fails, naming the piece or the byte, on what is cut, contradicts itself or is not
 * supported: types WORD and CHAR, unused pieces, a denormalizer with rules. */
enum status sentencepiece_model_parse(struct sentencepiece_model *model, const void *data,
                                      size_t bytes, struct error *error);
void sentencepiece_model_release(struct sentencepiece_model *model);

#endif
