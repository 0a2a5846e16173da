#include "eval/artifact.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_attempt(const struct artifact *artifact, const struct attempt *attempt)
{
    CHECK(attempt->attempt >= 1 && attempt->attempt <= artifact->attempts);
    CHECK(attempt->behavior && attempt->category && attempt->set && attempt->attack);
    CHECK(attempt->request && attempt->prompt && attempt->response);
    CHECK(attempt_list_find(&artifact->list, attempt->set, attempt->index, attempt->attack,
                            attempt->attempt) == attempt);
}

/* What was read and printed must be read back: the same attempts. */
static void check_round_trip(const struct artifact *artifact)
{
    struct text_buffer lines = {0};
    struct attempt_list again = {0};
    struct error error = {0};
    for (size_t i = 0; i < artifact->list.count; i++) {
        attempt_print(&artifact->list.items[i], &artifact->list, &lines);
        text_buffer_append_char(&lines, '\n');
    }
    CHECK(attempts_parse(&again, lines.data, lines.length, "again", &error) == STATUS_OK);
    CHECK(again.count + (size_t)again.duplicate_count == artifact->list.count);
    attempt_list_release(&again);
    text_buffer_release(&lines);
}

/* The same bytes as the manifest beside a run's attempts. */
static void check_manifest(const char *bytes, size_t size)
{
    struct artifact_run run;
    struct error error = {0};
    const enum status status = artifact_run_parse(&run, bytes, size, "input", &error);
    CHECK(status == error.status);
    CHECK(run.is_known == (status == STATUS_OK) && run.is_known == (run.judges.count > 0));
    artifact_run_release(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct artifact artifact;
    struct error error = {0};
    check_manifest((const char *)data, size);
    const enum status status =
        artifact_parse(&artifact, (const char *)data, size, "input", &error);
    CHECK(status == error.status);
    CHECK((status == STATUS_OK) == (error.message[0] == '\0'));
    if (status)
        return 0;
    CHECK(artifact.list.count > 0);
    for (size_t i = 0; i < artifact.list.count; i++)
        check_attempt(&artifact, &artifact.list.items[i]);
    check_round_trip(&artifact);
    if (artifact.list.judge_count < JUDGE_LIMIT)
        CHECK(artifact_replay(&artifact, "rules", &error) == STATUS_OK);
    artifact_release(&artifact);
    return 0;
}
