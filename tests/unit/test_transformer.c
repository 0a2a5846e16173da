#include "base/file.h"
#include "base/memory.h"
#include "checkpoints/safetensors.h"
#include "model/transformer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Weights in and out of directories, good and hostile. What the transformer computes is
 * held against transformers in tests/parity/test_model_golden.c.
 */
static struct backend *backend;
static char folder[64];

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_transformer.XXXXXX");
    return !mkdtemp(folder) ||
           backend_open(&backend, &(struct backend_options){.thread_count = 2}, NULL);
}

static int end(void **state)
{
    (void)state;
    backend_close(backend);
    return (int)file_remove_tree(folder, NULL);
}

static struct architecture small(bool tied)
{
    return (struct architecture){
        .model_type = "llama",
        .layer_count = 2,
        .channels = 12,
        .feed_forward = 20,
        .heads = 2,
        .key_value_heads = 1,
        .head_size = 6,
        .vocabulary = 30,
        .position_limit = 64,
        .norm_epsilon = 1e-5,
        .rope_theta = 10000.0,
        .initializer_range = 0.5,
        .tied_embeddings = tied,
        .bos_token = -1,
    };
}

static struct transformer *create(bool tied, uint64_t seed)
{
    struct transformer *model;
    struct error error;
    const struct architecture architecture = small(tied);
    if (transformer_create(&model, backend, &architecture, seed, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    return model;
}

static float *weights_of(const struct transformer *model)
{
    return transformer_weights(model).data;
}

static void creation_is_seeded(void **state)
{
    (void)state;
    size_t count;
    double sum = 0.0, squares = 0.0;
    int64_t drawn = 0;
    struct transformer *model = create(false, 5), *same = create(false, 5),
                       *other = create(false, 6);
    const struct tensor weights = transformer_weights(model);
    assert_memory_equal(weights.data, weights_of(same), tensor_bytes(&weights));
    assert_memory_not_equal(weights.data, weights_of(other), tensor_bytes(&weights));
    const struct parameter *parameters = transformer_parameters(model, &count);
    assert_int_equal(count, 2 * 9 + 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(parameters[i].decayed, parameters[i].rank == 2);
        for (int64_t j = 0; j < parameters[i].count; j++) {
            const double value = (double)weights_of(model)[parameters[i].offset + j];
            if (parameters[i].rank == 1)
                assert_true(value == 1.0);
            else
                sum += value, squares += value * value, drawn++;
        }
    }
    /* Mean and deviation within four standard errors. */
    const double error = 0.5 / sqrt((double)drawn);
    assert_true(fabs(sum / (double)drawn) <= 4 * error);
    assert_true(fabs(sqrt(squares / (double)drawn) - 0.5) <= 4 * error / sqrt(2.0));
    transformer_free(model);
    transformer_free(same);
    transformer_free(other);
}

/* q, k, v and gate, up are neighbours: one product serves all of them. */
static void fused_parameters_are_neighbours(void **state)
{
    (void)state;
    static const char *const runs[][2] = {
        {"q_proj", "k_proj"}, {"k_proj", "v_proj"}, {"gate_proj", "up_proj"}};
    size_t count;
    int found = 0;
    struct transformer *model = create(true, 1);
    const struct parameter *parameters = transformer_parameters(model, &count);
    int64_t end_of_last = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(parameters[i].offset, end_of_last);
        end_of_last += parameters[i].count;
        for (size_t r = 0; i > 0 && r < sizeof runs / sizeof *runs; r++)
            found += strstr(parameters[i - 1].name, runs[r][0]) != NULL &&
                     strstr(parameters[i].name, runs[r][1]) != NULL;
    }
    const struct architecture architecture = small(true);
    assert_int_equal(found, 2 * 3);
    assert_int_equal(end_of_last, architecture_parameter_count(&architecture));
    transformer_free(model);
}

static char *new_directory(const char *name, bool tied)
{
    struct text_buffer text = {0};
    char *directory = path_join(folder, name);
    char *config = path_join(directory, "config.json");
    const struct architecture architecture = small(tied);
    architecture_print_json(&architecture, DTYPE_F32, &text);
    assert_int_equal(file_make_directories(directory, NULL), STATUS_OK);
    assert_int_equal(file_write_all(config, text.data, text.length, NULL), STATUS_OK);
    text_buffer_release(&text);
    free(config);
    return directory;
}

/* What is written in a narrow type is the rounded weights. */
static void narrow_types_round_once(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct error error;
        struct transformer *model = create(i == 1, 3), *read;
        char *directory = new_directory(dtype_name(types[i]), i == 1);
        const struct tensor weights = transformer_weights(model);
        const int64_t count = tensor_count(&weights);
        assert_int_equal(transformer_write_weights(model, directory, types[i], &error),
                         STATUS_OK);
        if (transformer_open_directory(&read, backend, directory, MASTERS_KEPT, &error))
            fail_msg("%s", error.message);
        void *narrow = memory_allocate((size_t)count * dtype_bytes(types[i]));
        dtype_convert(narrow, types[i], weights.data, DTYPE_F32, count);
        dtype_convert(weights.data, DTYPE_F32, narrow, types[i], count);
        assert_memory_equal(weights.data, weights_of(read), tensor_bytes(&weights));
        free(narrow);
        free(directory);
        transformer_free(model);
        transformer_free(read);
    }
}

