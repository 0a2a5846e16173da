#include "fixture.h"

#include "checkpoints/model_directory.h"

#include "base/file.h"
#include "base/text_buffer.h"

static void put(const char *folder, const char *name, const char *text)
{
    char *path = path_join(folder, name);
    assert_ok(file_write_all(path, text, strlen(text), &error));
    free(path);
}

/* scratch/from/config.json holds `text`; what scratch/to/config.json then is. */
static enum status copied(struct text_buffer *out, const char *text, enum dtype stored)
{
    char *from = path_join(scratch_folder, "from");
    char *to = path_join(scratch_folder, "to");
    char *config = path_join(to, "config.json");
    assert_ok(file_make_directories(from, &error));
    assert_ok(file_make_directories(to, &error));
    put(from, "config.json", text);
    enum status status = model_directory_copy_config(from, to, stored, &error);
    *out = (struct text_buffer){0};
    if (!status)
        status = file_read(out, config, 0, &error);
    free(config);
    free(from);
    free(to);
    return status;
}

static void config_says_what_the_weights_are_stored_as(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum dtype stored;
        const char *expected;
    } cases[] = {
        {"{\"a\": 1e-05,\n \"torch_dtype\" : \"bfloat16\", \"b\": [10000.0]}\n", DTYPE_F32,
         "{\"a\": 1e-05,\n \"torch_dtype\" : \"float32\", \"b\": [10000.0]}\n"},
        {"{\"dtype\":\"float32\",\"torch_dtype\":\"float32\"}", DTYPE_BF16,
         "{\"dtype\":\"bfloat16\",\"torch_dtype\":\"bfloat16\"}"},
        {"{\"dtype\":\"bfloat16\"}", DTYPE_F16, "{\"dtype\":\"float16\"}"},
        /* nothing is said, so nothing is wrong; and what is inside is another's */
        {"{\"a\":{\"dtype\":\"x\"},\"b\":\"dtype\"}", DTYPE_F32,
         "{\"a\":{\"dtype\":\"x\"},\"b\":\"dtype\"}"},
        {"{\"torch_dtype\":null}", DTYPE_F32, "{\"torch_dtype\":null}"},
        {"\xEF\xBB\xBF{\"dtype\":\"float16\"} ", DTYPE_F32, "{\"dtype\":\"float32\"} "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_buffer out;
        assert_ok(copied(&out, cases[i].text, cases[i].stored));
        assert_string_equal(text_buffer_string(&out), cases[i].expected);
        text_buffer_release(&out);
    }
}

static void a_spoilt_config_is_an_error_that_names_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "{\"dtype\":\"float16\"", "{\"a\":01}", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct text_buffer out;
        assert_int_equal(copied(&out, texts[i], DTYPE_F32), STATUS_FORMAT);
        assert_non_null(strstr(error.message, "from/config.json"));
        text_buffer_release(&out);
    }
}

static void metadata_are_all_but_the_config(void **state)
{
    (void)state;
    char *from = path_join(scratch_folder, "tokens");
    char *to = path_join(scratch_folder, "beside");
    assert_ok(file_make_directories(from, &error));
    assert_ok(file_make_directories(to, &error));
    put(from, "config.json", "{}");
    assert_int_equal(model_directory_copy_metadata(from, to, &error), STATUS_IO);
    put(from, "tokenizer.json", "{ \"x\" :1}");
    put(from, "chat_template.jinja", "{{ 1 }}\n");
    assert_ok(model_directory_copy_metadata(from, to, &error));
    char *config = path_join(to, "config.json");
    char *template = path_join(to, "chat_template.jinja");
    struct text_buffer text = {0};
    assert_false(file_exists(config));
    assert_ok(file_read(&text, template, 0, &error));
    assert_string_equal(text_buffer_string(&text), "{{ 1 }}\n");
    text_buffer_release(&text);
    free(config);
    free(template);
    free(from);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_says_what_the_weights_are_stored_as),
        cmocka_unit_test(a_spoilt_config_is_an_error_that_names_it),
        cmocka_unit_test(metadata_are_all_but_the_config),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
