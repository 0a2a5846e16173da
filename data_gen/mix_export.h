#ifndef HOLDFAST_DATA_GEN_MIX_EXPORT_H
#define HOLDFAST_DATA_GEN_MIX_EXPORT_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "data_gen/mix.h"

#include <stdbool.h>

/*
 * Layouts of a training file, JSONL all of them:
 *
 *     mix                     all fields: data_gen/mix.h
 *     openai                  {"messages":[{"role","content"},…]}, for OpenAI's fine-tuning
 *     trl-messages            the same: TRL's "conversational language modeling"
 *     trl-prompt-completion   {"prompt":[messages],"completion":[message]}: TRL takes the
 *                             loss on the completion, here what the assistant says last
 *     sharegpt {"id","conversations":[{"from":"human|gpt|system","value"},…]}
 *
 * All but `mix` end with what the assistant says last (what users say after it is cut off,
 * as nothing is learnt from it), and have no field for the split: train and validation are
 * files of their own.
 */
enum mix_format {
    FORMAT_MIX,
    FORMAT_OPENAI,
    FORMAT_TRL_MESSAGES,
    FORMAT_TRL_PROMPT_COMPLETION,
    FORMAT_SHAREGPT,
    FORMAT_COUNT
};
enum status mix_format_parse(enum mix_format *format, const char *name,
                             struct error *error);

/* Appends one line. The assistant must say something in the example, or the line of
 * trl-prompt-completion has an empty completion. */
void mix_example_write(struct text_buffer *out, const struct mix_example *example,
                       enum mix_format format);

/* What is to be written. */
typedef const struct mix_example *mix_example_at(const void *context, size_t i);
typedef enum status mix_ready(void *context, struct error *error);
struct mix_examples {
    mix_example_at *at; /* number i of them */
    mix_ready *ready;   /* asked before a file is put in place; NULL: it is put there */
    void *context;      /* of both */
    size_t count;
};

/*
 * Writes the examples to `path`, or, unless the format is mix, those of the split
 * validation to `path` less .jsonl + .validation.jsonl and the others to `path`; examples
 * of the split test are left out of it. Sets `sha256` to that of `path`.
 */
enum status mix_export(const char *path, enum mix_format format,
                       const struct mix_examples *examples, char sha256[65],
                       struct error *error);

/* "dir/mix.jsonl" and ".test.csv" -> "dir/mix.test.csv"; caller frees. */
char *mix_path_beside(const char *path, const char *ending);

#endif
