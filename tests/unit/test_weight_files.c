#include "base/memory.h"
#include "checkpoints/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Each test has a model directory of its own, "model" in a temporary folder. */
static char folder[64];
static char *directory;

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_weight_files.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    directory = path_join(folder, "model");
    return mkdir(directory, 0755);
}

static int remove_folder(void **state)
{
    (void)state;
    free(directory);
    return (int)file_remove_tree(folder, NULL);
}

static void put(const char *name, const char *text)
{
    struct error error;
    char *path = path_join(directory, name);
    assert_int_equal(file_write_all(path, text, strlen(text), &error), STATUS_OK);
    free(path);
}

/* A shard with fp32 scalars of the given one-letter names. */
static void put_shard(const char *name, const char *letters)
{
    static const float value = 1;
    char names[8][2] = {{0}};
    struct safetensors_tensor tensors[8];
    const size_t count = strlen(letters);
    for (size_t i = 0; i < count; i++) {
        names[i][0] = letters[i];
        tensors[i] =
            (struct safetensors_tensor){names[i], &value, DTYPE_F32, DTYPE_F32, 0, {0}};
    }
    struct error error;
    char *path = path_join(directory, name);
    assert_int_equal(safetensors_write(path, tensors, count, NULL, 0, &error), STATUS_OK);
    free(path);
}

static bool has(const char *name)
{
    char *path = path_join(directory, name);
    const bool found = file_exists(path);
    free(path);
    return found;
}

/* Opening `where` fails with "<where><message>". */
static void assert_refused_at(const char *where, enum status status, const char *message)
{
    struct weight_files weights;
    struct error error = {0};
    struct text_buffer expected = {0};
    text_buffer_appendf(&expected, "%s%s", where, message);
    assert_int_equal(weight_files_open(&weights, where, &error), status);
    assert_string_equal(error.message, text_buffer_string(&expected));
    assert_null(weights.files);
    assert_int_equal(weights.count, 0);
    text_buffer_release(&expected);
}

static void assert_refused(enum status status, const char *message)
{
    assert_refused_at(directory, status, message);
}

enum { TENSOR_COUNT = 5, ELEMENT_COUNT = 8 };
static const char *const names[TENSOR_COUNT] = {"t4", "t0", "t3", "t1", "t2"};

/* Five tensors of 8 elements, 16 bytes each in bf16; t3 is full of 3, and so on. */
static void five_tensors(struct safetensors_tensor tensors[TENSOR_COUNT],
                         float values[TENSOR_COUNT][ELEMENT_COUNT])
{
    for (int i = 0; i < TENSOR_COUNT; i++) {
        for (int j = 0; j < ELEMENT_COUNT; j++)
            values[i][j] = (float)(names[i][1] - '0');
        tensors[i] = (struct safetensors_tensor){names[i],   values[i], DTYPE_F32,
                                                 DTYPE_BF16, 1,         {ELEMENT_COUNT}};
    }
}

static void assert_five_tensors(const char *where, size_t file_count)
{
    struct weight_files weights;
    struct error error;
    assert_int_equal(weight_files_open(&weights, where, &error), STATUS_OK);
    assert_int_equal(weights.count, file_count);
    for (int i = 0; i < TENSOR_COUNT; i++) {
        const char *path = NULL;
        float values[ELEMENT_COUNT];
        const struct safetensors_entry *entry =
            weight_files_find(&weights, names[i], &path);
        assert_non_null(entry);
        assert_int_equal(entry->dtype, DTYPE_BF16);
        assert_non_null(strstr(path, ".safetensors"));
        safetensors_copy(entry, values, DTYPE_F32);
        for (int j = 0; j < ELEMENT_COUNT; j++)
            assert_true(values[j] == (float)(names[i][1] - '0'));
        assert_ptr_equal(weight_files_find(&weights, names[i], NULL), entry);
    }
    assert_null(weight_files_find(&weights, "t5", NULL));
    weight_files_close(&weights);
    weight_files_close(&weights); /* harmless */
}

static void writes_one_file_up_to_the_limit(void **state)
{
    (void)state;
    float values[TENSOR_COUNT][ELEMENT_COUNT];
    struct safetensors_tensor tensors[TENSOR_COUNT];
    struct error error;
    five_tensors(tensors, values);
    assert_int_equal(weight_files_write(directory, tensors, TENSOR_COUNT, 80, &error),
                     STATUS_OK);
    assert_true(has("model.safetensors"));
    assert_false(has("model.safetensors.index.json"));
    assert_five_tensors(directory, 1);
}

/* Data that are made on the way: t3 is full of 3, and so on. `context`: which call fails.
 */
static enum status source_read(void *context, const struct safetensors_tensor *tensor,
                               int64_t first, int64_t count, void *values,
                               struct error *error)
{
    int *left = context;
    if ((*left)-- == 0)
        return error_set(error, STATUS_IO, "no more");
    assert_true(first >= 0 && first + count <= tensor->shape[0]);
    for (int64_t i = 0; i < count; i++)
        ((float *)values)[i] = (float)(tensor->name[1] - '0');
    return STATUS_OK;
}

