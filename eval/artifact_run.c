#include "eval/artifact_run.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void artifact_run_release(struct artifact_run *run)
{
    string_list_release(&run->judges);
    free(run->refusal_judge);
    *run = (struct artifact_run){0};
}

/* A rule is its name, a chat model an object with one; NULL: neither. */
static const char *name_of(const cJSON *judge)
{
    const cJSON *name = cJSON_IsObject(judge) ? json_get(judge, "name") : judge;
    return cJSON_IsString(name) ? name->valuestring : NULL;
}

static bool knows_only_refusals(const cJSON *judge)
{
    const cJSON *kind = json_get(judge, "kind");
    return !cJSON_IsObject(judge) ||
           (cJSON_IsString(kind) && strcmp(kind->valuestring, "refusal3") == 0);
}

/* The first judge and the one that confirms its hits are one that decides. */
static void combined_add(struct artifact_run *run, const char *main_judge,
                         const char *confirm)
{
    struct text_buffer name = {0};
    text_buffer_appendf(&name, "%s+%s", main_judge, confirm);
    string_list_add(&run->judges, text_buffer_string(&name));
    text_buffer_release(&name);
}

static enum status identity_read(struct artifact_run *run, const cJSON *identity,
                                 const char *where, struct error *error)
{
    const char *mode = NULL;
    const cJSON *judges = json_get(identity, "judges");
    const char *first = cJSON_IsArray(judges) ? name_of(judges->child) : NULL;
    const char *confirm = name_of(json_get(identity, "confirm"));
    const cJSON *replayed = json_get(identity, "replay_sha256");
    const cJSON *judge;
    if (json_optional_string(identity, "mode", &mode, where, error))
        return error->status;
    if (!first || !mode)
        return error_set(error, STATUS_FORMAT,
                         "%s: names no judges and no mode: it is no manifest of a run; put "
                         "it elsewhere to score the attempts without it",
                         where);
    if (confirm)
        combined_add(run, first, confirm);
    cJSON_ArrayForEach(judge, judges)
    {
        if (name_of(judge))
            string_list_add(&run->judges, name_of(judge));
    }
    run->refusal_judge =
        memory_duplicate_string(name_of(json_get(identity, "refusal_judge")));
    run->answers_are_hits = knows_only_refusals(judges->child);
    run->fixed_attempts = strcmp(mode, "fixed") == 0;
    run->attempts_may_lack = replayed && !cJSON_IsNull(replayed);
    run->is_known = true;
    return STATUS_OK;
}

enum status artifact_run_parse(struct artifact_run *run, const char *bytes, size_t count,
                               const char *where, struct error *error)
{
    cJSON *manifest = NULL;
    *run = (struct artifact_run){0};
    enum status status = json_parse(&manifest, bytes, count, where, error);
    if (!status)
        status = identity_read(run, json_get(manifest, "identity"), where, error);
    cJSON_Delete(manifest);
    if (status)
        artifact_run_release(run);
    return status;
}

enum status artifact_run_read(struct artifact_run *run, const char *path,
                              struct error *error)
{
    struct file_map map;
    enum status status = STATUS_OK;
    char *folder = path_directory(path);
    char *manifest = path_join(folder, "manifest.json");
    *run = (struct artifact_run){0};
    if (file_exists(manifest)) {
        status = file_map(&map, manifest, error);
        if (!status) {
            status =
                artifact_run_parse(run, (const char *)map.data, map.bytes, manifest, error);
            file_unmap(&map);
        }
    }
    free(manifest);
    free(folder);
    return status;
}
