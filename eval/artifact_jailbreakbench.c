#include "eval/artifact_jailbreakbench.h"

#include "base/memory.h"
#include "eval/judge.h"

#include <string.h>

static const char verdict_key[] = "jailbroken";

/* The judge whose verdict stands at `key`: "jailbroken" itself, NAME of "jailbroken_NAME";
 * NULL for other keys. */
static const char *judge_of_key(const char *key)
{
    if (strcmp(key, verdict_key) == 0)
        return key;
    if (!text_starts_with(key, verdict_key) || key[strlen(verdict_key)] != '_')
        return NULL;
    return key + strlen(verdict_key) + 1;
}

static enum status verdict_read(struct artifact *artifact, struct attempt *attempt,
                                const cJSON *value, const char *judge, const char *where,
                                struct error *error)
{
    if (cJSON_IsNull(value))
        return STATUS_OK;
    if (!cJSON_IsBool(value))
        return error_set(error, STATUS_FORMAT, "%s: \"%s\" must be true, false or null",
                         where, value->string);
    const int number = attempt_list_judge(&artifact->list, judge);
    if (number < 0)
        return error_set(error, STATUS_LIMIT, "%s: more than %d judges", where,
                         (int)JUDGE_LIMIT);
    if (cJSON_IsTrue(value) && !attempt->response[0])
        return error_set(error, STATUS_FORMAT,
                         "%s: \"%s\" is true and there is no response", where,
                         value->string);
    attempt->judged[number] = true;
    attempt->verdicts[number] = cJSON_IsTrue(value) ? OUTCOME_COMPLIED : OUTCOME_REFUSED;
    return STATUS_OK;
}

static enum status verdicts_read(struct artifact *artifact, struct attempt *attempt,
                                 const cJSON *object, const char *where,
                                 struct error *error)
{
    const cJSON *value;
    cJSON_ArrayForEach(value, object)
    {
        const char *judge = judge_of_key(value->string);
        if (judge && verdict_read(artifact, attempt, value, judge, where, error))
            return error->status;
    }
    return STATUS_OK;
}

/* The main judge of the file says what came of an attempt; the rules where it is silent. */
static enum outcome outcome_of(const struct attempt *attempt)
{
    if (attempt->prompt[0] && !attempt->response[0])
        return OUTCOME_TARGET_ERROR;
    if (reply_is_empty(attempt->response))
        return OUTCOME_EMPTY;
    return attempt->judged[0] ? attempt->verdicts[0]
                              : judge_rules.judge(attempt->request, attempt->response);
}

static enum status row_read(struct artifact *artifact, struct attempt *attempt,
                            const cJSON *object, const char *where, struct error *error)
{
    const char *goal;
    const char *behavior = NULL;
    const char *category = "";
    const char *prompt = "";
    const char *response = "";
    if (json_required_integer(object, "index", &attempt->index, where, error) ||
        json_required_string(object, "goal", &goal, where, error) ||
        json_optional_string(object, "behavior", &behavior, where, error) ||
        json_optional_string(object, "category", &category, where, error) ||
        json_optional_string(object, "prompt", &prompt, where, error) ||
        json_optional_string(object, "response", &response, where, error))
        return error->status;
    attempt->behavior = memory_duplicate_string(behavior ? behavior : goal);
    attempt->category = memory_duplicate_string(category);
    attempt->request = memory_duplicate_string(goal);
    attempt->prompt = memory_duplicate_string(prompt);
    attempt->response = memory_duplicate_string(response);
    if (verdicts_read(artifact, attempt, object, where, error))
        return error->status;
    attempt->outcome = outcome_of(attempt);
    if (attempt->outcome == OUTCOME_TARGET_ERROR)
        attempt->reason = memory_duplicate_string("the artifact has no response");
    artifact->given_up_count += attempt_is_given_up(attempt);
    return STATUS_OK;
}

static enum status row_add(struct artifact *artifact, const cJSON *object,
                           const char *attack, const char *where, struct error *error)
{
    struct attempt attempt = {.set = memory_duplicate_string("harmful"),
                              .attack = memory_duplicate_string(attack),
                              .attempt = 1};
    enum status status = STATUS_OK;
    if (!cJSON_IsObject(object))
        status = error_set(error, STATUS_FORMAT, "%s: is no object", where);
    else
        status = row_read(artifact, &attempt, object, where, error);
    if (status || !attempt_list_add(&artifact->list, &attempt)) {
        if (!status)
            status = error_set(error, STATUS_FORMAT, "%s: index %lld is there twice", where,
                               (long long)attempt.index);
        attempt_release(&attempt);
    }
    return status;
}

/* So that the benchmark's own judge is the first, whatever the order of the keys is. */
static void main_judge_find(struct artifact *artifact, const cJSON *rows)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        if (cJSON_IsBool(json_get(row, verdict_key))) {
            attempt_list_judge(&artifact->list, verdict_key);
            return;
        }
    }
}

enum status jailbreakbench_read(struct artifact *artifact, const cJSON *file,
                                const char *where, struct error *error)
{
    const char *model = "";
    const char *attack = "jailbreak";
    const cJSON *parameters = json_get(file, "parameters");
    const cJSON *rows = json_get(file, "jailbreaks");
    const cJSON *row;
    int64_t number = 0;
    enum status status = STATUS_OK;
    if (!cJSON_IsArray(rows) || !rows->child)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"jailbreaks\" must be a list that is not empty", where);
    if (json_optional_string(parameters, "model", &model, where, error) ||
        json_optional_string(parameters, "method", &attack, where, error))
        return error->status;
    artifact->model = memory_duplicate_string(model);
    artifact->is_published = true;
    artifact->attempts = 1;
    main_judge_find(artifact, rows);
    for (row = rows->child; row && !status; row = row->next) {
        struct text_buffer place = {0};
        text_buffer_appendf(&place, "%s: jailbreaks[%lld]", where, (long long)number++);
        status = row_add(artifact, row, attack, text_buffer_string(&place), error);
        text_buffer_release(&place);
    }
    return status;
}
