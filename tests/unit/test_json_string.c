#include "fixture.h"

#include "base/json.h"
#include "base/json_string.h"
#include "base/memory.h"
#include "base/random.h"

#include <ctype.h>

typedef size_t stop_function(struct json_block *block, const char *bytes, size_t count,
                             size_t at);

static bool has_digits(const char *bytes, size_t count, size_t at)
{
    for (size_t i = at; i < at + 4; i++)
        if (i >= count || !isxdigit((unsigned char)bytes[i]))
            return false;
    return true;
}

/* The bytes of the escape at `at` if it needs no look, else 0. */
static size_t plain_escape_bytes(const char *bytes, size_t count, size_t at)
{
    if (at + 1 == count)
        return 0;
    const char *kind = bytes + at + 1;
    if (memchr("\"\\/bfnrt", *kind, 8))
        return 2;
    if (*kind != 'u' || !has_digits(bytes, count, at + 2) || kind[1] == 'd' ||
        kind[1] == 'D' || memcmp(kind + 1, "0000", 4) == 0)
        return 0;
    return 6;
}

/* What json_string_stop() finds, byte by byte. */
static size_t stop_by_bytes(const char *bytes, size_t count, size_t at)
{
    while (at < count && bytes[at] != '"' && (unsigned char)bytes[at] >= 0x20) {
        const size_t step = bytes[at] == '\\' ? plain_escape_bytes(bytes, count, at) : 1;
        if (step == 0)
            return at;
        at += step;
    }
    return at;
}

/* From stop to stop, as a scan of strings that follow each other goes. */
static size_t assert_stops(const char *bytes, size_t count, stop_function *stop)
{
    struct json_block block = {0};
    size_t stops = 0;
    for (size_t at = 0; at <= count; stops++) {
        const size_t expected = stop_by_bytes(bytes, count, at);
        assert_int_equal(stop(&block, bytes, count, at), expected);
        if (expected == count)
            break;
        at = expected + 1;
        if (bytes[expected] != '\\')
            continue;
        if (at == count || bytes[at] != 'u' || !has_digits(bytes, count, at + 1))
            break; /* nobody reads on behind a wrong escape */
        at += 5;
    }
    return stops;
}

static void strings_stop_where_a_walk_over_bytes_stops(void **state)
{
    (void)state;
    static const char alphabets[][24] = {"xy \xC3\xA9", "xxxxxxxxxxxxxxx\\\\\"n",
                                         "\\\\\\\\\\\\\"", "\\\\\\uuu0000dD9eEfFgx\"",
                                         "\\/bfnrtUu\"\x1F\x7Fxxxxx"};
    struct random random = random_stream(5, 0);
    size_t stops = 0;
    for (int round = 0; round < 20000; round++) {
        const char *alphabet = alphabets[round % 5];
        const size_t count = random_below(&random, 300);
        char *bytes = memory_allocate(count + !count); /* nothing behind it may be read */
        for (size_t i = 0; i < count; i++)
            bytes[i] = alphabet[random_below(&random, (uint32_t)strlen(alphabet))];
        stops += assert_stops(bytes, count, json_string_stop);
        assert_stops(bytes, count, json_string_stop_baseline);
        free(bytes);
    }
    assert_true(stops > 20000);
}

/* Escapes that are checked together, with wrong ones and strange ones among them. */
static void strings_of_escapes_stop_alike(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\\u00e9",
                                         "\\u2019",
                                         "\\t",
                                         "x",
                                         "some plain text",
                                         "\\\\",
                                         "\\u20aC",
                                         "\\\"",
                                         "\\/",
                                         "\\n",
                                         "\xC3\xA9",
                                         "\\b",
                                         "\\u0000",
                                         "\\ud83d\\ude00",
                                         "\\udead",
                                         "\"",
                                         "\\q",
                                         "\\u12"};
    struct random random = random_stream(7, 0);
    struct text_buffer text = {0};
    size_t stops = 0;
    for (int round = 0; round < 3000; round++) {
        /* what needs no look; what needs one, too; what is wrong, too */
        static const uint64_t kinds[] = {12, 16, 18};
        text_buffer_clear(&text);
        for (uint64_t left = random_below(&random, 600); left > 0; left--)
            text_buffer_append(&text,
                               random_below(&random, 100) == 0
                                   ? "\""
                                   : pieces[random_below(&random, kinds[round % 3])]);
        char *bytes = memory_allocate(text.length + !text.length);
        if (text.length)
            memcpy(bytes, text.data, text.length);
        stops += assert_stops(bytes, text.length, json_string_stop);
        assert_stops(bytes, text.length, json_string_stop_baseline);
        free(bytes);
    }
    assert_true(stops > 10000);
    text_buffer_release(&text);
}

/* What cJSON makes of a string is what json_string_text() makes of it. */
static void strings_say_what_the_parser_says(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "x",       "\xC3\xA9", "\\n",     "\\\"",           "\\\\",           "\\/",
        "\\b\\f",  "\\r\\t",   "\\u0041", "\\u00e9",        "\\u20AC",        "\\uFFFF",
        "\\u0000", "\\u007f",  "\\u0800", "\\ud83d\\ude00", "\\uDBFF\\uDFFF", "plain text",
        "\xFF"};
    struct random random = random_stream(6, 0);
    struct text_buffer text = {0};
    for (int round = 0; round < 5000; round++) {
        cJSON *value = NULL;
        text_buffer_clear(&text);
        text_buffer_append_char(&text, '"');
        for (uint64_t left = random_below(&random, 12); left > 0; left--)
            text_buffer_append(
                &text, pieces[random_below(&random, sizeof pieces / sizeof *pieces)]);
        text_buffer_append_char(&text, '"');
        assert_ok(json_parse(&value, text.data, text.length, "x", &error));
        char *said = json_string_text(text.data + 1, text.length - 2);
        assert_string_equal(said, value->valuestring);
        free(said);
        cJSON_Delete(value);
    }
    text_buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_stop_where_a_walk_over_bytes_stops),
        cmocka_unit_test(strings_of_escapes_stop_alike),
        cmocka_unit_test(strings_say_what_the_parser_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
