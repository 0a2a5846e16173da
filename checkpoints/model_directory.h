#ifndef HOLDFAST_CHECKPOINTS_MODEL_DIRECTORY_H
#define HOLDFAST_CHECKPOINTS_MODEL_DIRECTORY_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"

#include <stdbool.h>

/*
 * A Hugging Face model directory holds, beside the weights (checkpoints/safetensors.h):
 *
 *     config.json               the architecture                     required
 *     tokenizer.json            the tokenizer, or                    one of the two
 *     tokenizer.model           the same by SentencePiece
 *     tokenizer_config.json     chat template, special tokens        optional
 *     chat_template.jinja, chat_template.json, generation_config.json,
 *     special_tokens_map.json, added_tokens.json, vocab.json, merges.txt   optional
 */

/*
 * Whether a model may be in `directory`, before anything is read: no folder, a URL, a
 * folder without config.json or adapter_config.json, and a training run's folder (its model
 * is in final/) are errors that say what to give instead.
 */
enum status model_directory_check(const char *directory, struct error *error);

/* Copies those of them but config.json that are there, byte for byte; fails without a
 * tokenizer. It is all of them that belongs beside an adapter: transformers takes an
 * adapter's folder with a config.json for a whole model, and misses its weights. */
enum status model_directory_copy_metadata(const char *from, const char *to,
                                          struct error *error);

/*
 * Copies config.json, which says of the weights in `to` that they are stored as `stored`:
 * transformers loads them in the type that "dtype" (of old "torch_dtype") names, whatever
 * the files hold. All other bytes stay; where it names no type, none is added.
 */
enum status model_directory_copy_config(const char *from, const char *to, enum dtype stored,
                                        struct error *error);

/*
 * A directory with adapter_config.json is an adapter in PEFT's layout: *base (heap) is
 * then the directory of the model that it belongs to, else NULL. A base that is not a
 * folder here is an error that says so.
 */
enum status model_directory_base(char **base, const char *directory, struct error *error);

/*
 * *text (heap): the directory whose tokenizer and chat template a model is read with. It is
 * the model's own, but an adapter without a tokenizer, as PEFT saves it, has its base's.
 */
enum status model_directory_text(char **text, const char *directory, struct error *error);

/*
 * SHA-256 over "name hash" lines of the files that decide what a model reads and says:
 * config.json, generation_config.json, tokenizer.json, tokenizer.model,
 * tokenizer_config.json, chat_template.jinja and chat_template.json, as far as they are
 * there, and all weight files if `with_weights` (of an adapter: its two files, and the
 * weight files of its base; where the base's tokenizer is read, the base's files of those
 * names).
 */
enum status model_directory_fingerprint(char hex[SHA256_HEX_BYTES], const char *directory,
                                        bool with_weights, struct error *error);

#endif
