#include "base/json.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct error error;

static cJSON *parsed(const char *text)
{
    cJSON *value;
    if (json_parse(&value, text, strlen(text), "t", &error) != STATUS_OK)
        fail_msg("%s: %s", text, error.message);
    return value;
}

static void assert_rejected(const char *text, const char *message)
{
    cJSON *value = (cJSON *)&error;
    if (json_parse(&value, text, strlen(text), "t", &error) != STATUS_FORMAT)
        fail_msg("'%s' was accepted", text);
    assert_null(value);
    assert_string_equal(error.message, message);
}

static void parses_values_of_every_kind(void **state)
{
    (void)state;
    cJSON *value =
        parsed(" {\"a\": [1, -2.5e-3, true, false, null, \"x\\u00e9\\n\"]}\r\n\t");
    static const int types[] = {cJSON_Number, cJSON_Number, cJSON_True,
                                cJSON_False,  cJSON_NULL,   cJSON_String};
    const cJSON *item;
    int i = 0;
    cJSON_ArrayForEach(item, json_get(value, "a"))
    {
        assert_int_equal(item->type, types[i++]);
        if (item->type == cJSON_String)
            assert_string_equal(item->valuestring, "x\xC3\xA9\n");
    }
    assert_int_equal(i, 6);
    cJSON_Delete(value);
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    cJSON *value = parsed("\xEF\xBB\xBF[1]");
    assert_true(cJSON_IsArray(value));
    cJSON_Delete(value);
    assert_rejected("\xEF\xBB\xBF", "t: is empty; a JSON value is expected");
}

static void errors_name_line_and_column(void **state)
{
    (void)state;
    assert_rejected("", "t: is empty; a JSON value is expected");
    assert_rejected(" \n\t", "t: is empty; a JSON value is expected");
    assert_rejected("{\"a\": 1} x", "t: line 1, column 10: unexpected 'x'");
    assert_rejected("{}\n{}", "t: line 2, column 1: unexpected '{'");
    assert_rejected("{\"a\" 1}", "t: line 1, column 6: unexpected '1'");
    assert_rejected("{\n  \"a\": tru\n}", "t: line 2, column 8: unexpected 't'");
    assert_rejected("[\"\xC3\xA9\xC3\xA9\", nul]", "t: line 1, column 8: unexpected 'n'");
    assert_rejected("[1 2]", "t: line 1, column 4: unexpected '2'");
    assert_rejected("[1,]", "t: line 1, column 4: unexpected ']'");
    assert_rejected("]", "t: line 1, column 1: unexpected ']'");
    assert_rejected("{'a': 1}", "t: line 1, column 2: unexpected '''");
    assert_rejected("[NaN]", "t: line 1, column 2: unexpected 'N'");
    assert_rejected("[\xFF]", "t: line 1, column 2: unexpected byte 0xFF");
}

static void texts_cut_off_are_told_apart(void **state)
{
    (void)state;
    static const char *const cut[] = {"{", "[", "[1", "[1,", "{\"a\"", "{\"a\":", "[1,\n"};
    cJSON *value;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        assert_int_equal(json_parse(&value, cut[i], strlen(cut[i]), "t", &error),
                         STATUS_FORMAT);
        if (!strstr(error.message, "the text ends too early; is it cut off?"))
            fail_msg("%s: %s", cut[i], error.message);
    }
    assert_rejected("[\"abc", "t: line 1, column 2: a string that is not closed");
    assert_rejected("\"abc\\\"", "t: line 1, column 1: a string that is not closed");
}

static void numbers_are_strict(void **state)
{
    (void)state;
    assert_rejected("01", "t: line 1, column 1: a number may not start with 0");
    assert_rejected("[-012]", "t: line 1, column 2: a number may not start with 0");
    assert_rejected("1.", "t: line 1, column 1: malformed number");
    assert_rejected("[1.e5]", "t: line 1, column 2: malformed number");
    assert_rejected("-", "t: line 1, column 1: malformed number");
    assert_rejected("1e+", "t: line 1, column 1: malformed number");
    assert_rejected("[1-2]", "t: line 1, column 3: unexpected '-'");
    assert_rejected(".5", "t: line 1, column 1: unexpected '.'");
    assert_rejected("0000000000111111111122222222223333333333444444444455555555556666",
                    "t: line 1, column 1: a number may not start with 0");
    assert_rejected("1000000000111111111122222222223333333333444444444455555555556666",
                    "t: line 1, column 1: a number of more than 63 characters");
    cJSON *value = parsed("[0, -0, 0.5, 1E+2, -1.25e-2]");
    assert_true(value->child->next->next->next->valuedouble == 100);
    cJSON_Delete(value);
}

