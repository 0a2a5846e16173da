#ifndef HOLDFAST_TEXT_TOKENIZER_H
#define HOLDFAST_TEXT_TOKENIZER_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A tokenizer as tokenizer.json describes it: byte-level BPE (GPT-2, Llama-3, Qwen, SmolLM
 * and our own), SentencePiece-type BPE with byte fallback (Llama-2, Mistral, Gemma, Phi-3)
 * and Unigram, with their normalizers, pre-tokenizers (on PCRE2), decoders, added and
 * special tokens; or as a SentencePiece model file (tokenizer.model) describes it.
 * What the file asks for and we do not know is an error that names it. `truncation`
 * and `padding` in the file are ignored; tokenizer_warnings() says so.
 *
 * A tokenizer is immutable after opening and may be used from several threads.
 */
struct tokenizer; /* opaque */

struct token_list {
    int32_t *ids;
    size_t count;
    size_t capacity;
};
void token_list_append(struct token_list *list, int32_t id);
void token_list_release(struct token_list *list);

/* Reads DIR/tokenizer.json or, where there is none, DIR/tokenizer.model. *tokenizer is NULL
 * on error; free with tokenizer_free(). */
enum status tokenizer_open_directory(struct tokenizer **tokenizer, const char *directory,
                                     struct error *error);
/* From the bytes of a tokenizer.json; `where` names them in messages. */
enum status tokenizer_parse(struct tokenizer **tokenizer, const char *json, size_t bytes,
                            const char *where, struct error *error);
/*
 * From the bytes of a SentencePiece model, BPE or unigram. Ids are SentencePiece's; control
 * pieces are special tokens. `config`, tokenizer_config.json or NULL, may add tokens
 * (added_tokens_decoder) and says whether BOS and EOS are put around (add_bos_token, true
 * if absent; add_eos_token) and whether the dummy prefix comes after special tokens too
 * (legacy, true if absent), as transformers' LlamaTokenizer takes them.
 */
enum status tokenizer_parse_sentencepiece(struct tokenizer **tokenizer, const void *data,
                                          size_t bytes, const cJSON *config,
                                          const char *where, struct error *error);
void tokenizer_free(struct tokenizer *tokenizer);

/* Size of the id space: largest id + 1 (the embedding may be larger, never smaller). */
int64_t tokenizer_vocabulary_count(const struct tokenizer *tokenizer);
/* Fails where an id has no row in an embedding of `rows` rows. */
enum status tokenizer_check_rows(const struct tokenizer *tokenizer, int64_t rows,
                                 const char *directory, struct error *error);

/* Ids of added tokens, the special ones among them, by their text; -1 if there is none. */
int32_t tokenizer_token_id(const struct tokenizer *tokenizer, const char *token);

/* Whether decoding leaves this id out; false if out of range. */
bool tokenizer_token_is_special(const struct tokenizer *tokenizer, int32_t id);

/* The file's spelling of an id (byte-level alphabet, U+2581 for a space, …), NULL if out of
 * range. */
const char *tokenizer_token_text(const struct tokenizer *tokenizer, int32_t id);

/* Words for the user about what the file holds and we ignore, or "" (borrowed). */
const char *tokenizer_warnings(const struct tokenizer *tokenizer);

/*
 * Encodes UTF-8 text, appending to `ids`. Invalid UTF-8 is encoded as U+FFFD, as Python's
 * errors="replace" gives it (maximal subparts).
 *
 * ENCODE_SPECIAL: special tokens written in the text become their ids (for rendered
 * templates). Without it they stay text: what a user writes can never become a
 * control token. Post-processors (adding BOS) are applied only with ENCODE_ADD_BOS.
 * ENCODE_PLAIN: not even added tokens that the file does not call special are looked for.
 * Text that is encoded part by part: ENCODE_AFTER_TOKEN says that an added token comes
 * before it (nothing is put in front that belongs at the start only, as by Metaspace with
 * prepend_scheme "first"), ENCODE_INSIDE that other text does (nothing is put in front).
 */
enum encode_flags {
    ENCODE_SPECIAL = 1,
    ENCODE_ADD_BOS = 2,
    ENCODE_PLAIN = 4,
    ENCODE_AFTER_TOKEN = 8,
    ENCODE_INSIDE = 16
};
void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t bytes,
                      unsigned flags, struct token_list *ids);

/*
 * Decodes ids, appending to `text`. Special tokens are left out unless keep_special.
 * Bytes that are not UTF-8 come out as U+FFFD. Ids out of range are a bug (CHECK).
 * Tokenizers with a dummy prefix drop the space in front of the first token: decoding
 * token by token loses spaces.
 */
void tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      bool keep_special, struct text_buffer *text);

#endif
