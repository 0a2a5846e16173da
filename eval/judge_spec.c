#include "eval/judge_spec.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"rating", "safety", "refusal3", "prompt"};
static const char file_kind[] = "prompt";

/* What a text says, in pieces of it. */
struct spec_pieces {
    const char *name; /* NULL: none */
    size_t name_bytes;
    const char *kind;
    const char *file; /* NULL: none */
    size_t file_bytes;
    const char *target;
};

void judge_spec_release(struct judge_spec *spec)
{
    free(spec->name);
    free(spec->kind);
    free(spec->target);
    judge_prompt_release(&spec->prompt);
    *spec = (struct judge_spec){0};
}

/* "FILE:TARGET". */
static void file_split(struct spec_pieces *pieces, const char *text)
{
    const char *first = strchr(text, ':');
    pieces->file = text;
    for (const char *colon = first; colon; colon = strchr(colon + 1, ':')) {
        char *path = memory_duplicate_bytes(text, (size_t)(colon - text));
        const bool is_there = file_exists(path) && !file_is_directory(path);
        free(path);
        if (is_there || !pieces->target) {
            pieces->file_bytes = (size_t)(colon - text);
            pieces->target = colon + 1;
        }
        if (is_there)
            return;
    }
}

/* True if the text begins with a kind: "rating:…", "prompt=…". */
static bool kind_split(struct spec_pieces *pieces, const char *text)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t bytes = strlen(kinds[i]);
        if (!text_starts_with(text, kinds[i]))
            continue;
        pieces->kind = kinds[i];
        if (text[bytes] == ':') {
            pieces->target = text + bytes + 1;
            return true;
        }
        if (text[bytes] == '=' && strcmp(kinds[i], file_kind) == 0) {
            file_split(pieces, text + bytes + 1);
            return true;
        }
    }
    pieces->kind = NULL;
    return false;
}

static bool pieces_find(struct spec_pieces *pieces, const char *text)
{
    *pieces = (struct spec_pieces){0};
    if (kind_split(pieces, text))
        return true;
    const char *equals = strchr(text, '=');
    if (!equals)
        return false;
    pieces->name = text;
    pieces->name_bytes = (size_t)(equals - text);
    return kind_split(pieces, equals + 1);
}

static enum status prompt_take(struct judge_spec *spec, const struct spec_pieces *pieces,
                               const char *prompt_path, struct error *error)
{
    const char *builtin = judge_prompt_builtin(pieces->kind);
    if (builtin)
        return judge_prompt_parse(&spec->prompt, builtin, strlen(builtin), pieces->kind,
                                  error);
    if (!pieces->file && !prompt_path)
        return error_set(error, STATUS_USAGE,
                         "'prompt:TARGET' needs --judge-prompt FILE; or write "
                         "prompt=FILE:TARGET");
    spec->prompt_is_option = !pieces->file;
    char *path = pieces->file ? memory_duplicate_bytes(pieces->file, pieces->file_bytes)
                              : memory_duplicate_string(prompt_path);
    const enum status status = judge_prompt_read(&spec->prompt, path, error);
    if (!status && !spec->name && !spec->prompt.name) {
        const char *base = path_base_name(path);
        spec->name = memory_duplicate_bytes(base, strcspn(base, "."));
    }
    free(path);
    return status;
}

static enum status name_settle(struct judge_spec *spec, struct error *error)
{
    if (!spec->name)
        spec->name =
            memory_duplicate_string(spec->prompt.name ? spec->prompt.name : spec->kind);
    const struct judge *rule;
    if (!judge_name_is_good(spec->name))
        return error_set(error, STATUS_USAGE,
                         "'%.60s' is no name for a judge: 1 to %d letters, digits, - and "
                         "_; give one with NAME=%s:TARGET",
                         spec->name, (int)JUDGE_NAME_LIMIT, spec->kind);
    if (judge_find(&rule, spec->name, NULL) == STATUS_OK)
        return error_set(error, STATUS_USAGE,
                         "'%s' is the name of a rule; give the judge another with "
                         "NAME=%s:TARGET",
                         spec->name, spec->kind);
    return STATUS_OK;
}

static enum status model_take(struct judge_spec *spec, const struct spec_pieces *pieces,
                              const char *prompt_path, struct error *error)
{
    if (!pieces->target || !*pieces->target)
        return error_set(error, STATUS_USAGE,
                         "names no model: a directory, openai:URL#NAME or "
                         "anthropic:URL#NAME after a ':'");
    if (text_starts_with(pieces->target, "replay:"))
        return error_set(error, STATUS_USAGE,
                         "stored replies of a run are no judge; `holdfast score` shows "
                         "the verdicts that are stored");
    spec->kind = memory_duplicate_string(pieces->kind);
    spec->target = memory_duplicate_string(pieces->target);
    if (pieces->name)
        spec->name = memory_duplicate_bytes(pieces->name, pieces->name_bytes);
    if (prompt_take(spec, pieces, prompt_path, error))
        return error->status;
    return name_settle(spec, error);
}

/* A rule; whoever forgot the target of a model is told so. */
static enum status rule_take(struct judge_spec *spec, const char *text, struct error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(text, kinds[i]) == 0)
            return error_set(error, STATUS_USAGE,
                             "judge '%s' is a chat model: write %s:TARGET, where TARGET is "
                             "a directory, openai:URL#NAME or anthropic:URL#NAME",
                             text, text);
    if (judge_find(&spec->rule, text, error))
        return error_set(error, STATUS_USAGE,
                         "%.300s, and rating:TARGET, safety:TARGET, refusal3:TARGET, "
                         "prompt=FILE:TARGET",
                         error->message);
    spec->name = memory_duplicate_string(text);
    return STATUS_OK;
}

enum status judge_spec_parse(struct judge_spec *spec, const char *text,
                             const char *prompt_path, struct error *error)
{
    struct spec_pieces pieces;
    *spec = (struct judge_spec){0};
    const enum status status = pieces_find(&pieces, text)
                                   ? model_take(spec, &pieces, prompt_path, error)
                                   : rule_take(spec, text, error);
    if (status && pieces.kind)
        error_prefix(error, "judge '%.200s'", text);
    if (status)
        judge_spec_release(spec);
    return status;
}
