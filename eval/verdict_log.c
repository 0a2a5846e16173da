#include "eval/verdict_log.h"

#include "base/file.h"
#include "base/json.h"

void logged_verdict_print(const struct logged_verdict *verdict, struct text_buffer *line)
{
    struct json_writer json = {.out = line};
    json_object_begin(&json, NULL);
    json_string(&json, "judge", verdict->judge);
    json_string(&json, "set", verdict->set);
    json_integer(&json, "index", verdict->index);
    json_string(&json, "attack", verdict->attack);
    json_integer(&json, "attempt", verdict->attempt);
    json_string(&json, "question", verdict->question);
    json_string(&json, "verdict", outcome_name(verdict->verdict));
    if (verdict->said)
        json_string(&json, "said", verdict->said);
    if (verdict->why)
        json_string(&json, "error", verdict->why);
    json_integer(&json, "tokens", verdict->tokens);
    json_number(&json, "ms", verdict->milliseconds);
    json_object_end(&json);
}

/* What a judge can come to: a verdict, or one of its own failures. */
static bool is_of_a_judge(enum outcome outcome)
{
    return outcome_is_scored(outcome) || outcome == OUTCOME_JUDGE_ERROR ||
           outcome == OUTCOME_JUDGE_REFUSED || outcome == OUTCOME_UNPARSED;
}

static enum status verdict_read(struct logged_verdict *verdict, const cJSON *object,
                                const char *where, struct error *error)
{
    const char *name;
    *verdict = (struct logged_verdict){0};
    if (json_required_string(object, "judge", &verdict->judge, where, error) ||
        json_required_string(object, "set", &verdict->set, where, error) ||
        json_required_integer(object, "index", &verdict->index, where, error) ||
        json_required_string(object, "attack", &verdict->attack, where, error) ||
        json_required_integer(object, "attempt", &verdict->attempt, where, error) ||
        json_required_string(object, "question", &verdict->question, where, error) ||
        json_required_string(object, "verdict", &name, where, error) ||
        json_optional_string(object, "said", &verdict->said, where, error) ||
        json_optional_string(object, "error", &verdict->why, where, error) ||
        json_optional_integer(object, "tokens", &verdict->tokens, where, error) ||
        json_optional_number(object, "ms", &verdict->milliseconds, where, error))
        return error->status;
    if (!outcome_parse(&verdict->verdict, name) || !is_of_a_judge(verdict->verdict))
        return error_set(error, STATUS_FORMAT, "%s: \"verdict\": '%.60s' is none", where,
                         name);
    return STATUS_OK;
}

static enum status line_read(const struct line_reader *lines, const char *where,
                             logged_verdict_each *each, void *context, struct error *error)
{
    struct text_buffer place = {0};
    struct logged_verdict verdict;
    cJSON *object = NULL;
    text_buffer_appendf(&place, "%s: line %lld", where, (long long)lines->number);
    enum status status = json_parse_line(&object, lines->line, lines->line_bytes,
                                         text_buffer_string(&place), error);
    if (!status)
        status = verdict_read(&verdict, object, text_buffer_string(&place), error);
    if (!status)
        each(context, &verdict);
    cJSON_Delete(object);
    text_buffer_release(&place);
    return status;
}

enum status verdict_log_parse(const char *bytes, size_t count, const char *where,
                              logged_verdict_each *each, void *context, struct error *error)
{
    struct line_reader lines = {.data = bytes, .bytes = count};
    enum status status = STATUS_OK;
    while (!status && line_next(&lines)) {
        const bool torn = bytes[lines.offset - 1] != '\n';
        if (!torn && !line_is_blank(&lines))
            status = line_read(&lines, where, each, context, error);
    }
    return status;
}
