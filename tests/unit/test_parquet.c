#include "fixture.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "data_gen/parquet.h"
#include "data_gen/parquet_codec.h"
#include "data_gen/parquet_schema.h"
#include "data_gen/records.h"

/* The files are pyarrow's: scripts/reference/make-parquet-goldens. */

static const char *const names[] = {"chats", "values", "lz4", "deltas", "nested", "legacy"};
enum { NAME_COUNT = sizeof names / sizeof *names };

static void golden_path(char path[100], size_t name, const char *ending)
{
    snprintf(path, 100, "tests/golden/parquet/%s%s", names[name], ending);
}

static enum status keep(void *context, const void *bytes, size_t count, size_t consumed,
                        struct error *sink_error)
{
    (void)consumed, (void)sink_error;
    text_buffer_append_bytes(context, bytes, count);
    return STATUS_OK;
}

static enum status keep_row(void *context, const cJSON *object, int64_t line,
                            struct error *visit_error)
{
    (void)line, (void)visit_error;
    cJSON_AddItemToArray(context, cJSON_Duplicate(object, true));
    return STATUS_OK;
}

static void the_rows_of_other_writers(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        char path[100];
        cJSON *rows = cJSON_CreateArray();
        cJSON *expected = cJSON_CreateArray();
        golden_path(path, i, ".parquet");
        assert_ok(records_read(path, keep_row, rows, &error));
        golden_path(path, i, ".jsonl");
        assert_ok(records_read(path, keep_row, expected, &error));
        assert_true(cJSON_GetArraySize(expected) >= 4);
        if (!cJSON_Compare(rows, expected, true))
            fail_msg("%s: other rows", names[i]);
        cJSON_Delete(rows);
        cJSON_Delete(expected);
    }
}

/* Of bytes in memory. */
static enum status lines_of(const char *bytes, size_t count, const char *where,
                            struct text_buffer *out)
{
    const struct file_map map = {
        .data = (const unsigned char *)bytes, .bytes = count, .is_copy = true};
    return parquet_to_lines(&map, where, keep, out, &error);
}

/* Columns keep their order, and text every character. */
static void a_row_is_a_line(void **state)
{
    (void)state;
    struct file_map map;
    struct text_buffer out = {0};
    assert_ok(file_map(&map, "tests/golden/parquet/chats.parquet", &error));
    assert_true(parquet_is(map.data, map.bytes));
    assert_ok(parquet_to_lines(&map, "x", keep, &out, &error));
    assert_true(text_starts_with(
        text_buffer_string(&out),
        "{\"messages\":null,\"id\":\"row-0\",\"turns\":0}\n"
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Text 1, 0: é \\\"漢\\\"\\n\"},"));
    text_buffer_release(&out);
    file_unmap(&map);
}

/* Whatever is changed or missing, it ends, with rows or with an error that names the file.
 */
static void damage_is_survived_and_said(void **state)
{
    (void)state;
    size_t refused = 0, tried = 0;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        char path[100];
        struct file_map map;
        golden_path(path, i, ".parquet");
        assert_ok(file_map(&map, path, &error));
        for (size_t at = 4; at + 4 < map.bytes; at += i ? 3 : 1) {
            struct text_buffer out = {0};
            char *copy = memory_duplicate_bytes((const char *)map.data, map.bytes);
            copy[at] ^= (char)(1 << at % 8);
            error = (struct error){0};
            tried++;
            if (lines_of(copy, map.bytes, "x.parquet", &out)) {
                refused++;
                assert_message("x.parquet: ");
            }
            text_buffer_release(&out);
            free(copy);
        }
        file_unmap(&map);
    }
    assert_in_range(refused, tried / 4, tried);
}

/* Where the writer left checksums, not a letter of the text may change. */
static void checksums_are_checked(void **state)
{
    (void)state;
    struct file_map map;
    struct text_buffer out = {0};
    assert_ok(file_map(&map, "tests/golden/parquet/chats.parquet", &error));
    char *copy = memory_duplicate_bytes((const char *)map.data, map.bytes);
    char *text = memmem(copy, map.bytes, "Text", 4);
    assert_non_null(text);
    text[1] = 'a';
    assert_int_equal(lines_of(copy, map.bytes, "x", &out), STATUS_FORMAT);
    assert_message("the Parquet column 'content' is damaged (its checksum)");
    text_buffer_release(&out);
    free(copy);
    file_unmap(&map);
}