/* GPT-2's files have matrices the other way round; one this large is read in parts. */
static void reads_transposed_in_parts(void **state)
{
    (void)state;
    static const char config[] =
        "{\"model_type\":\"gpt2\",\"n_embd\":320,\"n_layer\":1,\"n_head\":5,"
        "\"vocab_size\":30,\"n_positions\":16}";
    struct architecture architecture;
    struct transformer *model, *read;
    struct error error = {0};
    char *path = path_join(folder, "config.json");
    assert_int_equal(file_write_all(path, config, sizeof config - 1, &error), STATUS_OK);
    assert_int_equal(architecture_open_directory(&architecture, folder, &error), STATUS_OK);
    assert_int_equal(
        transformer_create(&model, backend, &architecture, 5, MASTERS_KEPT, &error),
        STATUS_OK);
    assert_int_equal(transformer_write_weights(model, folder, DTYPE_F32, &error),
                     STATUS_OK);
    if (transformer_open_directory(&read, backend, folder, MASTERS_KEPT, &error))
        fail_msg("%s", error.message);
    const struct tensor weights = transformer_weights(model);
    assert_memory_equal(weights.data, weights_of(read), tensor_bytes(&weights));
    transformer_free(read);

    /* The number in the message is the file's. */
    struct safetensors file = {0};
    const int64_t element = 319 * 1280 + 1279;
    char *weights_path = path_join(folder, "model.safetensors");
    assert_int_equal(safetensors_open(&file, weights_path, &error), STATUS_OK);
    const struct safetensors_entry *entry =
        safetensors_find(&file, "transformer.h.0.mlp.c_fc.weight");
    const long at =
        (long)((const char *)entry->data - (const char *)file.map.data) + 4 * (long)element;
    safetensors_close(&file);
    FILE *bytes = fopen(weights_path, "r+b");
    assert_non_null(bytes);
    assert_int_equal(fseek(bytes, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&(float){NAN}, sizeof(float), 1, bytes), 1);
    assert_int_equal(fclose(bytes), 0);
    assert_int_equal(
        transformer_open_directory(&read, backend, folder, MASTERS_KEPT, &error),
        STATUS_FORMAT);
    assert_non_null(strstr(error.message, "mlp.c_fc.weight': element 409599 is"));
    assert_int_equal(remove(weights_path), 0);
    assert_int_equal(remove(path), 0);
    free(weights_path);
    free(path);
    transformer_free(model);
}

/* A copy of a model's tensors, to be spoilt before it is written. */
struct tensors {
    struct safetensors_tensor items[32];
    size_t count;
};

