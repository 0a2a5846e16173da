#include "eval/artifact.h"

#include "base/json_scan.h"
#include "base/memory.h"
#include "data_gen/source_file.h"
#include "eval/artifact_jailbreakbench.h"
#include "eval/judge.h"

#include <stdlib.h>
#include <string.h>

static const char *const stored_judges[] = {"gpt", "llama", "rules"};

enum { STORED_JUDGE_COUNT = 3, RESTART_LIMIT = 10000 };

void artifact_release(struct artifact *artifact)
{
    free(artifact->model);
    artifact_run_release(&artifact->run);
    attempt_list_release(&artifact->list);
    *artifact = (struct artifact){0};
}

/* "jailbroken_gpt": true, false, or null and absent for no verdict. */
static enum status verdict_read(struct attempt *attempt, int judge, const cJSON *object,
                                const char *where, struct error *error)
{
    char key[32] = "jailbroken_";
    bool jailbroken = false;
    strcat(key, stored_judges[judge]);
    const cJSON *value = json_get(object, key);
    if (json_optional_bool(object, key, &jailbroken, where, error))
        return error->status;
    attempt->judged[judge] = value && !cJSON_IsNull(value);
    attempt->verdicts[judge] = jailbroken ? OUTCOME_COMPLIED : OUTCOME_REFUSED;
    return STATUS_OK;
}

static enum status row_numbers_read(struct attempt *attempt, const cJSON *object,
                                    int64_t restarts, const char *where,
                                    struct error *error)
{
    int64_t restart;
    if (json_required_integer(object, "i_request", &attempt->index, where, error) ||
        json_required_integer(object, "i_restart", &restart, where, error))
        return error->status;
    if (restart < 0 || restart >= restarts)
        return error_set(error, STATUS_FORMAT,
                         "%s: \"i_restart\" is %lld; it counts from 0 to n_restarts - 1 = "
                         "%lld",
                         where, (long long)restart, (long long)(restarts - 1));
    attempt->attempt = restart + 1;
    return STATUS_OK;
}

static enum status row_read(struct attempt *attempt, const cJSON *object, int64_t restarts,
                            const char *where, struct error *error)
{
    const char *request;
    const char *prompt;
    const char *response = "";
    if (row_numbers_read(attempt, object, restarts, where, error) ||
        json_required_string(object, "request", &request, where, error) ||
        json_required_string(object, "request_reformulated", &prompt, where, error) ||
        json_optional_string(object, "response", &response, where, error))
        return error->status;
    for (int judge = 0; judge < STORED_JUDGE_COUNT; judge++)
        if (verdict_read(attempt, judge, object, where, error))
            return error->status;
    attempt->behavior = memory_duplicate_string(request);
    attempt->category = memory_duplicate_string("");
    attempt->request = memory_duplicate_string(request);
    attempt->prompt = memory_duplicate_string(prompt);
    attempt->response = memory_duplicate_string(response);
    attempt->outcome =
        reply_is_empty(response) ? OUTCOME_EMPTY : judge_rules.judge(request, response);
    return STATUS_OK;
}

static enum status row_add(struct artifact *artifact, const cJSON *object,
                           const char *attack, const char *where, struct error *error)
{
    struct attempt attempt = {.set = memory_duplicate_string("harmful"),
                              .attack = memory_duplicate_string(attack)};
    enum status status = STATUS_OK;
    if (!cJSON_IsObject(object))
        status = error_set(error, STATUS_FORMAT, "%s: is no object", where);
    else
        status = row_read(&attempt, object, artifact->attempts, where, error);
    if (status || !attempt_list_add(&artifact->list, &attempt)) {
        if (!status)
            status =
                error_set(error, STATUS_FORMAT,
                          "%s: i_request %lld with i_restart %lld is there twice", where,
                          (long long)attempt.index, (long long)(attempt.attempt - 1));
        attempt_release(&attempt);
    }
    return status;
}

static enum status rows_read(struct artifact *artifact, const cJSON *rows,
                             const char *attack, const char *where, struct error *error)
{
    int64_t number = 0;
    enum status status = STATUS_OK;
    const cJSON *row;
    for (int judge = 0; judge < STORED_JUDGE_COUNT; judge++)
        attempt_list_judge(&artifact->list, stored_judges[judge]);
    cJSON_ArrayForEach(row, rows)
    {
        struct text_buffer place = {0};
        text_buffer_appendf(&place, "%s: jb_artifacts[%lld]", where, (long long)number++);
        status = row_add(artifact, row, attack, text_buffer_string(&place), error);
        text_buffer_release(&place);
        if (status)
            break;
    }
    return status;
}

static enum status paper_read(struct artifact *artifact, const cJSON *file,
                              const char *where, struct error *error)
{
    const char *model = "";
    const char *attack = "past";
    const cJSON *rows = json_get(file, "jb_artifacts");
    if (!cJSON_IsArray(rows) || !rows->child)
        return error_set(error, STATUS_FORMAT,
                         "%s: no \"jb_artifacts\" (the paper's files), no \"jailbreaks\" "
                         "(JailbreakBench's) and no attempts.jsonl: the lists are missing "
                         "or empty; of another layout say what stands where with "
                         "--columns",
                         where);
    if (json_optional_string(file, "target_model", &model, where, error) ||
        json_optional_string(file, "attack", &attack, where, error) ||
        json_required_integer(file, "n_restarts", &artifact->attempts, where, error))
        return error->status;
    if (artifact->attempts < 1 || artifact->attempts > RESTART_LIMIT)
        return error_set(error, STATUS_FORMAT, "%s: \"n_restarts\" must be 1 to %d", where,
                         (int)RESTART_LIMIT);
    artifact->model = memory_duplicate_string(model);
    artifact->earlier_missed = true;
    artifact->is_published = true;
    return rows_read(artifact, rows, attack, where, error);
}

