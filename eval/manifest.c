#include "eval/manifest.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/version.h"

#include <stdlib.h>
#include <string.h>

static void names_print(struct json_writer *json, const char *key,
                        const struct string_list *names)
{
    json_array_begin(json, key);
    for (size_t i = 0; i < names->count; i++)
        json_string(json, NULL, names->items[i]);
    json_array_end(json);
}

/* The first alone as runs of old have it. */
static void filters_print(struct json_writer *json, const struct source_spec *spec)
{
    const struct source_filter *filters = spec->filters;
    json_string(json, "filter_field", spec->filter_count ? filters[0].field : NULL);
    json_string(json, "filter_value", spec->filter_count ? filters[0].value : NULL);
    if (spec->filter_count < 2)
        return;
    json_array_begin(json, "filters_more");
    for (size_t i = 1; i < spec->filter_count; i++) {
        json_string(json, NULL, filters[i].field);
        json_string(json, NULL, filters[i].value);
    }
    json_array_end(json);
}

/* What of a list decides: its bytes and how it was read, not where it lies. */
static void list_identity_print(struct json_writer *json, const struct request_set *set)
{
    struct source_spec spec;
    json_object_begin(json, NULL);
    json_string(json, "set", set->set);
    json_string(json, "sha256", set->list.sha256);
    if (source_spec_parse(&spec, set->spec, NULL) == STATUS_OK) {
        json_string(json, "column", spec.column);
        filters_print(json, &spec);
        source_spec_release(&spec);
    }
    json_integer(json, "count", (int64_t)set->count);
    json_object_end(json);
}

static void identity_print(struct json_writer *json, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words)
{
    json_object_begin(json, "identity");
    json_string(json, "model_sha256", chat_fingerprint(chat));
    json_string(json, "device", options->device);
    json_string(json, "precision", chat_precision(chat));
    json_integer(json, "seed", options->seed);
    names_print(json, "attacks", &options->attacks);
    json_integer(json, "attempts", options->attempts);
    json_string(json, "mode", options->fixed_attempts ? "fixed" : "first-hit");
    json_number(json, "temperature", options->temperature);
    json_number(json, "top_p", options->top_p);
    json_integer(json, "max_tokens", options->max_tokens);
    json_number(json, "benign_temperature", options->benign_temperature);
    json_string(json, "system", options->system);
    json_integer(json, "limit", options->limit);
    bench_identity_print(bench, json);
    attack_words_identity_print(words, json);
    json_array_begin(json, "lists");
    for (size_t i = 0; i < sets->count; i++)
        list_identity_print(json, &sets->items[i]);
    json_array_end(json);
    json_object_end(json);
}

static void lists_print(struct json_writer *json, const struct request_sets *sets)
{
    json_array_begin(json, "lists");
    for (size_t i = 0; i < sets->count; i++) {
        const struct request_set *set = &sets->items[i];
        json_object_begin(json, NULL);
        json_string(json, "set", set->set);
        json_string(json, "spec", set->spec);
        json_string(json, "path", set->list.path);
        json_string(json, "sha256", set->list.sha256);
        json_integer(json, "count", (int64_t)set->count);
        json_object_end(json);
    }
    json_array_end(json);
}

static void manifest_print(struct text_buffer *out, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words)
{
    char hex[SHA256_HEX_BYTES];
    struct text_buffer identity = {0};
    struct text_buffer config = {0};
    struct json_writer compact = {.out = &identity};
    json_object_begin(&compact, NULL);
    identity_print(&compact, options, sets, chat, bench, words);
    json_object_end(&compact);
    bytes_sha256(hex, text_buffer_string(&identity), identity.length);
    options_print_yaml(&eval_command_line, options, &config);

    struct json_writer json = {.out = out, .indent_spaces = 1};
    json_object_begin(&json, NULL);
    json_string(&json, "holdfast", HOLDFAST_VERSION);
    identity_print(&json, options, sets, chat, bench, words);
    json_string(&json, "identity_sha256", hex);
    json_string(&json, "model", chat_name(chat));
    lists_print(&json, sets);
    json_integer(&json, "threads", options->threads);
    json_integer(&json, "batch", options->batch);
    json_string(&json, "config", text_buffer_string(&config));
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
    text_buffer_release(&identity);
    text_buffer_release(&config);
}

enum status manifest_write(const char *path, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words,
                           struct error *error)
{
    struct text_buffer text = {0};
    manifest_print(&text, options, sets, chat, bench, words);
    enum status status =
        file_write_all(path, text_buffer_string(&text), text.length, error);
    text_buffer_release(&text);
    return status;
}

static enum status identities_compare(const cJSON *stored, const cJSON *wanted,
                                      const char *path, struct error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, wanted)
    {
        const cJSON *other = json_get(stored, item->string);
        if (other ? cJSON_Compare(item, other, true) : cJSON_IsNull(item))
            continue;
        char *now = cJSON_PrintUnformatted(item);
        char *then = other ? cJSON_PrintUnformatted(other) : NULL;
        error_set(error, STATUS_USAGE,
                  "%s: is another run: \"%s\" was %.200s and is now %.200s; give the "
                  "settings in config.yaml beside it, or another --out",
                  path, item->string, then ? then : "absent", now ? now : "?");
        free(now);
        free(then);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

enum status manifest_check(const char *path, const struct eval_options *options,
                           const struct request_sets *sets, const struct chat *chat,
                           const struct bench *bench, const struct attack_words *words,
                           struct error *error)
{
    struct text_buffer text = {0};
    cJSON *stored = NULL;
    cJSON *wanted = NULL;
    manifest_print(&text, options, sets, chat, bench, words);
    enum status status = json_parse_file(&stored, path, error);
    if (!status)
        status = json_parse(&wanted, text.data, text.length, "manifest", error);
    if (!status)
        status = identities_compare(json_get(stored, "identity"),
                                    json_get(wanted, "identity"), path, error);
    cJSON_Delete(stored);
    cJSON_Delete(wanted);
    text_buffer_release(&text);
    return status;
}
