#include "base/text_buffer.h"

#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_buffer_is_an_empty_string(void **state)
{
    (void)state;
    struct text_buffer buffer = {0};
    assert_string_equal(text_buffer_string(&buffer), "");
    text_buffer_clear(&buffer);
    char *text = text_buffer_detach(&buffer);
    assert_string_equal(text, "");
    free(text);
    text_buffer_release(&buffer);
}

static void appends_texts_bytes_and_formats(void **state)
{
    (void)state;
    struct text_buffer buffer = {0};
    text_buffer_append(&buffer, "ab");
    text_buffer_append_bytes(&buffer, "c\0d", 3);
    text_buffer_append_char(&buffer, 'e');
    text_buffer_appendf(&buffer, "%d-%s", 42, "xyz");
    assert_int_equal(buffer.length, 12);
    assert_memory_equal(buffer.data, "abc\0de42-xyz", 13);
    text_buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    for (int i = 0; i < 10000; i++)
        text_buffer_appendf(&buffer, "%d", i % 10);
    assert_int_equal(buffer.length, 10000);
    assert_int_equal(buffer.data[9999], '9');
    assert_int_equal(buffer.data[10000], '\0');
    text_buffer_release(&buffer);
    assert_null(buffer.data);
}

static void assert_json(const char *bytes, size_t count, const char *expected)
{
    struct text_buffer buffer = {0};
    text_buffer_append_json(&buffer, bytes, count);
    assert_string_equal(text_buffer_string(&buffer), expected);
    text_buffer_release(&buffer);
}

static void json_texts_are_escaped(void **state)
{
    (void)state;
    assert_json("", 0, "\"\"");
    assert_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_json("\b\f\n\r\t\x01\0", 7, "\"\\b\\f\\n\\r\\t\\u0001\\u0000\"");
    assert_json("\x7F", 1, "\"\\u007f\"");
    assert_json("\xC2\x85 \xE2\x80\xA8", 6, "\"\\u0085 \\u2028\"");
    assert_json("\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

/* One U+FFFD for each longest start of a valid sequence: Unicode 15, table 3-8. */
static void invalid_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
#define R "\xEF\xBF\xBD"
    assert_json("\xC0\xAF", 2, "\"" R R "\"");             /* overlong */
    assert_json("\xED\xA0\x80", 3, "\"" R R R "\"");       /* surrogate */
    assert_json("\xF4\x91\x92\x93", 4, "\"" R R R R "\""); /* above U+10FFFF */
    assert_json("\xF0\x9F\x98x", 4, "\"" R "x\"");         /* cut short */
    assert_json("\xE2\x82", 2, "\"" R "\"");               /* cut short by the end */
    assert_json("a\x80z", 3, "\"a" R "z\"");
    assert_json("\xFF", 1, "\"" R "\"");
#undef R
}

static void assert_number(double value, const char *expected)
{
    struct text_buffer buffer = {0};
    text_buffer_append_number(&buffer, value);
    assert_string_equal(text_buffer_string(&buffer), expected);
    text_buffer_release(&buffer);
}

/* What is passed over in blocks and what is not, at every place of a block. */
static void json_texts_are_escaped_at_every_offset(void **state)
{
    (void)state;
    static const char *const specials[][2] = {
        {"\"", "\\\""},           {"\\", "\\\\"},      {"\n", "\\n"},
        {"\x1F", "\\u001f"},      {"\x7F", "\\u007f"}, {"\x80", "\xEF\xBF\xBD"},
        {"\xC3\xA9", "\xC3\xA9"}, {" ", " "},          {"~", "~"}};
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        for (int length = 0; length < 40; length++)
            for (int at = 0; at <= length; at++) {
                char text[64], expected[64];
                const int count =
                    snprintf(text, sizeof text, "%.*s%s%.*s", at,
                             "0123456789abcdefghijklmnopqrstuvwxyzABCDEF", specials[i][0],
                             length - at, "!#$%&'()*+,-./:;<=>?@[]^_`{|}!#$%&'()*+,-.");
                snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", at, text,
                         specials[i][1], length - at, text + count - (length - at));
                char *exact = malloc((size_t)count); /* nothing behind it may be read */
                memcpy(exact, text, (size_t)count);
                assert_json(exact, (size_t)count, expected);
                free(exact);
            }
}

