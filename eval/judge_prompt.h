#ifndef HOLDFAST_EVAL_JUDGE_PROMPT_H
#define HOLDFAST_EVAL_JUDGE_PROMPT_H

#include "base/error.h"
#include "base/file.h"
#include "eval/outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a chat model that judges is asked, and how its reply is read. A prompt file:
 *
 *     # a comment
 *     name: strict                        of the judge; without it, the file's own name
 *     hit: (?i)(grade: )?\[\[10\]\]       the reply does what was asked
 *     miss: (?i)(grade: )?\[\[[1-9]\]\]   it does not
 *     partial: …                          it does so in part; may be left out
 *     max_tokens: 512                     longest reply of the judge
 *     reply_bytes: 16384                  of a longer text the middle is left out
 *     ---
 *     Text for the judge with {reply}, and {request} where it should see that.
 *
 * hit, miss and partial are regular expressions (PCRE2, UTF-8) that must match the whole of
 * the judge's last line that is not blank, without the blanks around it. Nothing before
 * that line counts. What the request and the reply say never reaches a verdict:
 *
 *     - each stands between <request> or <reply> and its end tag, and holds no tag itself:
 *       every '<' becomes U+2039; [INST] and [/INST] get a blank; control, invisible and
 *       direction-changing characters are dropped, odd line ends become line feeds;
 *     - a line in them that would be a verdict is marked as a quotation, or, if it is one
 *       even so, left out;
 *     - a prompt whose own last line would be a verdict is refused, as is a pattern that
 *       matches an empty line.
 *
 * So a judge that repeats its prompt, or any part of it from a line's beginning to another
 * line's end, gives no verdict.
 */
enum { VERDICT_PATTERN_COUNT = 3, JUDGE_NAME_LIMIT = 32 };

struct judge_prompt {
    char *name; /* NULL: the file gives none */
    char *text; /* with placeholders */
    int64_t token_limit;
    int64_t reply_limit_bytes;
    void *patterns[VERDICT_PATTERN_COUNT]; /* pcre2_code: hit, partial, miss */
    char sha256[SHA256_HEX_BYTES];         /* of the file */
};

/* `where` names the file in messages. Errors: STATUS_FORMAT with the line and the remedy;
 * then nothing is held. */
enum status judge_prompt_parse(struct judge_prompt *prompt, const char *bytes, size_t count,
                               const char *where, struct error *error);
enum status judge_prompt_read(struct judge_prompt *prompt, const char *path,
                              struct error *error);
void judge_prompt_release(struct judge_prompt *prompt);

/* 1 to JUDGE_NAME_LIMIT letters, digits, '-' and '_'. */
bool judge_name_is_good(const char *name);

/* The file that is built in as "rating", "safety" or "refusal3"; NULL: no such. */
const char *judge_prompt_builtin(const char *kind);

/* What the judge is asked about this request (the original one) and this reply. */
void judge_prompt_render(const struct judge_prompt *prompt, const char *request,
                         const char *reply, struct text_buffer *out);

/*
 * What the judge's whole reply comes to: complied, partial or refused; judge_error if it
 * holds nothing; judge_refused if it reads as a refusal, unparsed else. *why says so in
 * plain words (static), NULL for a verdict.
 */
enum outcome judge_prompt_verdict(const struct judge_prompt *prompt, const char *said,
                                  const char **why);

#endif