static struct tensors tensors_of(const struct transformer *model)
{
    struct tensors tensors = {0};
    const struct parameter *parameters = transformer_parameters(model, &tensors.count);
    for (size_t i = 0; i < tensors.count; i++)
        tensors.items[i] = (struct safetensors_tensor){
            .name = parameters[i].name,
            .data = weights_of(model) + parameters[i].offset,
            .dtype = DTYPE_F32,
            .stored = DTYPE_F32,
            .rank = parameters[i].rank,
            .shape = {parameters[i].shape[0], parameters[i].shape[1]},
        };
    return tensors;
}

static struct safetensors_tensor *find(struct tensors *tensors, const char *name)
{
    for (size_t i = 0; i < tensors->count; i++) {
        if (strcmp(tensors->items[i].name, name) == 0)
            return &tensors->items[i];
    }
    fail_msg("%s", name);
    return NULL;
}

static void add_tensor(struct tensors *tensors, const char *name, const void *data,
                       enum dtype dtype, int64_t rows, int64_t columns)
{
    tensors->items[tensors->count++] =
        (struct safetensors_tensor){name, data, dtype, dtype, 2, {rows, columns}};
}

static void drop_tensor(struct tensors *tensors, const char *name)
{
    struct safetensors_tensor *dropped = find(tensors, name);
    *dropped = tensors->items[--tensors->count];
}

/* Writes the tensors and opens them; `words` NULL: this must work. */
static void open_tensors(const struct tensors *tensors, bool tied, enum status status,
                         const char *words)
{
    static int number;
    char name[32];
    struct error error = {0};
    struct transformer *model;
    snprintf(name, sizeof name, "hostile-%d", number++);
    char *directory = new_directory(name, tied);
    char *path = path_join(directory, "model.safetensors");
    if (safetensors_write(path, tensors->items, tensors->count, NULL, 0, &error))
        fail_msg("%s", error.message);
    const enum status got =
        transformer_open_directory(&model, backend, directory, MASTERS_KEPT, &error);
    if (got != status || (words && !strstr(error.message, words)))
        fail_msg("status %d: %s; wanted status %d: %s", (int)got, error.message,
                 (int)status, words);
    if (words)
        assert_non_null(strstr(error.message, name)); /* names the place */
    assert_true((model != NULL) == (status == STATUS_OK));
    transformer_free(model);
    free(path);
    free(directory);
}

static void refuses_wrong_tensors(void **state)
{
    (void)state;
    static const float zeros[4096];
    static const int32_t integers[4096];
    struct transformer *model = create(false, 9);
    const struct tensors good = tensors_of(model);
    struct tensors bad = good;
    open_tensors(&good, false, STATUS_OK, NULL);

    find(&bad, "model.layers.1.mlp.up_proj.weight")->shape[0] = 19;
    open_tensors(&bad, false, STATUS_FORMAT,
                 "'model.layers.1.mlp.up_proj.weight' has the shape [19, 12], but "
                 "config.json asks for [20, 12]");
    bad = good;
    find(&bad, "model.norm.weight")->rank = 2;
    find(&bad, "model.norm.weight")->shape[1] = 1;
    open_tensors(&bad, false, STATUS_FORMAT, "'model.norm.weight' has the shape [12, 1]");
    bad = good;
    find(&bad, "model.layers.0.self_attn.k_proj.weight")->dtype = DTYPE_I32;
    find(&bad, "model.layers.0.self_attn.k_proj.weight")->stored = DTYPE_I32;
    find(&bad, "model.layers.0.self_attn.k_proj.weight")->data = integers;
    open_tensors(&bad, false, STATUS_UNSUPPORTED, "k_proj.weight' is stored as I32");
    bad = good;
    drop_tensor(&bad, "model.layers.0.input_layernorm.weight");
    open_tensors(&bad, false, STATUS_FORMAT,
                 "'model.layers.0.input_layernorm.weight' is missing");
    bad = good;
    add_tensor(&bad, "model.layers.0.self_attn.q_proj.bias", zeros, DTYPE_F32, 12, 1);
    open_tensors(&bad, false, STATUS_UNSUPPORTED,
                 "'model.layers.0.self_attn.q_proj.bias' is not part of");
    bad = good;
    add_tensor(&bad, "model.layers.2.mlp.up_proj.weight", zeros, DTYPE_F32, 20, 12);
    open_tensors(&bad, false, STATUS_UNSUPPORTED, "of 2 layers");
    bad = good;
    add_tensor(&bad, "model.layers.0.self_attn.rotary_emb.inv_freq", zeros, DTYPE_F32, 3,
               1);
    open_tensors(&bad, false, STATUS_OK, NULL); /* older files carry it */
    transformer_free(model);
}

