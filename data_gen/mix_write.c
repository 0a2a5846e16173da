#include "data_gen/mix_write.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void messages_write(struct json_writer *json, const struct mix_example *example)
{
    json_array_begin(json, "messages");
    for (size_t i = 0; i < example->message_count; i++) {
        json_object_begin(json, NULL);
        json_string(json, "role", example->messages[i].role);
        json_string(json, "content", example->messages[i].content);
        json_object_end(json);
    }
    json_array_end(json);
}

static void example_write(struct text_buffer *text, const struct mix_example *example,
                          bool messages_only)
{
    struct json_writer json = {.out = text};
    json_object_begin(&json, NULL);
    if (!messages_only)
        json_string(&json, "id", example->id);
    messages_write(&json, example);
    if (!messages_only) {
        json_string(&json, "kind", example->kind);
        json_string(&json, "tense", example->tense);
        json_string(&json, "behavior", example->behavior);
        json_string(&json, "category", example->category);
        json_string(&json, "source", example->source);
        json_string(&json, "split", example->split);
        json_string(&json, "request", example->request);
    }
    json_object_end(&json);
    text_buffer_append_char(text, '\n');
}

static enum status mix_write(struct mix_build *build, const char *path, bool messages_only,
                             struct error *error)
{
    struct text_buffer text = {0};
    for (size_t i = 0; i < build->mix.count; i++)
        example_write(&text, &build->mix.examples[i], messages_only);
    bytes_sha256(build->mix.sha256, text_buffer_string(&text), text.length);
    enum status status =
        file_write_all(path, text_buffer_string(&text), text.length, error);
    text_buffer_release(&text);
    return status;
}

static int64_t count_of(const struct mix *mix, const char *split, const char *kind,
                        const char *tense)
{
    int64_t count = 0;
    for (size_t i = 0; i < mix->count; i++) {
        const struct mix_example *example = &mix->examples[i];
        count += strcmp(example->split, split) == 0 && strcmp(example->kind, kind) == 0 &&
                 strcmp(example->tense, tense) == 0;
    }
    return count;
}

/* {"train":{"refusal":{"past":150},"benign":{"none":…},…},…} */
static void counts_write(struct json_writer *json, const struct mix *mix)
{
    static const char *const kinds[] = {"refusal", "benign", "contrast"};
    json_object_begin(json, "counts");
    for (int split = 0; split < SPLIT_COUNT; split++) {
        json_object_begin(json, split_names[split]);
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            json_object_begin(json, kinds[kind]);
            for (int tense = 0; tense < TENSE_COUNT; tense++) {
                const char *name = tense_name((enum tense)tense);
                const int64_t count = count_of(mix, split_names[split], kinds[kind], name);
                if (count)
                    json_integer(json, name, count);
            }
            json_object_end(json);
        }
        json_object_end(json);
    }
    json_object_end(json);
}

static void sources_write(struct json_writer *json, const struct mix_build *build)
{
    json_array_begin(json, "sources");
    for (size_t i = 0; i < build->source_count; i++) {
        const struct mix_source *source = &build->sources[i];
        json_object_begin(json, NULL);
        json_string(json, "role", source->role);
        json_string(json, "name", source->name);
        json_string(json, "file", path_base_name(source->path));
        json_string(json, "sha256", source->sha256);
        json_integer(json, "rows", source->rows);
        json_integer(json, "skipped", source->skipped);
        json_integer(json, "duplicates", source->duplicates);
        json_integer(json, "used", source->used);
        json_object_end(json);
    }
    json_array_end(json);
}

static void recipe_write(struct json_writer *json, const struct mix_recipe *recipe)
{
    json_integer(json, "seed", (int64_t)recipe->seed);
    json_integer(json, "split_seed", (int64_t)recipe->split_seed);
    json_integer(json, "count", recipe->count);
    json_number(json, "ratio", recipe->ratio);
    json_number(json, "contrast_ratio", recipe->contrast_ratio);
    json_number(json, "imperatives", recipe->imperatives);
    json_string(json, "refusals", recipe->refusals);
    json_array_begin(json, "tenses");
    for (size_t i = 0; i < recipe->tense_count; i++)
        json_string(json, NULL, tense_name(recipe->tenses[i]));
    json_array_end(json);
    json_object_begin(json, "splits");
    for (int split = 0; split < SPLIT_COUNT; split++)
        json_number(json, split_names[split], recipe->split_shares[split]);
    json_object_end(json);
}

static enum status manifest_write(const struct mix_build *build,
                                  const struct mix_recipe *recipe, const char *path,
                                  struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_string(&json, "mix_sha256", build->mix.sha256);
    recipe_write(&json, recipe);
    counts_write(&json, &build->mix);
    sources_write(&json, build);
    json_object_end(&json);
    text_buffer_append_char(&text, '\n');
    enum status status = file_write_all(path, text.data, text.length, error);
    text_buffer_release(&text);
    return status;
}

static void csv_cell(struct text_buffer *text, const char *cell)
{
    text_buffer_append_char(text, '"');
    for (; *cell; cell++) {
        if (*cell == '"')
            text_buffer_append_char(text, '"');
        text_buffer_append_char(text, *cell);
    }
    text_buffer_append_char(text, '"');
}

static enum status held_out_write(const struct mix_build *build, const char *path,
                                  struct error *error)
{
    struct text_buffer text = {0};
    text_buffer_append(&text, "index,goal,behavior,category\n");
    for (size_t i = 0; i < build->held_out_count; i++) {
        const struct held_out *request = &build->held_out[i];
        text_buffer_appendf(&text, "%" PRId64 ",", request->index);
        csv_cell(&text, request->text);
        text_buffer_append_char(&text, ',');
        csv_cell(&text, request->behavior);
        text_buffer_append_char(&text, ',');
        csv_cell(&text, request->category);
        text_buffer_append_char(&text, '\n');
    }
    enum status status = file_write_all(path, text.data, text.length, error);
    text_buffer_release(&text);
    return status;
}

char *mix_path_beside(const char *mix, const char *ending)
{
    struct text_buffer path = {0};
    const size_t length = strlen(mix) - (text_ends_with(mix, ".jsonl") ? 6 : 0);
    text_buffer_append_bytes(&path, mix, length);
    text_buffer_append(&path, ending);
    return text_buffer_detach(&path);
}

enum status mix_build_write(struct mix_build *build, const struct mix_recipe *recipe,
                            const struct data_options *options, struct error *error)
{
    char *manifest = mix_path_beside(options->out, ".manifest.json");
    char *held_out = mix_path_beside(options->out, ".test.csv");
    const bool messages_only = strcmp(options->format, "openai") == 0;
    enum status status = mix_write(build, options->out, messages_only, error);
    if (!status)
        status = manifest_write(build, recipe, manifest, error);
    if (!status && build->held_out_count)
        status = held_out_write(build, held_out, error);
    free(manifest);
    free(held_out);
    return status;
}
