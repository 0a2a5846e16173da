#include "fixture.h"

#include "checkpoints/training_data.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void what_is_written_is_read_and_grows(void **state)
{
    (void)state;
    struct training_data data;
    char *path = path_join(scratch_folder, "training_data.json");
    assert_ok(training_data_read(&data, scratch_folder, &error));
    assert_int_equal(data.count, 0);
    assert_ok(training_data_write(&data, scratch_folder, &error));
    assert_false(file_exists(path)); /* of nothing, no file */
    training_data_add(&data, "a \"b\".jsonl", A, 12);
    assert_ok(training_data_write(&data, scratch_folder, &error));
    training_data_release(&data);

    assert_ok(training_data_read(&data, scratch_folder, &error));
    training_data_add(&data, "copy.jsonl", A, 12); /* the same data */
    training_data_add(&data, "b.jsonl", B, 3);
    assert_int_equal(data.count, 2);
    assert_string_equal(data.items[0].data, "a \"b\".jsonl");
    assert_string_equal(data.items[0].sha256, A);
    assert_int_equal(data.items[0].example_count, 12);
    assert_string_equal(data.items[1].data, "b.jsonl");
    training_data_release(&data);
    free(path);
}

static void a_spoilt_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{\"trained_on\":3}", "\"trained_on\" must be a list"},
        {"{\"trained_on\":[{\"data\":\"a\"}]}", "sha256"},
        {"{\"trained_on\":[{\"data\":\"a\",\"sha256\":\"12\"}]}", "64 digits"},
        {"{\"trained_on\":[{\"sha256\":\"" A "\"}]}", "\"data\""},
        {"{\"trained_on\":[{\"data\":\"a\",\"sha256\":\"" A "\",\"examples\":\"x\"}]}",
         "examples"},
        {"{", "place"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct training_data data;
        assert_int_equal(training_data_parse(&data, cases[i].text, strlen(cases[i].text),
                                             "place", &error),
                         STATUS_FORMAT);
        assert_message(cases[i].message);
        assert_message("place");
        assert_null(data.items);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_and_grows, scratch_make,
                                        scratch_remove),
        cmocka_unit_test(a_spoilt_file_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