static void names_the_remedy(void **state)
{
    (void)state;
    struct transformer *model = create(false, 9);
    struct tensors bad = tensors_of(model);
    drop_tensor(&bad, "lm_head.weight");
    open_tensors(&bad, false, STATUS_FORMAT, "\"tie_word_embeddings\": true");

    bad = tensors_of(model);
    bad.items[0].name += strlen("model."); /* as LlamaModel, without a head, saves it */
    open_tensors(&bad, false, STATUS_FORMAT, "save the model as LlamaForCausalLM");
    transformer_free(model);
}

static void refuses_broken_numbers(void **state)
{
    (void)state;
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct transformer *model = create(false, 9);
        struct tensors bad = tensors_of(model);
        const float *down = find(&bad, "model.layers.1.mlp.down_proj.weight")->data;
        weights_of(model)[down - weights_of(model) + 77] = values[i];
        open_tensors(&bad, false, STATUS_FORMAT,
                     "'model.layers.1.mlp.down_proj.weight': element 77 is ");
        transformer_free(model);
    }
}

static void tied_file_may_carry_the_head(void **state)
{
    (void)state;
    struct transformer *model = create(true, 9);
    struct tensors tensors = tensors_of(model);
    float *head = memory_allocate_array(30 * 12, sizeof *head);
    memcpy(head, weights_of(model), 30 * 12 * sizeof *head);
    add_tensor(&tensors, "lm_head.weight", head, DTYPE_F32, 30, 12);
    open_tensors(&tensors, true, STATUS_OK, NULL);
    head[359] += 1.0F;
    open_tensors(&tensors, true, STATUS_FORMAT, "set it to false");
    free(head);
    transformer_free(model);
}

/* transformer_bytes() follows what is reserved; training may end and begin again. */
static void training_memory(void **state)
{
    (void)state;
    struct error error;
    struct transformer *model = create(true, 9);
    const size_t alone = transformer_bytes(model);
    assert_null(transformer_gradients(model).data);
    assert_int_equal(transformer_training_begin(model, 16, false, &error), STATUS_OK);
    const size_t training = transformer_bytes(model);
    assert_true(training > 2 * alone);
    assert_int_equal(transformer_training_begin(model, 32, false, &error), STATUS_OK);
    assert_true(transformer_bytes(model) > training);
    transformer_training_end(model);
    assert_null(transformer_gradients(model).data);
    assert_int_equal(transformer_training_begin(model, 16, true, &error), STATUS_OK);
    assert_non_null(transformer_gradients(model).data);
    assert_true(transformer_bytes(model) < training + 16 * 6 * sizeof(float) + 64);
    transformer_free(model);
    transformer_free(NULL);
}

static void missing_directory(void **state)
{
    (void)state;
    struct error error;
    struct transformer *model;
    assert_int_equal(transformer_open_directory(&model, backend, "/nonexistent/model",
                                                MASTERS_KEPT, &error),
                     STATUS_IO);
    assert_null(model);
    assert_non_null(strstr(error.message, "/nonexistent/model"));
    model = create(true, 1);
    assert_int_equal(
        transformer_write_weights(model, "/nonexistent/model", DTYPE_F32, &error),
        STATUS_IO);
    transformer_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creation_is_seeded),
        cmocka_unit_test(fused_parameters_are_neighbours),
        cmocka_unit_test(narrow_types_round_once),
        cmocka_unit_test(reads_transposed_in_parts),
        cmocka_unit_test(refuses_wrong_tensors),
        cmocka_unit_test(names_the_remedy),
        cmocka_unit_test(refuses_broken_numbers),
        cmocka_unit_test(tied_file_may_carry_the_head),
        cmocka_unit_test(training_memory),
        cmocka_unit_test(missing_directory),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