static void writes_from_a_source(void **state)
{
    (void)state;
    int calls = -1;
    float values[TENSOR_COUNT][ELEMENT_COUNT];
    struct safetensors_tensor tensors[TENSOR_COUNT];
    const struct safetensors_source source = {source_read, &calls};
    struct error error;
    five_tensors(tensors, values);
    for (int i = 0; i < TENSOR_COUNT; i++)
        tensors[i].data = NULL;
    tensors[3].data = values[3]; /* they may be mixed */
    assert_int_equal(
        weight_files_write_from(directory, tensors, TENSOR_COUNT, 0, &source, &error),
        STATUS_OK);
    assert_int_equal(calls, -1 - 4);
    assert_five_tensors(directory, 1);

    char *path = path_join(folder, "failing.safetensors");
    calls = 2;
    assert_int_equal(
        safetensors_write_from(path, tensors, TENSOR_COUNT, NULL, 0, &source, &error),
        STATUS_IO);
    assert_string_equal(error.message, "no more");
    assert_false(file_exists(path));
    free(path);
}

static void writes_shards_and_their_index(void **state)
{
    (void)state;
    float values[TENSOR_COUNT][ELEMENT_COUNT];
    struct safetensors_tensor tensors[TENSOR_COUNT];
    struct error error;
    const char *keep = getenv("HOLDFAST_KEEP");
    char *where = path_join(keep ? keep : directory, "shards");
    char *index = path_join(where, "model.safetensors.index.json");
    struct text_buffer text = {0};
    five_tensors(tensors, values);
    assert_int_equal(file_make_directories(where, &error), STATUS_OK);
    assert_int_equal(weight_files_write(where, tensors, TENSOR_COUNT, 39, &error),
                     STATUS_OK);
    assert_five_tensors(where, 3);
    assert_int_equal(file_read(&text, index, 0, &error), STATUS_OK);
    assert_string_equal(text.data, "{\n"
                                   "  \"metadata\": {\n"
                                   "    \"total_size\": 80\n"
                                   "  },\n"
                                   "  \"weight_map\": {\n"
                                   "    \"t0\": \"model-00001-of-00003.safetensors\",\n"
                                   "    \"t1\": \"model-00002-of-00003.safetensors\",\n"
                                   "    \"t2\": \"model-00003-of-00003.safetensors\",\n"
                                   "    \"t3\": \"model-00002-of-00003.safetensors\",\n"
                                   "    \"t4\": \"model-00001-of-00003.safetensors\"\n"
                                   "  }\n"
                                   "}\n");
    text_buffer_release(&text);
    free(index);
    free(where);
}

static void gives_a_large_tensor_a_shard_of_its_own(void **state)
{
    (void)state;
    float values[TENSOR_COUNT][ELEMENT_COUNT];
    struct safetensors_tensor tensors[TENSOR_COUNT];
    struct error error;
    five_tensors(tensors, values);
    assert_int_equal(weight_files_write(directory, tensors, TENSOR_COUNT, 1, &error),
                     STATUS_OK);
    assert_true(has("model-00005-of-00005.safetensors"));
    assert_five_tensors(directory, 5);
}

static void refuses_to_write_over_weights(void **state)
{
    (void)state;
    float values[TENSOR_COUNT][ELEMENT_COUNT];
    struct safetensors_tensor tensors[TENSOR_COUNT];
    struct error error;
    struct text_buffer expected = {0};
    five_tensors(tensors, values);
    put("model.safetensors.index.json", "{}");
    assert_int_equal(weight_files_write(directory, tensors, TENSOR_COUNT, 0, &error),
                     STATUS_IO);
    text_buffer_appendf(&expected,
                        "%s: holds weights already (model.safetensors.index.json); name a "
                        "new directory",
                        directory);
    assert_string_equal(error.message, expected.data);
    assert_false(has("model.safetensors"));
    text_buffer_release(&expected);
}

static void says_what_it_looked_for(void **state)
{
    (void)state;
    char *file = path_join(directory, "adapter_model.safetensors");
    assert_refused_at("/nowhere", STATUS_IO, ": no such directory");
    assert_refused(STATUS_IO, ": found neither model.safetensors nor "
                              "model.safetensors.index.json; is this a model directory?");
    put("adapter_model.safetensors", "x");
    assert_refused(STATUS_IO,
                   ": found neither model.safetensors nor "
                   "model.safetensors.index.json; only adapter_model.safetensors "
                   "is there: this is a PEFT adapter; name the directory of its "
                   "base model");
    assert_refused_at(file, STATUS_USAGE,
                      ": not a directory; name the directory that holds model.safetensors "
                      "or model.safetensors.index.json");
    put("pytorch_model.bin", "x");
    assert_refused(STATUS_IO,
                   ": found neither model.safetensors nor model.safetensors.index.json; "
                   "only pytorch_model.bin is there, which is not read (a pickle can run "
                   "code); convert it with transformers: save_pretrained(DIR, "
                   "safe_serialization=True)");
    free(file);
}

