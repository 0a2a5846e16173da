#ifndef HOLDFAST_EVAL_VERDICT_LOG_H
#define HOLDFAST_EVAL_VERDICT_LOG_H

#include "base/error.h"
#include "base/text_buffer.h"
#include "eval/outcome.h"

#include <stdint.h>

/*
 * RUN/verdicts.jsonl: what each judge that is a chat model said of an attempt, a line each,
 * appended and synced as they come.
 *
 *     {"judge":"rating",
 *      "set":"harmful","index":0,"attack":"past","attempt":1,    the attempt's key
 *      "question":"9f86…",          SHA-256 of the judge's prompt, its model, the request
 * and the reply: a line of another question does not count "verdict":"complied",        or
 * judge_error, judge_refused, unparsed "said":"It …\n[[10]]",       the judge's whole
 * reply; absent if there is none "error":"HTTP 500: …",       why there is no verdict;
 * absent if there is "tokens":12,"ms":812.5}
 *
 * Of two lines with the same key and judge the later counts: a judge that failed was asked
 * again. A reply that was judged before, word for word, has no line: it has the verdict of
 * its first. RUN/attempts.jsonl has all verdicts once the run has ended.
 */
struct logged_verdict {
    const char *judge;
    const char *set;
    int64_t index;
    const char *attack;
    int64_t attempt;
    const char *question;
    enum outcome verdict;
    const char *said; /* NULL: nothing */
    const char *why;  /* NULL: there is a verdict */
    int64_t tokens;
    double milliseconds;
};

/* One line, without its end. */
void logged_verdict_print(const struct logged_verdict *verdict, struct text_buffer *line);

/* Hands over each line; strings live until `each` returns. A torn last line is left out,
 * any other malformed line is an error naming it. */
typedef void logged_verdict_each(void *context, const struct logged_verdict *verdict);
enum status verdict_log_parse(const char *bytes, size_t count, const char *where,
                              logged_verdict_each *each, void *context,
                              struct error *error);

#endif
