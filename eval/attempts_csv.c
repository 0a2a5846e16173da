#include "eval/attempts_csv.h"

#include "base/memory.h"
#include "base/text_buffer.h"
#include "eval/attempts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a spreadsheet would take for a formula gets an apostrophe. */
static void cell(struct text_buffer *out, const char *text)
{
    const char *shown = text ? text : "";
    struct text_buffer safe = {0};
    if (out->length && out->data[out->length - 1] != '\n')
        text_buffer_append_char(out, ',');
    text_buffer_append(&safe, *shown && strchr("=+-@\t\r", *shown) ? "'" : "");
    text_buffer_append(&safe, shown);
    text_buffer_append_csv(out, text_buffer_string(&safe));
    text_buffer_release(&safe);
}

static void number(struct text_buffer *out, double value)
{
    text_buffer_append_char(out, ',');
    text_buffer_append_number(out, value);
}

static void head(struct text_buffer *out, const struct attempt_list *names)
{
    static const char *const columns[] = {
        "run",     "set",    "attack",   "index",   "attempt", "category", "behavior",
        "request", "prompt", "response", "outcome", "error",   "tokens",   "ms"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        cell(out, columns[i]);
    for (size_t i = 0; i < names->judge_count; i++) {
        struct text_buffer name = {0};
        text_buffer_appendf(&name, "judge:%s", names->judges[i]);
        cell(out, text_buffer_string(&name));
        text_buffer_release(&name);
    }
    text_buffer_append_char(out, '\n');
}

static void row(struct text_buffer *out, const char *run, const struct attempt *attempt,
                size_t judge_count)
{
    cell(out, run);
    cell(out, attempt->set);
    cell(out, attempt->attack);
    number(out, (double)attempt->index);
    number(out, (double)attempt->attempt);
    cell(out, attempt->category);
    cell(out, attempt->behavior);
    cell(out, attempt->request);
    cell(out, attempt->prompt);
    cell(out, attempt->response);
    cell(out, outcome_name(attempt->outcome));
    cell(out, attempt->reason);
    number(out, (double)attempt->tokens);
    number(out, attempt->milliseconds);
    for (size_t i = 0; i < judge_count; i++)
        cell(out, attempt->judged[i] ? outcome_name(attempt->verdicts[i]) : "");
    text_buffer_append_char(out, '\n');
}

/* The judges' numbers are the same in all lists: those that `names` gave them. */
static enum status run_read(struct attempt_list *list, const struct attempt_list *names,
                            const char *run, struct error *error)
{
    struct text_buffer text = {0};
    char *path = path_join(run, "attempts.jsonl");
    for (size_t i = 0; i < names->judge_count; i++)
        attempt_list_judge(list, names->judges[i]);
    enum status status = file_read(&text, path, 0, error);
    if (!status)
        status = attempts_parse(list, text_buffer_string(&text), text.length, path, error);
    text_buffer_release(&text);
    free(path);
    return status;
}

static enum status names_collect(struct attempt_list *names, const char *const *runs,
                                 size_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        struct attempt_list list = {0};
        status = run_read(&list, names, runs[i], error);
        for (size_t j = 0; j < list.judge_count && !status; j++)
            if (attempt_list_judge(names, list.judges[j]) < 0)
                status = error_set(error, STATUS_LIMIT,
                                   "%s: more than %d judges in all runs: export fewer runs",
                                   runs[i], (int)JUDGE_LIMIT);
        attempt_list_release(&list);
    }
    return status;
}

enum status attempts_write_csv(const char *const *runs, size_t count, const char *path,
                               struct error *error)
{
    struct attempt_list names = {0};
    struct text_buffer out = {0};
    enum status status = names_collect(&names, runs, count, error);
    head(&out, &names);
    for (size_t i = 0; i < count && !status; i++) {
        struct attempt_list list = {0};
        status = run_read(&list, &names, runs[i], error);
        for (size_t j = 0; j < list.count && !status; j++)
            row(&out, runs[i], &list.items[j], names.judge_count);
        attempt_list_release(&list);
    }
    if (!status)
        status = file_write_all(path, text_buffer_string(&out), out.length, error);
    text_buffer_release(&out);
    attempt_list_release(&names);
    return status;
}