static void refuses_lfs_pointers(void **state)
{
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid x\n";
    put("model.safetensors.index.json", pointer);
    assert_refused(STATUS_FORMAT,
                   "/model.safetensors.index.json: is a git-LFS pointer, not the file "
                   "itself; fetch the file with 'git lfs pull'");
    put("model.safetensors", pointer);
    assert_refused(STATUS_FORMAT,
                   "/model.safetensors: is a git-LFS pointer, not the file itself; "
                   "fetch the file with 'git lfs pull'");
}

static const struct {
    const char *index;
    const char *message;
} hostile[] = {
    {"{}", "\"weight_map\" is missing, empty or not an object"},
    {"[]", "\"weight_map\" is missing, empty or not an object"},
    {"{\"weight_map\":{}}", "\"weight_map\" is missing, empty or not an object"},
    {"{\"weight_map\":[\"a\"]}", "\"weight_map\" is missing, empty or not an object"},
    {"{\"weight_map\":{\"a\":1}}", "weight_map: the value of 'a' is not a string"},
    {"{\"weight_map\":{\"a\":\"\"}}",
     "weight_map: tensor 'a' is placed in '', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\".\"}}",
     "weight_map: tensor 'a' is placed in '.', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\"..\"}}",
     "weight_map: tensor 'a' is placed in '..', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\"../s\"}}",
     "weight_map: tensor 'a' is placed in '../s', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
     "weight_map: tensor 'a' is placed in '/etc/passwd', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\"sub/s\"}}",
     "weight_map: tensor 'a' is placed in 'sub/s', which is not a plain file name"},
    {"{\"weight_map\":{\"a\":\"s1\",\"z\":\"s1\"}}",
     "weight_map: tensor 'z' is not in s1; download or copy the model again"},
    {"{\"weight_map\":{\"a\":\"s1\",\"b\":\"s1\",\"c\":\"s2\"}}",
     "tensor 'b' is in two shards, s1 and s2"},
};

static void refuses_hostile_indexes(void **state)
{
    (void)state;
    put_shard("s1", "ab");
    put_shard("s2", "bc");
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct text_buffer message = {0};
        put("model.safetensors.index.json", hostile[i].index);
        text_buffer_appendf(&message, "/model.safetensors.index.json: %s",
                            hostile[i].message);
        assert_refused(STATUS_FORMAT, message.data);
        text_buffer_release(&message);
    }
    put("model.safetensors.index.json", "{\"weight_map\":");
    struct weight_files weights;
    struct error error;
    assert_int_equal(weight_files_open(&weights, directory, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "model.safetensors.index.json"));
}

static void names_missing_and_truncated_shards(void **state)
{
    (void)state;
    put("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1\",\"b\":\"s2\"}}");
    put_shard("s1", "a");
    assert_refused(STATUS_IO, "/s2: missing, but model.safetensors.index.json names it; "
                              "download or copy the model again");
    put_shard("s2", "b");
    char *path = path_join(directory, "s2");
    assert_int_equal(truncate(path, 64 + 2), 0);
    assert_refused(STATUS_FORMAT, "/s2: truncated: expected 68 bytes, the file has 66; "
                                  "download or copy it again");
    assert_int_equal(truncate(path, 20), 0);
    assert_refused(STATUS_FORMAT, "/s2: the header should end at byte 64, but the file has "
                                  "20 bytes: truncated, or not a safetensors file; "
                                  "download or copy it again");
    free(path);
}

static void ignores_tensors_that_the_index_leaves_out(void **state)
{
    (void)state;
    struct weight_files weights;
    struct error error;
    put("model.safetensors.index.json", "{\"weight_map\":{\"c\":\"s2\",\"a\":\"s1\"}}");
    put_shard("s1", "ab");
    put_shard("s2", "c");
    assert_int_equal(weight_files_open(&weights, directory, &error), STATUS_OK);
    const char *path = NULL;
    assert_non_null(weight_files_find(&weights, "c", &path));
    assert_string_equal(path_base_name(path), "s2");
    weight_files_close(&weights);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(writes_one_file_up_to_the_limit),
        TEST(writes_from_a_source),
        TEST(writes_shards_and_their_index),
        TEST(gives_a_large_tensor_a_shard_of_its_own),
        TEST(refuses_to_write_over_weights),
        TEST(says_what_it_looked_for),
        TEST(refuses_lfs_pointers),
        TEST(refuses_hostile_indexes),
        TEST(names_missing_and_truncated_shards),
        TEST(ignores_tensors_that_the_index_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
