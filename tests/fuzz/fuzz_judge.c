#include "base/memory.h"
#include "eval/judge_prompt.h"
#include "eval/verdict_log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the judge says: an outcome of a judge, and why there is no verdict, or none. */
static void check_verdict(const struct judge_prompt *prompt, const char *said)
{
    const char *why = NULL;
    const enum outcome outcome = judge_prompt_verdict(prompt, said, &why);
    CHECK(outcome_is_scored(outcome) == (why == NULL));
    CHECK(outcome_is_scored(outcome) || outcome == OUTCOME_JUDGE_ERROR ||
          outcome == OUTCOME_JUDGE_REFUSED || outcome == OUTCOME_UNPARSED);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

/* A built-in prompt, repeated up to any line's end, is no verdict whatever it quotes. */
static void check_echo(const char *kind, const char *request, const char *reply)
{
    const char *file = judge_prompt_builtin(kind);
    struct judge_prompt prompt;
    struct text_buffer asked = {0};
    CHECK(judge_prompt_parse(&prompt, file, strlen(file), kind, NULL) == STATUS_OK);
    check_verdict(&prompt, reply);
    judge_prompt_render(&prompt, request, reply, &asked);
    CHECK(occurrences(text_buffer_string(&asked), "</reply>") == 1);
    CHECK(occurrences(text_buffer_string(&asked), "<|") == 0);
    size_t lines = 0;
    for (char *end = strchr(asked.data, '\n'); end && lines++ < 100;
         end = strchr(end + 1, '\n')) {
        const char *why = NULL;
        *end = '\0';
        CHECK(!outcome_is_scored(judge_prompt_verdict(&prompt, asked.data, &why)));
        *end = '\n';
    }
    text_buffer_release(&asked);
    judge_prompt_release(&prompt);
}

/* A prompt file, request and reply, with NULs between them. */
static void check_prompt(const char *bytes, size_t count)
{
    char *text = memory_duplicate_bytes(bytes, count);
    const char *request = text + strlen(text) + (strlen(text) < count);
    const char *reply = request + strlen(request);
    reply += reply < text + count;
    struct judge_prompt prompt;
    struct error error = {0};
    struct text_buffer asked = {0};
    const enum status status =
        judge_prompt_parse(&prompt, text, strlen(text), "prompt", &error);
    CHECK(status == error.status);
    CHECK(status == STATUS_OK || status == STATUS_FORMAT);
    if (!status) {
        const char *why;
        judge_prompt_render(&prompt, request, reply, &asked);
        check_verdict(&prompt, reply);
        CHECK(!outcome_is_scored(
            judge_prompt_verdict(&prompt, text_buffer_string(&asked), &why)));
        judge_prompt_release(&prompt);
    }
    text_buffer_release(&asked);
    check_echo("rating", request, reply);
    check_echo("safety", request, reply);
    check_echo("refusal3", request, reply);
    free(text);
}

static void on_line(void *context, const struct logged_verdict *verdict)
{
    text_buffer_clear(context);
    logged_verdict_print(verdict, context);
    text_buffer_append_char(context, '\n');
}

/* A line that was read is read again as the same. */
static void check_log(const char *bytes, size_t count)
{
    struct text_buffer once = {0};
    struct text_buffer twice = {0};
    struct error error = {0};
    if (verdict_log_parse(bytes, count, "log", on_line, &once, &error) == STATUS_OK &&
        once.length > 0) {
        CHECK(verdict_log_parse(once.data, once.length, "log", on_line, &twice, &error) ==
              STATUS_OK);
        CHECK(strcmp(once.data, twice.data) == 0);
    }
    text_buffer_release(&once);
    text_buffer_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (*data == '{')
        check_log((const char *)data, size);
    else
        check_prompt((const char *)data, size);
    return 0;
}
