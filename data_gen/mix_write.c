#include "data_gen/mix_write.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdlib.h>

static enum status held_out_write(const struct mix_build *build, const char *path,
                                  struct error *error)
{
    struct text_buffer text = {0};
    text_buffer_append(&text, "index,goal,behavior,category\n");
    for (size_t i = 0; i < build->held_out_count; i++) {
        const struct held_out *request = &build->held_out[i];
        text_buffer_appendf(&text, "%" PRId64 ",", request->index);
        text_buffer_append_csv(&text, request->text);
        text_buffer_append_char(&text, ',');
        text_buffer_append_csv(&text, request->behavior);
        text_buffer_append_char(&text, ',');
        text_buffer_append_csv(&text, request->category);
        text_buffer_append_char(&text, '\n');
    }
    enum status status = file_write_all(path, text.data, text.length, error);
    text_buffer_release(&text);
    return status;
}

struct cut_writing {
    struct mix_build *build;
    const struct mix_cut *cut;
};

static const struct mix_example *row_at(const void *context, size_t i)
{
    const struct cut_writing *writing = context;
    return &writing->cut->rows[i]->example;
}

/* A source that could not be read to its end leaves what is at `path` as it was. */
static enum status sources_ready(void *context, struct error *error)
{
    struct cut_writing *writing = context;
    return mix_build_hash(writing->build, error);
}

static enum status manifest_write(const struct mix_build *build, const struct mix_cut *cut,
                                  const struct mix_recipe *recipe, const char *path,
                                  struct error *error)
{
    struct text_buffer text = {0};
    mix_manifest_print(build, cut, recipe, &text);
    enum status status = file_write_all(path, text.data, text.length, error);
    text_buffer_release(&text);
    return status;
}

enum status mix_cut_write(struct mix_build *build, size_t cut_index,
                          const struct mix_recipe *recipe, enum mix_format format,
                          const char *path, struct error *error)
{
    struct mix_cut *cut = &build->cuts[cut_index];
    char *manifest = mix_path_beside(path, ".manifest.json");
    char *held_out = mix_path_beside(path, ".test.csv");
    struct cut_writing writing = {.build = build, .cut = cut};
    const struct mix_examples examples = {
        .at = row_at, .ready = sources_ready, .context = &writing, .count = cut->count};
    enum status status = mix_export(path, format, &examples, cut->sha256, error);
    if (!status && build->held_out_count)
        status = held_out_write(build, held_out, error);
    /* Last: where the manifest is, all is. */
    if (!status)
        status = manifest_write(build, cut, recipe, manifest, error);
    free(manifest);
    free(held_out);
    return status;
}