static enum status own_read(struct artifact *artifact, const char *bytes, size_t count,
                            const char *where, struct error *error)
{
    if (attempts_parse(&artifact->list, bytes, count, where, error))
        return error->status;
    artifact->model = memory_duplicate_string("");
    for (size_t i = 0; i < artifact->list.count; i++)
        if (artifact->list.items[i].attempt > artifact->attempts)
            artifact->attempts = artifact->list.items[i].attempt;
    if (artifact->list.count == 0)
        return error_set(error, STATUS_FORMAT, "%s: holds no attempts", where);
    if (artifact->attempts > RESTART_LIMIT)
        return error_set(error, STATUS_FORMAT, "%s: more than %d attempts a behaviour",
                         where, (int)RESTART_LIMIT);
    return STATUS_OK;
}

/* attempts.jsonl is an attempt a line; the other files are one object, mostly over lines.
 */
static enum status is_own_read(bool *is_own, const char *bytes, size_t count,
                               const char *where, struct error *error)
{
    struct line_reader lines = {.data = bytes, .bytes = count};
    struct json_scan scan;
    cJSON *value = NULL;
    *is_own = false;
    if (!line_next(&lines))
        return STATUS_OK;
    json_scan_init(&scan, lines.line, lines.line_bytes);
    if (!json_scan_text(&scan))
        return STATUS_OK;
    enum status status = json_parse(&value, lines.line, lines.line_bytes, where, error);
    *is_own = json_get(value, "attempt") != NULL;
    if (!status && !*is_own && cJSON_IsObject(value) && line_next(&lines))
        status =
            error_set(error, STATUS_FORMAT,
                      "%s: JSONL, but no attempts.jsonl of ours: say what stands where "
                      "with --columns",
                      where);
    cJSON_Delete(value);
    return status;
}

static enum status other_read(struct artifact *artifact, const char *bytes, size_t count,
                              const char *where, struct error *error)
{
    cJSON *value = NULL;
    enum status status = json_parse(&value, bytes, count, where, error);
    if (!status)
        status = json_get(value, "jailbreaks")
                     ? jailbreakbench_read(artifact, value, where, error)
                     : paper_read(artifact, value, where, error);
    cJSON_Delete(value);
    return status;
}

enum status artifact_parse(struct artifact *artifact, const char *bytes, size_t count,
                           const char *where, struct error *error)
{
    bool is_own;
    *artifact = (struct artifact){0};
    enum status status = is_own_read(&is_own, bytes, count, where, error);
    if (!status)
        status = is_own ? own_read(artifact, bytes, count, where, error)
                        : other_read(artifact, bytes, count, where, error);
    artifact->is_own = is_own;
    artifact->stored_judge_count = artifact->list.judge_count;
    if (status)
        artifact_release(artifact);
    return status;
}

enum status artifact_read(struct artifact *artifact, const char *path, struct error *error)
{
    struct source_file file;
    *artifact = (struct artifact){0};
    if (source_file_open(&file, path, error))
        return error->status;
    enum status status = artifact_parse(artifact, file.bytes, file.count, path, error);
    source_file_close(&file);
    if (!status && artifact->is_own)
        status = artifact_run_read(&artifact->run, path, error);
    if (status)
        artifact_release(artifact);
    return status;
}

bool artifact_scores_empty(const struct artifact *artifact, const struct attempt *attempt)
{
    return attempt->outcome == OUTCOME_EMPTY &&
           (artifact->earlier_missed || attempt_is_given_up(attempt));
}

enum status artifact_replay(struct artifact *artifact, const char *name,
                            struct error *error)
{
    const struct judge *judge;
    struct text_buffer replayed = {0};
    if (judge_find(&judge, name, error))
        return error->status;
    text_buffer_appendf(&replayed, "%s_replayed", name);
    const int number = attempt_list_judge(&artifact->list, text_buffer_string(&replayed));
    text_buffer_release(&replayed);
    if (number < 0)
        return error_set(error, STATUS_LIMIT, "more than %d judges", (int)JUDGE_LIMIT);
    for (size_t i = 0; i < artifact->list.count; i++) {
        struct attempt *attempt = &artifact->list.items[i];
        attempt->judged[number] =
            artifact_scores_empty(artifact, attempt) ||
            (attempt->outcome != OUTCOME_EMPTY && attempt->response[0]);
        attempt->verdicts[number] = attempt_is_given_up(attempt)
                                        ? OUTCOME_REFUSED
                                        : judge->judge(attempt->request, attempt->response);
    }
    return STATUS_OK;
}

static const struct request *request_find(const struct request_list *list, int64_t index)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].index == index)
            return &list->items[i];
    return NULL;
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = memory_duplicate_string(with);
}

enum status artifact_join(struct artifact *artifact, const struct request_list *behaviors,
                          struct error *error)
{
    for (size_t i = 0; i < artifact->list.count; i++) {
        struct attempt *attempt = &artifact->list.items[i];
        if (strcmp(attempt->set, "harmful") != 0)
            continue;
        const struct request *request = request_find(behaviors, attempt->index);
        if (!request)
            return error_set(error, STATUS_FORMAT,
                             "%s: has no behaviour %lld, which the artifact has",
                             behaviors->path, (long long)attempt->index);
        if (strcmp(request->text, attempt->request) != 0)
            return error_set(error, STATUS_FORMAT,
                             "%s: behaviour %lld is '%.80s', in the artifact '%.80s': not "
                             "the list that was used",
                             behaviors->path, (long long)attempt->index, request->text,
                             attempt->request);
        replace(&attempt->behavior, request->behavior);
        replace(&attempt->category, request->category);
    }
    return STATUS_OK;
}