static void numbers_are_as_short_as_can_be(void **state)
{
    (void)state;
    assert_number(0, "0");
    assert_number(-0.0, "-0");
    assert_number(5, "5");
    assert_number(-123456789012345, "-123456789012345");
    assert_number(0.1, "0.1");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(1.0 / 3, "0.3333333333333333");
    assert_number(2e-5, "2e-05");
    assert_number(1e300, "1e+300");
    assert_number(5e-324, "4.94065645841247e-324");
    assert_number(0x1p53, "9007199254740992");
    assert_number((double)NAN, "null");
    assert_number(HUGE_VAL, "null");
    assert_number(-HUGE_VAL, "null");
}

static void numbers_read_back_equal(void **state)
{
    (void)state;
    struct random random = random_stream(1, 2);
    struct text_buffer buffer = {0};
    for (int i = 0; i < 100000; i++) {
        const uint64_t bits = random_u64(&random);
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        text_buffer_clear(&buffer);
        text_buffer_append_number(&buffer, value);
        assert_true(text_parse_number(buffer.data, &back));
        assert_memory_equal(&value, &back, sizeof value);
    }
    text_buffer_release(&buffer);
}

static void numbers_are_parsed_to_the_end(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    " 1",  "1 ",  "1x",    "0x10", "inf",
                                      "nan", "1e",  "--1", "1e999", ".",    "-",
                                      "1_0", "1,5", "+-1", "e5",    "1e5.", "1.2.3"};
    double number = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (text_parse_number(bad[i], &number))
            fail_msg("'%s' was taken for a number", bad[i]);
    assert_true(number == 7);
    assert_true(text_parse_number("-2.5e-3", &number));
    assert_true(number == -2.5e-3);
    assert_true(text_parse_number("+.5", &number) && number == 0.5);
}

static void integers_are_parsed_in_range(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "-", "1.0", "1e3", " 1", "0x1", "9223372036854775808"};
    int64_t number = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (text_parse_integer(bad[i], &number))
            fail_msg("'%s' was taken for a whole number", bad[i]);
    assert_int_equal(number, 7);
    assert_true(text_parse_integer("-9223372036854775808", &number));
    assert_true(number == INT64_MIN);
    assert_true(text_parse_integer("010", &number));
    assert_int_equal(number, 10); /* decimal, never octal */
}

static void memory_is_told_apart_below_a_gibibyte_too(void **state)
{
    static const struct {
        size_t bytes;
        const char *text;
    } known[] = {{0, "0.00 MiB"},
                 {281426330, "268.39 MiB"},
                 {281436816, "268.40 MiB"},
                 {1073741824, "1.00 GiB"},
                 {139963247001, "130.35 GiB"}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct text_buffer buffer = {0};
        text_buffer_append_memory(&buffer, known[i].bytes);
        assert_string_equal(buffer.data, known[i].text);
        text_buffer_release(&buffer);
    }
}

static void html_is_escaped(void **state)
{
    (void)state;
    struct text_buffer buffer = {0};
    text_buffer_append_html(&buffer, "<a href=\"x\">'&'\n\t\x01\r\x7F\xC2\x80"
                                     "\xE2\x80\xAE\xE2\x81\xA6 \xC3\xA9\xFF");
    assert_string_equal(buffer.data, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;\n\t "
                                     "\xC3\xA9\xEF\xBF\xBD");
    text_buffer_release(&buffer);
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(text_starts_with("model.safetensors", "model"));
    assert_false(text_starts_with("mo", "model"));
    assert_true(text_ends_with("model.safetensors", ".safetensors"));
    assert_true(text_ends_with("x", ""));
    assert_false(text_ends_with("s", ".safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_string),
        cmocka_unit_test(appends_texts_bytes_and_formats),
        cmocka_unit_test(json_texts_are_escaped),
        cmocka_unit_test(json_texts_are_escaped_at_every_offset),
        cmocka_unit_test(invalid_utf8_becomes_the_replacement_character),
        cmocka_unit_test(numbers_are_as_short_as_can_be),
        cmocka_unit_test(numbers_read_back_equal),
        cmocka_unit_test(numbers_are_parsed_to_the_end),
        cmocka_unit_test(integers_are_parsed_in_range),
        cmocka_unit_test(memory_is_told_apart_below_a_gibibyte_too),
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(starts_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