static void ends_that_lie_are_refused(void **state)
{
    (void)state;
    struct text_buffer out = {0};
    static const char large[] = "PAR1\xFF\xFF\xFF\x7FPAR1";
    static const char empty[] = "PAR1\0\0\0\0PAR1";
    assert_false(parquet_is("PAR1PAR1", 8));
    assert_false(parquet_is("PAR1,b\nPAR2,\n", 13));
    assert_int_equal(lines_of(large, 12, "x", &out), STATUS_FORMAT);
    assert_message("x: the Parquet file's end names 2147483647 bytes");
    assert_int_equal(lines_of(empty, 12, "x", &out), STATUS_FORMAT);
    assert_message("x: the Parquet file's metadata are damaged");
    assert_int_equal(out.length, 0);
}

/* A literal, a copy of one byte's offset that runs into itself, one of two bytes'. */
static void snappy_copies_run_into_themselves(void **state)
{
    (void)state;
    static const unsigned char packed[] = {16,         2 << 2, 'a',        'b', 'c',
                                           5 << 2 | 1, 3,      3 << 2 | 2, 12,  0};
    unsigned char out[17] = {0};
    assert_true(snappy_unpack(packed, sizeof packed, out, 16));
    assert_string_equal((const char *)out, "abcabcabcabcabca");
    assert_false(snappy_unpack(packed, sizeof packed, out, 15));
    for (size_t count = 0; count < sizeof packed; count++)
        assert_false(snappy_unpack(packed, count, out, 16));
    static const unsigned char early[] = {4, 0 << 2, 'a', 0 << 2 | 1, 2}; /* from before */
    assert_false(snappy_unpack(early, sizeof early, out, 5));
    assert_int_equal(parquet_unpack(CODEC_BROTLI, packed, 4, out, 4, &error),
                     STATUS_UNSUPPORTED);
    assert_message("is packed with brotli");
}

/* Two letters, sixteen copied with a length in two bytes, then letters alone. */
static void lz4_blocks_are_read(void **state)
{
    (void)state;
    static const unsigned char packed[] = {2 << 4 | 15, 'a',    'b', 2,   0,
                                           1,           3 << 4, 'x', 'y', 'z'};
    unsigned char out[26] = {0};
    assert_true(lz4_unpack(packed, sizeof packed, out, 25));
    assert_string_equal((const char *)out, "abababababababababababxyz");
    assert_false(lz4_unpack(packed, sizeof packed, out, 24));
    for (size_t count = 0; count < sizeof packed; count++)
        assert_false(lz4_unpack(packed, count, out, 25));
    static const unsigned char early[] = {1 << 4, 'a', 2, 0, 0}; /* from before */
    assert_false(lz4_unpack(early, sizeof early, out, 5));
}

/* Encodings.md's example: 0 to 7 in three bits; then five times 4. */
static void runs_and_packed_bits_take_turns(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {3, 0x88, 0xC6, 0xFA, 5 << 1, 4};
    struct hybrid_reader reader = {.bytes = bytes, .count = sizeof bytes, .width = 3};
    uint32_t value;
    for (uint32_t i = 0; i < 13; i++) {
        assert_true(hybrid_next(&reader, &value));
        assert_int_equal(value, i < 8 ? i : 4);
    }
    assert_false(hybrid_next(&reader, &value));
}

/* Encodings.md's second example: 7 5 3 1 2 3 4 5, of blocks of 128 in 4 miniblocks. */
static void deltas_add_up(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x80, 1,    4,    8, 14, 3, 2, 0, 0,
                                          0,    0xC0, 0x3F, 0, 0,  0, 0, 0, 0};
    static const int64_t expected[] = {7, 5, 3, 1, 2, 3, 4, 5};
    int64_t *values;
    size_t count;
    assert_int_equal(delta_unpack(bytes, sizeof bytes, 8, &values, &count), sizeof bytes);
    assert_int_equal(count, 8);
    assert_memory_equal(values, expected, sizeof expected);
    free(values);
    assert_int_equal(delta_unpack(bytes, sizeof bytes, 7, &values, &count), 0);
    free(values);
    assert_int_equal(delta_unpack(bytes, 11, 8, &values, &count), 0);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_of_other_writers),
        cmocka_unit_test(a_row_is_a_line),
        cmocka_unit_test(damage_is_survived_and_said),
        cmocka_unit_test(checksums_are_checked),
        cmocka_unit_test(ends_that_lie_are_refused),
        cmocka_unit_test(snappy_copies_run_into_themselves),
        cmocka_unit_test(lz4_blocks_are_read),
        cmocka_unit_test(runs_and_packed_bits_take_turns),
        cmocka_unit_test(deltas_add_up),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
