#include "fixture.h"

#include "base/memory.h"
#include "base/text_buffer.h"
#include "base/unpack.h"

#include <zlib.h>
#include <zstd.h>

/* gzip or zstd of `text`, appended to `out`. */
static void pack(enum packing packing, const char *text, size_t count,
                 struct text_buffer *out)
{
    const size_t limit = ZSTD_compressBound(count) + 1000;
    unsigned char *packed = memory_allocate(limit);
    size_t bytes;
    if (packing == PACKING_ZSTD) {
        bytes = ZSTD_compress(packed, limit, text, count, 3);
    } else {
        z_stream stream = {0};
        assert_int_equal(
            deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        unsigned char *in = (unsigned char *)memory_duplicate_bytes(text, count);
        stream.next_in = in;
        stream.avail_in = (uInt)count;
        stream.next_out = packed;
        stream.avail_out = (uInt)limit;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        bytes = stream.total_out;
        deflateEnd(&stream);
        free(in);
    }
    text_buffer_append_bytes(out, (const char *)packed, bytes);
    free(packed);
}

static enum status keep(void *context, const void *bytes, size_t count, size_t consumed,
                        struct error *sink_error)
{
    struct text_buffer *out = context;
    (void)sink_error;
    assert_true(count > 0);
    assert_true(consumed > 0);
    text_buffer_append_bytes(out, bytes, count);
    return STATUS_OK;
}

static const enum packing packings[] = {PACKING_GZIP, PACKING_ZSTD};

/* Sizes about the pieces of 1 MB, and members one after the other. */
static void what_was_packed_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, 5000000};
    char *text = memory_allocate(5000000);
    for (size_t i = 0; i < 5000000; i++)
        text[i] = (char)('a' + (i * i / 7) % 26);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct text_buffer packed = {0};
            struct text_buffer out = {0};
            pack(packings[k], text, sizes[i], &packed);
            pack(packings[k], "tail", 4, &packed);
            assert_int_equal(packing_of(packed.data, packed.length), packings[k]);
            assert_ok(unpack(packed.data, packed.length, "x", keep, &out, &error));
            assert_int_equal(out.length, sizes[i] + 4);
            assert_memory_equal(out.data, text, sizes[i]);
            assert_memory_equal(out.data + sizes[i], "tail", 4);
            text_buffer_release(&packed);
            text_buffer_release(&out);
        }
    free(text);
}

static void assert_damaged(const struct text_buffer *packed, size_t count,
                           const char *message)
{
    struct text_buffer out = {0};
    assert_int_equal(unpack(packed->data, count, "x.gz", keep, &out, &error),
                     STATUS_FORMAT);
    assert_message("x.gz: byte ");
    assert_message(message);
    text_buffer_release(&out);
}

static void what_is_cut_or_damaged_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct text_buffer packed = {0};
        char text[3000];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)(i * 7919 % 251);
        pack(packings[k], text, sizeof text, &packed);
        const size_t whole = packed.length;
        for (size_t count = 4; count < whole; count += 97)
            assert_damaged(&packed, count, "end too early");
        assert_damaged(&packed, whole - 1, "end too early");
        text_buffer_append(&packed, "and more");
        assert_damaged(&packed, packed.length, "damaged");
        text_buffer_release(&packed);
    }
    struct text_buffer packed = {0};
    pack(PACKING_GZIP, "some text", 9, &packed);
    packed.data[packed.length - 5] ^= 1; /* of the checksum */
    assert_damaged(&packed, packed.length, "incorrect data check");
    packed.data[packed.length - 5] ^= 1;
    packed.data[12] ^= 0x55;
    assert_damaged(&packed, packed.length, "damaged");
    text_buffer_release(&packed);
}

/* As gzip(1) and Python do; zeros in front of anything else are damage. */
static void zeros_behind_a_gzip_member_are_passed_over(void **state)
{
    (void)state;
    struct text_buffer packed = {0};
    struct text_buffer out = {0};
    pack(PACKING_GZIP, "some text", 9, &packed);
    for (int i = 0; i < 512; i++)
        text_buffer_append_char(&packed, '\0');
    assert_ok(unpack(packed.data, packed.length, "x", keep, &out, &error));
    assert_string_equal(text_buffer_string(&out), "some text");
    text_buffer_append_char(&packed, 'x');
    assert_damaged(&packed, packed.length, "damaged");
    text_buffer_release(&packed);
    text_buffer_release(&out);
}

/* Such a file is not damaged. The frame: magic, no sizes, a window of 2^28, the byte 'x'.
 */
static void a_window_that_is_too_large_is_said(void **state)
{
    (void)state;
    static const char frame[] = "\x28\xB5\x2F\xFD\x00\x90\x09\x00\x00x";
    struct text_buffer out = {0};
    assert_int_equal(unpack(frame, sizeof frame - 1, "x", keep, &out, &error),
                     STATUS_UNSUPPORTED);
    assert_message("x: was packed with a window of more than 128 MB: unpack it with `zstd");
    text_buffer_release(&out);
}

static enum status full(void *context, const void *bytes, size_t count, size_t consumed,
                        struct error *sink_error)
{
    (void)context, (void)bytes, (void)count, (void)consumed;
    return error_set(sink_error, STATUS_IO, "the disk is full");
}

static void a_sink_may_stop_it(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct text_buffer packed = {0};
        pack(packings[k], "text", 4, &packed);
        assert_int_equal(unpack(packed.data, packed.length, "x", full, NULL, &error),
                         STATUS_IO);
        assert_message("the disk is full");
        text_buffer_release(&packed);
    }
}

static void other_formats_are_told_with_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *words;
    } kinds[] = {{"PAR1\x15\x04", 6, "Parquet"},
                 {"ARROW1\0\0", 8, "Arrow"},
                 {"\xFD"
                  "7zXZ\0",
                  6, "`xz -d`"},
                 {"BZh91AY&SY", 10, "`bzip2 -d`"},
                 {"PK\x03\x04", 4, "`unzip`"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_int_equal(bytes_check_readable(kinds[i].bytes, kinds[i].count, "x", &error),
                         STATUS_UNSUPPORTED);
        assert_message(kinds[i].words);
    }
    assert_int_equal(bytes_check_readable("\xFF\xFEg\0", 4, "x", &error),
                     STATUS_UNSUPPORTED);
    assert_message("iconv -f UTF-16");
    assert_int_equal(bytes_check_readable("goal\0\1\n", 7, "list.bin", &error),
                     STATUS_FORMAT);
    assert_message("list.bin: this is no text: byte 5 is NUL");
    assert_ok(bytes_check_readable("", 0, "x", &error));
    assert_ok(bytes_check_readable("PAR1,b\n", 7, "x", &error)); /* a CSV header */
    assert_ok(bytes_check_readable("PAR1", 4, "x", &error));
    assert_int_equal(packing_of("\x1F", 1), PACKING_NONE);
    assert_int_equal(packing_of("[{}]", 4), PACKING_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_back),
        cmocka_unit_test(what_is_cut_or_damaged_is_refused),
        cmocka_unit_test(zeros_behind_a_gzip_member_are_passed_over),
        cmocka_unit_test(a_window_that_is_too_large_is_said),
        cmocka_unit_test(a_sink_may_stop_it),
        cmocka_unit_test(other_formats_are_told_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
