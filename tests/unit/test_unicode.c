#include "text/byte_level.h"
#include "text/string_table.h"
#include "text/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define R "\xEF\xBF\xBD" /* U+FFFD */

/* Expected: bytes.decode("utf-8", errors="replace") in Python 3.11. */
static const struct {
    const char *in;
    const char *out;
} repairs[] = {
    {"", ""},
    {"plain", "plain"},
    {"\x80", R},
    {"\xBF\xBF", R R},
    {"\xC0\x80", R R},
    {"\xC1\xBF", R R},
    {"\xC3", R},
    {"\xC3(", R "("},
    {"\xE2\x82", R},
    {"a\xE2\x82z", "a" R "z"},
    {"\xE2(\xA1", R "(" R},
    {"\xE0\x9F\xBF", R R R},
    {"\xED\xA0\x80", R R R},
    {"\xF0\x9F\x98", R},
    {"a\xF0\x9F"
     "b\x98\x80",
     "a" R "b" R R},
    {"\xF0\x8F\xBF\xBF", R R R R},
    {"\xF4\x90\x80\x80", R R R R},
    {"\xF5\x80\x80\x80", R R R R},
    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
     "A",
     R R R R "A"},
    {"\xF0\x9F\x99\x82\x80", "\xF0\x9F\x99\x82" R},
    {"\xEF\xBF\xBD", R},
    {"12345678\xFFlong enough for the run of eight",
     "12345678" R "long enough for the run of eight"},
};

static void test_repair(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof repairs / sizeof *repairs; i++) {
        struct text_buffer out = {0};
        utf8_append_repaired(&out, repairs[i].in, strlen(repairs[i].in));
        assert_string_equal(text_buffer_string(&out), repairs[i].out);
        assert_true(utf8_is_valid(text_buffer_string(&out), out.length));
        text_buffer_release(&out);
    }
}

static void test_valid(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("\0", 1));
    assert_true(utf8_is_valid("caf\xC3\xA9 \xF4\x8F\xBF\xBF", 10));
    assert_false(utf8_is_valid("caf\xC3\xA9", 4)); /* cut */
    assert_false(utf8_is_valid("\xED\xBF\xBF", 3));
}

/* Every code point survives encoding and decoding; surrogates never decode. */
static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char bytes[UTF8_BYTES_MAXIMUM];
        uint32_t back;
        if (code_point >= 0xD800 && code_point <= 0xDFFF)
            continue;
        const size_t count = utf8_encode(bytes, code_point);
        assert_int_equal(utf8_decode(bytes, count, &back), count);
        assert_int_equal(back, code_point);
        assert_int_equal(utf8_last_start(bytes, count), 0);
    }
}

static void test_classes(void **state)
{
    static const uint32_t spaces[] = {'\t', '\n',   0x0B,   '\r',   ' ',    0x85,
                                      0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000};
    static const uint32_t not_spaces[] = {0x1C, 0x180E, 0x200B, 0xFEFF, 'a', 0};
    static const uint32_t words[] = {'a',    '_',    '9',    0xE9,   0x301,  0x660,
                                     0x4E00, 0x2160, 0x203F, 0x200D, 0x24B6, 0x1F130};
    static const uint32_t not_words[] = {' ', '-', 0xB2, 0xBD, 0x2019, 0x1F600, 0x200B};
    (void)state;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        assert_true(unicode_is_white_space(spaces[i]));
    for (size_t i = 0; i < sizeof not_spaces / sizeof *not_spaces; i++)
        assert_false(unicode_is_white_space(not_spaces[i]));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_true(unicode_is_word(words[i]));
    for (size_t i = 0; i < sizeof not_words / sizeof *not_words; i++)
        assert_false(unicode_is_word(not_words[i]));
}

