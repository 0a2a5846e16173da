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

/* The golden file with its embedding as the head, by that name. */
static void write_head(const char *directory, const char *name)
{
    static const char whole_embedding[] = "language_model.model.embed_tokens.weight";
    struct safetensors file = {0};
    struct error error = {0};
    char *path = path_join(directory, "model.safetensors");
    check(safetensors_open(&file, "tests/golden/model/mistral3/model.safetensors", &error),
          &error);
    struct safetensors_tensor *tensors =
        memory_allocate_array(file.entry_count, sizeof *tensors);
    for (size_t i = 0; i < file.entry_count; i++) {
        const struct safetensors_entry *entry = &file.entries[i];
        const bool head = strcmp(entry->name, "language_model.lm_head.weight") == 0;
        const struct safetensors_entry *data =
            head ? safetensors_find(&file, whole_embedding) : entry;
        tensors[i] = (struct safetensors_tensor){.name = head ? name : entry->name,
                                                 .data = data->data,
                                                 .dtype = entry->dtype,
                                                 .stored = entry->dtype,
                                                 .rank = entry->rank};
        memcpy(tensors[i].shape, entry->shape, sizeof entry->shape);
    }
    check(safetensors_write(path, tensors, file.entry_count, NULL, 0, &error), &error);
    free(tensors);
    safetensors_close(&file);
    free(path);
}

/* The golden config.json, but with tied embeddings. */
static void write_tied_config(const char *directory)
{
    static const char untied[] = "\"tie_word_embeddings\": false",
                      tied[] = "\"tie_word_embeddings\": true ";
    struct text_buffer text = {0};
    struct error error = {0};
    char *path = path_join(directory, "config.json");
    check(file_read(&text, "tests/golden/model/mistral3/config.json", 0, &error), &error);
    for (char *at; (at = memmem(text.data, text.length, untied, strlen(untied)));)
        memcpy(at, tied, strlen(tied));
    check(file_write_all(path, text.data, text.length, &error), &error);
    text_buffer_release(&text);
    free(path);
}

/* A tied file may carry the head by either name, if it is the embedding. */
static void tied_heads_may_be_there(void **state)
{
    static const char *const names[] = {"lm_head.weight", "language_model.lm_head.weight"};
    (void)state;
    char *directory = subfolder("tied");
    write_tied_config(directory);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        write_head(directory, names[i]);
        transformer_free(open_directory(directory));
    }
    free(directory);
}

static void tied_heads_must_be_the_embedding(void **state)
{
    (void)state;
    struct transformer *model = NULL;
    struct error error = {0};
    char *directory = subfolder("not-tied");
    char *path = path_join(directory, "model.safetensors");
    struct text_buffer file = {0};
    write_tied_config(directory);
    check(file_read(&file, "tests/golden/model/mistral3/model.safetensors", 0, &error),
          &error);
    check(file_write_all(path, file.data, file.length, &error), &error);
    assert_int_equal(
        transformer_open_directory(&model, backend, directory, MASTERS_DROPPED, &error),
        STATUS_FORMAT);
    assert_non_null(strstr(error.message, "'language_model.lm_head.weight' differs from "
                                          "'model.embed_tokens.weight'"));
    text_buffer_release(&file);
    free(path);
    free(directory);
}

/* PEFT adapts the part that sees too, where nobody excludes it. */
static void adapters_of_images_are_refused(void **state)
{
    static const char config[] = "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1, "
                                 "\"target_modules\": [\"q_proj\"], "
                                 "\"exclude_modules\": \".*multi_modal_projector.*\"}";
    static const char name[] = "base_model.model.model.vision_tower.encoder.layers.0."
                               "self_attn.q_proj.lora_A.weight";
    static const float values[3];
    const struct safetensors_tensor tensor = {.name = name,
                                              .data = values,
                                              .dtype = DTYPE_F32,
                                              .stored = DTYPE_F32,
                                              .rank = 2,
                                              .shape = {1, 3}};
    (void)state;
    struct error error = {0};
    struct transformer *model = open_directory(whole_directory);
    char *adapter = subfolder("of-images");
    char *config_path = path_join(adapter, "adapter_config.json");
    char *weights = path_join(adapter, "adapter_model.safetensors");
    check(file_write_all(config_path, config, strlen(config), &error), &error);
    check(safetensors_write(weights, &tensor, 1, NULL, 0, &error), &error);
    assert_int_equal(transformer_open_adapter(model, adapter, MASTERS_DROPPED, &error),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(error.message, name));
    transformer_free(model);
    free(weights);
    free(config_path);
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

static void a_tensor_by_two_names_is_refused(void **state)
{
    static const char name[] = "model.language_model.embed_tokens.weight";
    (void)state;
    struct transformer *model = NULL;
    struct error error = {0};
    char *directory = subfolder("twice");
    write_tied_config(directory);
    write_head(directory, name);
    assert_int_equal(
        transformer_open_directory(&model, backend, directory, MASTERS_DROPPED, &error),
        STATUS_FORMAT);
    assert_non_null(strstr(error.message, name));
    assert_non_null(strstr(error.message, "the same tensor"));
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_alone),
        cmocka_unit_test(adapters_are_of_the_whole),
        cmocka_unit_test(adapters_of_the_text_model_serve),
        cmocka_unit_test(tied_heads_may_be_there),
        cmocka_unit_test(tied_heads_must_be_the_embedding),
        cmocka_unit_test(a_tensor_by_two_names_is_refused),
        cmocka_unit_test(adapters_of_images_are_refused),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
