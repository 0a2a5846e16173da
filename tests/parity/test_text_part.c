#include "base/file.h"
#include "base/memory.h"
#include "model/parameter_names.h"
#include "model/transformer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The text part of a model of images too (tests/golden/model/gemma3-variants, as
 * transformers saved Gemma3ForConditionalGeneration; test_model_golden.c holds what it
 * computes): written alone, and with adapters of both.
 */
static const char whole_directory[] = "tests/golden/model/gemma3-variants";
static struct backend *backend;
static char *folder;

static void check(enum status status, const struct error *error)
{
    if (status)
        fail_msg("%s", error->message);
}

static int begin(void **state)
{
    struct error error = {0};
    char template[] = "/tmp/test_text_part.XXXXXX";
    (void)state;
    if (!mkdtemp(template))
        return -1;
    folder = memory_duplicate_string(template);
    return (int)backend_open(&backend, &(struct backend_options){.thread_count = 2},
                             &error);
}

static int end(void **state)
{
    (void)state;
    file_remove_tree(folder, NULL);
    free(folder);
    backend_close(backend);
    return 0;
}

static struct transformer *open_directory(const char *directory)
{
    struct transformer *model = NULL;
    struct error error = {0};
    check(transformer_open_directory(&model, backend, directory, MASTERS_DROPPED, &error),
          &error);
    return model;
}

/* A folder in the test's own, which is there. */
static char *subfolder(const char *name)
{
    struct error error = {0};
    char *path = path_join(folder, name);
    check(file_make_directories(path, &error), &error);
    return path;
}

/* [T, V] of a few tokens; heap. */
static float *logits_of(struct transformer *model)
{
    enum { COUNT = 40 };
    int32_t tokens[COUNT], positions[COUNT], starts[] = {0, COUNT};
    const struct packed_batch batch = {.token_count = COUNT,
                                       .document_count = 1,
                                       .tokens = tokens,
                                       .positions = positions,
                                       .document_starts = starts};
    const int64_t vocabulary = transformer_architecture(model)->vocabulary;
    float *logits = memory_allocate_array((size_t)(COUNT * vocabulary), sizeof *logits);
    struct error error = {0};
    for (int32_t i = 0; i < COUNT; i++) {
        tokens[i] = (7 * i + 3) % (int32_t)vocabulary;
        positions[i] = i;
    }
    check(transformer_logits(model, &batch, logits, &error), &error);
    return logits;
}

static void check_same_logits(struct transformer *a, struct transformer *b)
{
    const int64_t vocabulary = transformer_architecture(a)->vocabulary;
    float *of_a = logits_of(a), *of_b = logits_of(b);
    assert_memory_equal(of_a, of_b, 40 * (size_t)vocabulary * sizeof *of_a);
    free(of_a);
    free(of_b);
}

static void write_text_part(struct transformer *model, const char *directory)
{
    struct error error = {0};
    check(architecture_copy_config(whole_directory, directory, DTYPE_F32, &error), &error);
    check(transformer_write_weights(model, directory, DTYPE_F32, &error), &error);
}

static void is_written_alone(void **state)
{
    (void)state;
    struct transformer *model = open_directory(whole_directory);
    char *alone = subfolder("alone");
    assert_true(transformer_architecture(model)->text_part);
    write_text_part(model, alone);
    struct transformer *read = open_directory(alone);
    assert_false(transformer_architecture(read)->text_part);
    assert_string_equal(transformer_architecture(read)->model_type, "gemma3_text");
    check_same_logits(model, read);
    transformer_free(read);
    transformer_free(model);
    free(alone);
}

/* Adapters that change something: new ones' B is zero. */
static struct transformer *open_adapted(const char *directory)
{
    struct lora_options options = {.rank = 3, .alpha = 7, .seed = 4};
    struct error error = {0};
    struct transformer *model = open_directory(directory);
    check(lora_targets_parse(&options, "q_proj,down_proj", &error), &error);
    check(transformer_lora_begin(model, &options, MASTERS_DROPPED, &error), &error);
    struct parameter_block *block = transformer_trained_block(model);
    float *values = memory_allocate_array((size_t)block->count, sizeof *values);
    for (int64_t i = 0; i < block->count; i++)
        values[i] = (float)((i * 37 % 101) - 50) / 400.0f;
    parameter_block_put(block, 0, values, block->count);
    free(values);
    return model;
}