static void test_normal_forms(void **state)
{
    static const struct {
        enum unicode_form form;
        const char *in;
        const char *out;
    } cases[] = {
        {UNICODE_NFC, "ascii", "ascii"},
        {UNICODE_NFC, "e\xCC\x81", "\xC3\xA9"},
        {UNICODE_NFD, "\xC3\xA9", "e\xCC\x81"},
        {UNICODE_NFC, "\xE2\x84\xAB", "\xC3\x85"},     /* angstrom sign */
        {UNICODE_NFC, "\xEF\xAC\x81", "\xEF\xAC\x81"}, /* ligature fi stays */
        {UNICODE_NFKC, "\xEF\xAC\x81", "fi"},
        {UNICODE_NFKC, "\xEF\xBC\xA1", "A"}, /* full width A */
        {UNICODE_NFKD, "\xC3\xA9\xEF\xAC\x81",
         "e\xCC\x81"
         "fi"},
        {UNICODE_NFC, "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C"}, /* Hangul */
        {UNICODE_NFC, "q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87"}, /* order of marks */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_buffer out = {0};
        unicode_append_normalized(&out, cases[i].form, cases[i].in, strlen(cases[i].in));
        assert_string_equal(text_buffer_string(&out), cases[i].out);
        text_buffer_release(&out);
    }
}

static void test_byte_level_alphabet(void **state)
{
    bool seen[256] = {false};
    uint32_t last = 0;
    (void)state;
    assert_int_equal(byte_level_character(' '), 0x120);
    assert_int_equal(byte_level_character('\n'), 0x10A);
    assert_int_equal(byte_level_character(0xAD), 0x143);
    assert_int_equal(byte_level_character('!'), '!');
    assert_int_equal(byte_level_byte(' '), -1);
    assert_int_equal(byte_level_byte(0x144), -1);
    for (size_t i = 0; i < 256; i++) {
        const unsigned char byte = byte_level_ordered(i);
        const uint32_t character = byte_level_character(byte);
        assert_int_equal(byte_level_byte(character), byte);
        assert_true(i == 0 || character > last);
        assert_false(seen[byte]);
        seen[byte] = true;
        last = character;
    }
}

static void test_byte_level_spelling(void **state)
{
    struct text_buffer spelling = {0};
    struct text_buffer back = {0};
    (void)state;
    byte_level_spell(&spelling, " \xC3\xA9", 3);
    assert_string_equal(spelling.data, "\xC4\xA0\xC3\x83\xC2\xA9"); /* Ġ Ã © */
    assert_true(byte_level_unspell(&back, spelling.data, spelling.length));
    assert_string_equal(back.data, " \xC3\xA9");
    assert_false(byte_level_unspell(&back, "ab cd", 5)); /* a space is none of the 256 */
    assert_string_equal(back.data, " \xC3\xA9");
    text_buffer_release(&spelling);
    text_buffer_release(&back);
}

static void test_string_table(void **state)
{
    struct string_table table = {0};
    bool added;
    char key[32];
    (void)state;
    assert_null(string_table_find(&table, "x", 1));
    for (int i = 0; i < 5000; i++) {
        const int bytes = snprintf(key, sizeof key, "key number %d", i);
        string_table_add(&table, key, (size_t)bytes, i, &added);
        assert_true(added);
    }
    for (int i = 0; i < 5000; i++) {
        const int bytes = snprintf(key, sizeof key, "key number %d", i);
        assert_int_equal(string_table_find(&table, key, (size_t)bytes)->value, i);
        assert_string_equal(string_table_find(&table, key, (size_t)bytes)->key, key);
    }
    assert_int_equal(string_table_add(&table, "key number 7", 12, 99, &added)->value, 7);
    assert_false(added);
    assert_null(string_table_find(&table, "key number 5000", 15));
    assert_null(string_table_find(&table, "key", 3));
    string_table_add(&table, "a\0b", 3, 1, &added);
    assert_null(string_table_find(&table, "a\0c", 3));
    assert_int_equal(table.count, 5001);
    string_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_normal_forms),
        cmocka_unit_test(test_byte_level_alphabet),
        cmocka_unit_test(test_byte_level_spelling),
        cmocka_unit_test(test_string_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
