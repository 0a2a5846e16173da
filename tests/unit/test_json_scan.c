#include "fixture.h"

#include "base/json.h"
#include "base/json_scan.h"
#include "base/memory.h"

static void assert_elements(const char *text, const char *expected, const char *problem)
{
    struct json_scan scan;
    struct text_buffer out = {0};
    size_t begin, end;
    json_scan_init(&scan, text, strlen(text));
    json_scan_step(&scan);
    while (!scan.problem && json_scan_element(&scan, &begin, &end)) {
        text_buffer_append_bytes(&out, text + begin, end - begin);
        text_buffer_append_char(&out, '|');
    }
    assert_string_equal(text_buffer_string(&out), expected);
    if (problem)
        assert_non_null(strstr(scan.problem, problem));
    else
        assert_null(scan.problem);
    text_buffer_release(&out);
}

static void arrays_are_walked_element_by_element(void **state)
{
    (void)state;
    assert_elements("[]", "", NULL);
    assert_elements(" [ 1 , \"a]\\\"\" ,[2,[3]], {\"b\":[]} , null ] ",
                    "1|\"a]\\\"\"|[2,[3]]|{\"b\":[]}|null|", NULL);
    assert_elements("[1,]", "1|", "unexpected ']'");
    assert_elements("[1 2]", "1|", "unexpected '2'");
    assert_elements("[1,{\"a\" 2}]", "1|", "unexpected '2'");
    assert_elements("[1", "1|", "ends too early");
    assert_elements("[1}", "1|", "unexpected '}'");
    assert_elements("[tru]", "", "unexpected 't'");
}

static void members_are_walked_key_by_key(void **state)
{
    (void)state;
    const char *text = " {\"a\":1, \"b\" : [2,3],\"c\":{} } ";
    struct json_scan scan;
    struct text_buffer out = {0};
    size_t begin, end;
    json_scan_init(&scan, text, strlen(text));
    json_scan_step(&scan);
    while (json_scan_member(&scan, &begin, &end)) {
        const size_t value = scan.at;
        assert_true(json_scan_value(&scan));
        text_buffer_appendf(&out, "%.*s=%.*s;", (int)(end - begin), text + begin,
                            (int)(scan.at - value), text + value);
    }
    assert_null(scan.problem);
    assert_string_equal(text_buffer_string(&out), "\"a\"=1;\"b\"=[2,3];\"c\"={};");
    assert_int_equal(scan.at, strlen(text) - 1);
    text_buffer_release(&out);
}

static void tokens_are_kept_up_to_a_limit(void **state)
{
    (void)state;
    static struct json_tape tape;
    struct json_scan scan;
    struct text_buffer kinds = {0};
    const char *text = "{\"a\":[1,\"s\",true,null],\"b\":{}}";
    json_scan_init(&scan, text, strlen(text));
    scan.tape = &tape;
    assert_true(json_scan_text(&scan));
    for (size_t i = 0; i < tape.count; i++)
        text_buffer_append_char(&kinds, tape.tokens[i].kind);
    assert_string_equal(text_buffer_string(&kinds), "{k[0\"tn]k{}}");
    assert_int_equal(tape.tokens[4].begin, 8);
    assert_int_equal(tape.tokens[4].end, 11);
    assert_false(tape.overflow);
    text_buffer_clear(&kinds);
    text_buffer_append_char(&kinds, '[');
    for (int i = 0; i < JSON_TAPE_TOKENS; i++)
        text_buffer_append(&kinds, "1,");
    text_buffer_append(&kinds, "1]");
    tape.count = 0;
    json_scan_init(&scan, kinds.data, kinds.length);
    scan.tape = &tape;
    assert_true(json_scan_text(&scan));
    assert_int_equal(tape.count, JSON_TAPE_TOKENS);
    assert_true(tape.overflow);
    text_buffer_release(&kinds);
}

/* What ends a string is found wherever it stands in the blocks of 16 that are looked at. */
static void special_bytes_are_found_at_every_offset(void **state)
{
    (void)state;
    for (size_t length = 0; length < 70; length++)
        for (size_t at = 0; at <= length; at++) {
            char *text = memory_allocate(length + 3); /* nothing behind it may be read */
            struct json_scan scan;
            memset(text, at % 2 ? 0xC3 : 'x', length + 2);
            text[0] = text[length + 1] = '"';
            json_scan_init(&scan, text, length + 2);
            assert_true(json_scan_text(&scan));
            if (at == length) {
                free(text);
                continue;
            }
            text[at + 1] = 0x1F;
            json_scan_init(&scan, text, length + 2);
            assert_false(json_scan_text(&scan));
            assert_int_equal(scan.at, at + 1);
            text[at + 1] = '"';
            json_scan_init(&scan, text, length + 2);
            assert_true(json_scan_value(&scan));
            assert_int_equal(scan.at, at + 2);
            free(text);
        }
}

/* With blocks of text behind it a string is read by blocks, at the text's end by bytes. */
static void assert_both_agree(const char *string, size_t count, bool is_right)
{
    struct json_scan by_bytes, by_blocks;
    char *exact = memory_duplicate_bytes(string, count);
    char *padded = memory_allocate(count + 200);
    memset(padded, ' ', count + 200);
    memcpy(padded, string, count);
    json_scan_init(&by_bytes, exact, count);
    json_scan_init(&by_blocks, padded, count + 200);
    assert_int_equal(json_scan_value(&by_bytes), is_right);
    assert_int_equal(json_scan_value(&by_blocks), is_right);
    assert_int_equal(by_blocks.at, by_bytes.at);
    assert_int_equal(by_blocks.has_nul, by_bytes.has_nul);
    if (is_right)
        assert_int_equal(by_bytes.at, count);
    else
        assert_string_equal(by_blocks.problem, by_bytes.problem);
    free(exact);
    free(padded);
}

/* What is difficult in a string, astride the ends of blocks at each place. */
static void strings_are_read_alike_at_every_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_right;
    } pieces[] = {
        {"\\\"", true},
        {"\\\\", true},
        {"\\\\\\\"", true},
        {"\\n\\t\\/", true},
        {"[{\\\"}]:,", true},
        {"\\u00e9\\u20AC", true},
        {"\\u0000", true},
        {"\\ud83d\\ude00", true},
        {"\\uDBFF\\uDFFF\\ud83d\\ude00", true},
        {"\\\\u12", true},
        {"\\uD7FF\\uE000", true},
        {"\xC3\xA9\x7F", true},
        {"\\x", false},
        {"\\U0041", false},
        {"\\u12g4", false},
        {"\\u123", false},
        {"\\ud83d", false},
        {"\\ude00", false},
        {"\\ud83dx\\ude00", false},
        {"\\ud83d\\u0041", false},
        {"\\ud83d\\\\ude00", false},
        {"\\ude00\\ud83d", false},
        {"\n", false},
        {"\x1F", false},
    };
    char string[256];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (size_t before = 0; before < 140; before++)
            for (size_t after = 0; after < 70; after += 1 + after / 8) {
                const size_t piece = strlen(pieces[i].text);
                const size_t count = before + piece + after + 2;
                memset(string, 'x', count);
                memcpy(string + 1 + before, pieces[i].text, piece);
                string[0] = string[count - 1] = '"';
                assert_both_agree(string, count, pieces[i].is_right);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_walked_element_by_element),
        cmocka_unit_test(members_are_walked_key_by_key),
        cmocka_unit_test(tokens_are_kept_up_to_a_limit),
        cmocka_unit_test(special_bytes_are_found_at_every_offset),
        cmocka_unit_test(strings_are_read_alike_at_every_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