static void strings_are_strict(void **state)
{
    (void)state;
    assert_rejected("[\"a\tb\"]", "t: line 1, column 4: a control character in a string; "
                                  "write it as an escape");
    assert_rejected("\"a\nb\"", "t: line 1, column 3: a control character in a string; "
                                "write it as an escape");
    assert_rejected("\"\\x\"", "t: line 1, column 2: malformed escape in a string");
    assert_rejected("\"\\u12g4\"", "t: line 1, column 2: malformed \\u escape in a string");
    assert_rejected("\"\\u12", "t: line 1, column 2: malformed \\u escape in a string");
    assert_rejected("\"\\ud800\"",
                    "t: line 1, column 2: half of a surrogate pair in a string");
    assert_rejected("\"\\udc00\"",
                    "t: line 1, column 2: half of a surrogate pair in a string");
    assert_rejected("\"\\ud83dx\\ude00\"",
                    "t: line 1, column 2: half of a surrogate pair in a string");
    assert_rejected("[\v1]", "t: line 1, column 2: unexpected byte 0x0B");
    cJSON *value = parsed("\"\\ud83d\\ude00\\/\"");
    assert_string_equal(value->valuestring, "\xF0\x9F\x98\x80/");
    cJSON_Delete(value);
}

static void bytes_beyond_the_count_are_not_read(void **state)
{
    (void)state;
    cJSON *value;
    assert_int_equal(json_parse(&value, "[1]]]", 3, "t", &error), STATUS_OK);
    cJSON_Delete(value);
    char *exact = malloc(2); /* the sanitizer sees one byte too many */
    memcpy(exact, "12", 2);
    assert_int_equal(json_parse(&value, exact, 2, "t", &error), STATUS_OK);
    assert_true(value->valuedouble == 12);
    cJSON_Delete(value);
    free(exact);
    assert_int_equal(json_parse(&value, "[1,\0002]", 6, "t", &error), STATUS_FORMAT);
    assert_string_equal(error.message, "t: line 1, column 4: unexpected byte 0x00");
}

static void keys_that_stand_twice_are_refused(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"{\"a\":1,\"b\":[{\"a\":2}],\"a\":3}", "line 1, column 22: \"a\" stands twice"},
        {"[{\"a\":{}},\n {\"b\":{\"é\":1, \"é\":1}}]", "line 2, column 15: \"é\" stands"},
        {"{\"k\":0,\"\\u006b\":1}", "line 1, column 8: \"\\u006b\" stands twice"},
        {"{\"\\u0000\":0,\"\\ufffd\":1}", "line 1, column 13: \"\\ufffd\" stands twice"},
        {"{\"\":0,\"\":0}", "line 1, column 7: \"\" stands twice in one object"},
    };
    cJSON *value;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(json_parse(&value, texts[i][0], strlen(texts[i][0]), "x", &error),
                         STATUS_FORMAT);
        assert_null(value);
        assert_non_null(strstr(error.message, texts[i][1]));
    }
    cJSON_Delete(parsed("[{\"a\":1},{\"a\":{\"a\":1},\"A\":0}]"));
}

/* As many keys as a vocabulary has. */
static void large_objects_are_looked_through(void **state)
{
    (void)state;
    enum { KEYS = 5000 };
    for (int twice = -1; twice < KEYS; twice += 1 + KEYS / 7) {
        cJSON *value;
        struct text_buffer text = {0};
        for (int i = 0; i < KEYS; i++)
            text_buffer_appendf(&text, "%s\"k%d\":%d\n", i ? "," : "{", i, i);
        if (twice >= 0)
            text_buffer_appendf(&text, ",\"k%d\":0", twice);
        text_buffer_append(&text, "}");
        const enum status status = json_parse(&value, text.data, text.length, "x", &error);
        assert_int_equal(status, twice >= 0 ? STATUS_FORMAT : STATUS_OK);
        if (status)
            assert_non_null(strstr(error.message, "x: line 5001, column 2: \"k"));
        cJSON_Delete(value);
        text_buffer_release(&text);
    }
}

static void nul_escapes_do_not_end_a_string(void **state)
{
    (void)state;
    cJSON *value = parsed("[\"a\\u0000b\", \"\\\\u0000\"]");
    assert_string_equal(value->child->valuestring, "a\xEF\xBF\xBD"
                                                   "b");
    assert_string_equal(value->child->next->valuestring, "\\u0000");
    cJSON_Delete(value);
    cJSON_Delete(parsed("[\"\\u0000b ,\\r\"]")); /* an escape at the very end */
}

