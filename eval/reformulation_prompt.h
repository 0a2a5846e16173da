#ifndef HOLDFAST_EVAL_REFORMULATION_PROMPT_H
#define HOLDFAST_EVAL_REFORMULATION_PROMPT_H

#include "base/error.h"
#include "base/file.h"
#include "base/text_buffer.h"
#include "text/tense.h"

#include <stddef.h>

/*
 * What a chat model that puts requests into another tense is asked. A prompt file is a text
 * with the places
 *
 *     {request}   the request, needed
 *     {attack}    the name of the attack: "past", "third-person" …
 *
 * for every attack, or sections of such text, each for the attack in its first line:
 *
 *     # what stands before the first section is a comment
 *     === past ===
 *     Say as a question about the past: {request}
 *     === future ===
 *     Say as a question about the future: {request}
 *
 * Any other brace is text. Places are filled once: what a request says fills none. Blank
 * lines at a text's beginning and end are dropped, line ends become line feeds.
 */
struct reformulation_prompt {
    char *texts[TENSE_COUNT]; /* by attack; NULL: the file has none */
    char sha256[SHA256_HEX_BYTES];
};

/* `where` names the file in messages. Errors: STATUS_FORMAT with the line and the remedy;
 * then nothing is held. */
enum status reformulation_prompt_parse(struct reformulation_prompt *prompt,
                                       const char *bytes, size_t count, const char *where,
                                       struct error *error);

/* `path` NULL: our own wording, with three worked examples for each attack. */
enum status reformulation_prompt_read(struct reformulation_prompt *prompt, const char *path,
                                      struct error *error);
void reformulation_prompt_release(struct reformulation_prompt *prompt);

void reformulation_prompt_render(const struct reformulation_prompt *prompt,
                                 enum tense tense, const char *request,
                                 struct text_buffer *out);

/* The file that is built in, in parts; NULL ends them. */
extern const char *const reformulation_prompt_builtin[];

#endif
