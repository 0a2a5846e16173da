#ifndef HOLDFAST_TESTS_GPU_GOLDEN_MODEL_H
#define HOLDFAST_TESTS_GPU_GOLDEN_MODEL_H

#include "tests/gpu/gpu_fixture.h"

#include "base/json.h"
#include "model/transformer.h"

/*
 * The models of tests/golden/model/ on a device, in fp32 or bf16: one fixture more than
 * gpu_fixture.h opens, since a back-end computes models in one type.
 */
static const char *const names[] = {"gqa-tied",        "mha-untied",     "wide-heads",
                                    "one-key-value",   "llama3-biases",  "linear-rope",
                                    "qwen2",           "qwen2-yarn",     "mistral",
                                    "qwen3",           "phi3",           "phi3-longrope",
                                    "phi3-long",       "mistral-window", "mistral3",
                                    "phi3-partial",    "qwen2-windows",  "gemma2",
                                    "gemma2-variants", "gemma3",         "gemma3-variants",
                                    "smollm3",         "granite",        "granite-tied",
                                    "olmo2",           "olmo2-tied",     "gpt2",
                                    "gpt2-wide"};
enum { NAME_COUNT = sizeof names / sizeof *names, BATCHES = 2 };

/* The device in fp32; backends[DEVICE] is in bf16. On the CPU both are the same. */
static struct backend *wide;

static inline int models_open(void **state)
{
    const char *name = getenv("HOLDFAST_TEST_DEVICE");
    const struct backend_options options = {.device = name ? name : "cuda",
                                            .precision = "fp32"};
    struct error error = {0};
    const int code = fixture_open(state);

    if (code || !backends[DEVICE])
        return code;
    if (backend_open(&wide, &options, &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    return 0;
}

static inline int models_close(void **state)
{
    backend_close(wide);
    return fixture_close(state);
}

static inline struct backend *device_for(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? wide : backends[DEVICE];
}

static inline void check(enum status status, const struct error *error)
{
    if (status)
        fail_msg("%s: %s", case_text, error->message);
}

static inline void sync(struct backend *backend)
{
    struct error error = {0};

    check(backend_sync(backend, &error), &error);
}

struct golden {
    struct transformer *model;
    cJSON *json;
    struct safetensors tensors;
    struct packed_batch batches[BATCHES];
};

/* Freed with the case. */
static inline int32_t *read_integers(const cJSON *object, const char *key, int64_t *count)
{
    const cJSON *list = json_get(object, key), *item;
    int32_t *integers = keep(int32_t, cJSON_GetArraySize(list));

    *count = 0;
    cJSON_ArrayForEach(item, list) integers[(*count)++] = (int32_t)item->valuedouble;
    assert_true(*count > 0);
    return integers;
}

static inline struct packed_batch read_batch(const cJSON *object)
{
    struct packed_batch batch = {0};
    int64_t count;

    batch.positions = read_integers(object, "positions", &count);
    batch.targets = read_integers(object, "targets", &count);
    batch.tokens = read_integers(object, "tokens", &batch.token_count);
    batch.document_starts = read_integers(object, "document_starts", &batch.document_count);
    batch.document_count--;
    for (int64_t i = 0; i < batch.token_count; i++)
        batch.target_count += batch.targets[i] >= 0;
    return batch;
}

static inline double number(const struct golden *golden, const char *key)
{
    const cJSON *item = json_get(golden->json, key);

    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static inline void golden_open(struct golden *golden, const char *name, enum dtype dtype)
{
    struct error error = {0};
    char directory[128], path[160];
    const cJSON *item;
    int64_t i = 0;

    *golden = (struct golden){0};
    case_begin("%s in %s", name, dtype_name(dtype));
    snprintf(directory, sizeof directory, "tests/golden/model/%s", name);
    snprintf(path, sizeof path, "%s/golden.json", directory);
    check(json_parse_file(&golden->json, path, &error), &error);
    snprintf(path, sizeof path, "%s/golden.safetensors", directory);
    check(safetensors_open(&golden->tensors, path, &error), &error);
    cJSON_ArrayForEach(item, json_get(golden->json, "batches")) golden->batches[i++] =
        read_batch(item);
    assert_int_equal(i, BATCHES);
    check(transformer_open_directory(&golden->model, device_for(dtype), directory,
                                     MASTERS_KEPT, &error),
          &error);
    check(transformer_training_begin(golden->model, golden->batches[0].token_count, false,
                                     &error),
          &error);
}

static inline void golden_close(struct golden *golden)
{
    transformer_free(golden->model);
    safetensors_close(&golden->tensors);
    cJSON_Delete(golden->json);
    release_all();
}

static inline float *golden_tensor(const struct golden *golden, const char *name,
                                   int64_t count)
{
    const struct safetensors_entry *entry = safetensors_find(&golden->tensors, name);
    float *values = keep(float, count);

    assert_non_null(entry);
    assert_int_equal(entry->count, count);
    safetensors_copy(entry, values, DTYPE_F32);
    return values;
}

#endif