static void nesting_is_limited(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    for (int i = 0; i < 1000; i++)
        text_buffer_append_char(&text, '[');
    for (int i = 0; i < 1000; i++)
        text_buffer_append_char(&text, ']');
    cJSON *value = parsed(text.data);
    struct text_buffer copy = {0};
    struct json_writer json = {.out = &copy};
    json_value(&json, NULL, value);
    assert_string_equal(copy.data, text.data);
    cJSON_Delete(value);
    text_buffer_clear(&text);
    for (int i = 0; i < 1001; i++)
        text_buffer_append_char(&text, '[');
    assert_rejected(text.data, "t: line 1, column 1001: nested too deeply");
    text_buffer_release(&text);
    text_buffer_release(&copy);
}

static void required_keys_must_be_there_and_of_their_type(void **state)
{
    (void)state;
    cJSON *value = parsed("{\"s\":\"x\",\"i\":-7,\"n\":0.5,\"z\":null,\"o\":{},\"S\":1}");
    const char *text = NULL;
    int64_t integer = 0;
    double number = 0;
    assert_int_equal(json_required_string(value, "s", &text, "c.json", &error), STATUS_OK);
    assert_string_equal(text, "x");
    assert_int_equal(json_required_integer(value, "i", &integer, "c.json", &error),
                     STATUS_OK);
    assert_int_equal(integer, -7);
    assert_int_equal(json_required_number(value, "n", &number, "c.json", &error),
                     STATUS_OK);
    assert_true(number == 0.5);
    assert_int_equal(json_required_string(value, "q", &text, "c.json", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message, "c.json: \"q\" is missing; a string is expected");
    assert_int_equal(json_required_string(value, "z", &text, "c.json", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message, "c.json: \"z\" is null, but a string is expected");
    assert_int_equal(json_required_number(value, "o", &number, "c.json", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message,
                        "c.json: \"o\" is an object, but a number is expected");
    assert_int_equal(json_required_integer(value, "n", &integer, "c.json", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message,
                        "c.json: \"n\" is 0.5, but a whole number is expected");
    assert_int_equal(integer, -7);
    assert_null(json_get(value, "I")); /* case counts */
    assert_null(json_get(value->child, "s"));
    assert_null(json_get(NULL, "s"));
    cJSON_Delete(value);
}

static void optional_keys_may_be_absent_or_null(void **state)
{
    (void)state;
    cJSON *value = parsed("{\"s\":1,\"z\":null,\"b\":true,\"i\":3}");
    const char *text = "before";
    int64_t integer = 5;
    double number = 2.5;
    bool flag = false;
    assert_int_equal(json_optional_string(value, "q", &text, "t", &error), STATUS_OK);
    assert_int_equal(json_optional_string(value, "z", &text, "t", &error), STATUS_OK);
    assert_string_equal(text, "before");
    assert_int_equal(json_optional_string(value, "s", &text, "t", &error), STATUS_FORMAT);
    assert_string_equal(error.message, "t: \"s\" is a number, but a string is expected");
    assert_int_equal(json_optional_integer(value, "z", &integer, "t", &error), STATUS_OK);
    assert_int_equal(integer, 5);
    assert_int_equal(json_optional_integer(value, "i", &integer, "t", &error), STATUS_OK);
    assert_int_equal(integer, 3);
    assert_int_equal(json_optional_number(value, "q", &number, "t", &error), STATUS_OK);
    assert_true(number == 2.5);
    assert_int_equal(json_optional_bool(value, "b", &flag, "t", &error), STATUS_OK);
    assert_true(flag);
    assert_int_equal(json_optional_bool(value, "i", &flag, "t", &error), STATUS_FORMAT);
    assert_string_equal(error.message,
                        "t: \"i\" is a number, but true or false is expected");
    cJSON_Delete(value);
}

static void integers_keep_their_range(void **state)
{
    (void)state;
    cJSON *value = parsed("{\"a\":9007199254740992,\"b\":9007199254740994,\"c\":1e30,"
                          "\"d\":4294967296,\"e\":1e999}");
    int64_t integer = 0;
    double number = 0;
    assert_int_equal(json_required_integer(value, "a", &integer, "t", &error), STATUS_OK);
    assert_true(integer == (INT64_C(1) << 53));
    assert_int_equal(json_required_integer(value, "d", &integer, "t", &error), STATUS_OK);
    assert_true(integer == (INT64_C(1) << 32)); /* beyond cJSON's valueint */
    assert_int_equal(json_required_integer(value, "b", &integer, "t", &error),
                     STATUS_FORMAT);
    assert_string_equal(error.message,
                        "t: \"b\" is 9007199254740994, outside -2^53 to 2^53");
    assert_int_equal(json_required_integer(value, "c", &integer, "t", &error),
                     STATUS_FORMAT);
    assert_int_equal(json_required_number(value, "c", &number, "t", &error), STATUS_OK);
    assert_true(number == 1e30);
    assert_int_equal(json_required_number(value, "e", &number, "t", &error), STATUS_FORMAT);
    assert_string_equal(error.message, "t: \"e\" is too large a number");
    cJSON_Delete(value);
}

static void files_are_parsed_and_pointers_recognised(void **state)
{
    (void)state;
    char path[] = "/tmp/holdfast-test-json-XXXXXX";
    cJSON *value;
    close(mkstemp(path));
    file_write_all(path, "{\"a\":\n}", 7, &error);
    assert_int_equal(json_parse_file(&value, path, &error), STATUS_FORMAT);
    assert_true(text_starts_with(error.message, path));
    assert_true(text_ends_with(error.message, ": line 2, column 1: unexpected '}'"));
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\n";
    file_write_all(path, pointer, sizeof pointer - 1, &error);
    assert_int_equal(json_parse_file(&value, path, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "git-LFS pointer"));
    assert_non_null(strstr(error.message, "git lfs pull"));
    file_write_all(path, "", 0, &error);
    assert_int_equal(json_parse_file(&value, path, &error), STATUS_FORMAT);
    assert_non_null(strstr(error.message, "is empty"));
    unlink(path);
    assert_int_equal(json_parse_file(&value, path, &error), STATUS_IO);
    assert_null(value);
}

static void write_sample(struct json_writer *json)
{
    json_object_begin(json, NULL);
    json_string(json, "model", "a\"b");
    json_string(json, "none", NULL);
    json_array_begin(json, "ci95");
    json_number(json, NULL, 0.636);
    json_number(json, NULL, (double)__builtin_nanf(""));
    json_array_end(json);
    json_object_begin(json, "empty");
    json_object_end(json);
    json_integer(json, "n", INT64_MIN);
    json_bool(json, "ok", true);
    json_object_end(json);
}

static void writes_on_one_line_and_indented(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    write_sample(&json);
    assert_string_equal(text.data,
                        "{\"model\":\"a\\\"b\",\"none\":null,\"ci95\":[0.636,null],"
                        "\"empty\":{},\"n\":-9223372036854775808,\"ok\":true}");
    write_sample(&json); /* a second value goes on a line of its own */
    assert_int_equal(strspn(strchr(text.data, '\n'), "\n"), 1);
    text_buffer_clear(&text);
    json = (struct json_writer){.out = &text, .indent_spaces = 2};
    write_sample(&json);
    assert_string_equal(text.data, "{\n"
                                   "  \"model\": \"a\\\"b\",\n"
                                   "  \"none\": null,\n"
                                   "  \"ci95\": [\n"
                                   "    0.636,\n"
                                   "    null\n"
                                   "  ],\n"
                                   "  \"empty\": {},\n"
                                   "  \"n\": -9223372036854775808,\n"
                                   "  \"ok\": true\n"
                                   "}");
    text_buffer_clear(&text); /* a writer may go on in a cleared buffer */
    json_integer(&json, NULL, 1);
    assert_string_equal(text.data, "1");
    text_buffer_release(&text);
}

static void trees_are_copied(void **state)
{
    (void)state;
    static const char source[] =
        "{\"a\":[1,0.1,true,false,null,\"\\u2028\xF0\x9F\x98\x80\"],\"b\":{\"c\":[]}}";
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    cJSON *value = parsed(source);
    json_array_begin(&json, NULL);
    json_value(&json, NULL, value);
    json_value(&json, NULL, value);
    json_array_end(&json);
    struct text_buffer expected = {0};
    text_buffer_appendf(&expected, "[%s,%s]", source, source);
    assert_string_equal(text.data, expected.data);
    cJSON_Delete(value);
    text_buffer_release(&text);
    text_buffer_release(&expected);
}

static void invalid_utf8_is_never_written(void **state)
{
    (void)state;
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    cJSON *value = parsed("[\"a\xFFz\"]"); /* passes through the parser */
    json_value(&json, NULL, value);
    json_string_bytes(&json, NULL, "x\0y\xE2\x82", 5);
    assert_string_equal(text.data, "[\"a\xEF\xBF\xBDz\"]\n\"x\\u0000y\xEF\xBF\xBD\"");
    cJSON_Delete(value);
    text_buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_values_of_every_kind),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(texts_cut_off_are_told_apart),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(strings_are_strict),
        cmocka_unit_test(bytes_beyond_the_count_are_not_read),
        cmocka_unit_test(nul_escapes_do_not_end_a_string),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(keys_that_stand_twice_are_refused),
        cmocka_unit_test(large_objects_are_looked_through),
        cmocka_unit_test(required_keys_must_be_there_and_of_their_type),
        cmocka_unit_test(optional_keys_may_be_absent_or_null),
        cmocka_unit_test(integers_keep_their_range),
        cmocka_unit_test(files_are_parsed_and_pointers_recognised),
        cmocka_unit_test(writes_on_one_line_and_indented),
        cmocka_unit_test(trees_are_copied),
        cmocka_unit_test(invalid_utf8_is_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