static struct transformer *open_with_adapter(const char *model_directory,
                                             const char *adapter)
{
    struct error error = {0};
    struct transformer *model = open_directory(model_directory);
    check(transformer_open_adapter(model, adapter, MASTERS_DROPPED, &error), &error);
    return model;
}

static bool file_holds(const char *directory, const char *name, const char *text)
{
    struct text_buffer bytes = {0};
    struct error error = {0};
    char *path = path_join(directory, name);
    check(file_read(&bytes, path, 0, &error), &error);
    const bool found = memmem(bytes.data, bytes.length, text, strlen(text)) != NULL;
    text_buffer_release(&bytes);
    free(path);
    return found;
}

/* By the names that the whole's modules have, and only on the text part's. */
static void adapters_are_of_the_whole(void **state)
{
    (void)state;
    struct transformer *model = open_adapted(whole_directory);
    struct error error = {0};
    char *adapter = subfolder("adapter");
    check(transformer_write_adapter(model, whole_directory, adapter, DTYPE_F32, &error),
          &error);
    assert_true(file_holds(adapter, "adapter_model.safetensors",
                           "\"base_model.model.model.language_model.layers.1.self_attn."
                           "q_proj.lora_A.weight\""));
    assert_true(file_holds(adapter, "adapter_config.json", "\"exclude_modules\""));
    struct transformer *read = open_with_adapter(whole_directory, adapter);
    check_same_logits(model, read);
    transformer_free(read);
    transformer_free(model);
    free(adapter);
}

/* One that was trained on the text model alone serves too. */
static void adapters_of_the_text_model_serve(void **state)
{
    (void)state;
    struct transformer *model = open_directory(whole_directory);
    struct error error = {0};
    char *alone = subfolder("base"), *adapter = subfolder("of-text");
    write_text_part(model, alone);
    transformer_free(model);
    model = open_adapted(alone);
    check(transformer_write_adapter(model, alone, adapter, DTYPE_F32, &error), &error);
    assert_true(file_holds(adapter, "adapter_model.safetensors",
                           "\"base_model.model.model.layers.1.self_attn.q_proj.lora_A."
                           "weight\""));
    assert_false(file_holds(adapter, "adapter_config.json", "\"exclude_modules\""));
    struct transformer *read = open_with_adapter(whole_directory, adapter);
    check_same_logits(model, read);
    transformer_free(read);
    transformer_free(model);
    free(alone);
    free(adapter);
}

static void names_go_both_ways(void **state)
{
    static const char *const names[][3] = {
        {"model.norm.weight", "language_model.model.norm.weight",
         "model.language_model.norm.weight"},
        {"model.layers.0.mlp.up_proj.weight",
         "language_model.model.layers.0.mlp.up_proj.weight",
         "model.language_model.layers.0.mlp.up_proj.weight"},
        {"lm_head.weight", "language_model.lm_head.weight", "lm_head.weight"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int spelling = 0; spelling < WHOLE_SPELLINGS; spelling++) {
            const char *wanted = names[i][1 + spelling];
            char *whole = name_in_whole(names[i][0], (enum whole_spelling)spelling);
            char *text = name_in_text(whole);
            assert_string_equal(whole, wanted);
            if (strcmp(wanted, names[i][0]) == 0)
                assert_null(text);
            else
                assert_string_equal(text, names[i][0]);
            free(whole);
            free(text);
        }
    assert_true(name_of_images("vision_tower.post_layernorm.bias"));
    assert_true(name_of_images("model.multi_modal_projector.mm_soft_emb_norm.weight"));
    assert_false(name_of_images("model.layers.0.vision_tower.weight"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_alone),
        cmocka_unit_test(adapters_are_of_the_whole),
        cmocka_unit_test(adapters_of_the_text_model_serve),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
