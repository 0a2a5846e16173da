#include "base/memory.h"
#include "checkpoints/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const char golden_path[] = "tests/golden/safetensors/tiny.safetensors";
static char folder[] = "/tmp/test_safetensors.XXXXXX";
static const char *output; /* folder, or $HOLDFAST_KEEP for make-safetensors-goldens */

static int make_folder(void **state)
{
    (void)state;
    output = getenv("HOLDFAST_KEEP");
    if (!output)
        output = mkdtemp(folder);
    return output ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return getenv("HOLDFAST_KEEP") ? 0 : (int)file_remove_tree(folder, NULL);
}

static char *output_path(const char *name)
{
    return path_join(output, name);
}

/* The tensors of tests/golden/safetensors/tiny.safetensors, all values exact in fp32. */
static const int64_t ids[] = {-1, (int64_t)1 << 40, 7};
static const float matrix[] = {-1, -0.5f, 0, 0.5f, 1, 1.5f};
static const float scalar[] = {3.25f};
static const int32_t steps[] = {1, -2};
static const float brain[] = {1, -2.5f, 1.0f / 3, 1e30f};
static const float half[] = {1, -2.5f, 1.0f / 3, 65504};
static const uint8_t bytes[] = {0, 1, 254, 255, 9};
static const struct safetensors_tensor tiny[] = {
    {"ids", ids, DTYPE_I64, DTYPE_I64, 1, {3}},
    {"empty", NULL, DTYPE_F32, DTYPE_F32, 2, {0, 4}},
    {"matrix", matrix, DTYPE_F32, DTYPE_F32, 2, {2, 3}},
    {"scalar", scalar, DTYPE_F32, DTYPE_F32, 0, {0}},
    {"steps", steps, DTYPE_I32, DTYPE_I32, 1, {2}},
    {"brain", brain, DTYPE_F32, DTYPE_BF16, 1, {4}},
    {"half", half, DTYPE_F32, DTYPE_F16, 1, {4}},
    {"bytes", bytes, DTYPE_U8, DTYPE_U8, 1, {5}},
};
enum { TINY_COUNT = sizeof tiny / sizeof *tiny };
static const char *const note[] = {"note", "nnn"};

static void assert_same_file(const char *path, const char *expected_path)
{
    struct error error;
    struct text_buffer got = {0};
    struct text_buffer expected = {0};
    assert_int_equal(file_read(&got, path, 0, &error), STATUS_OK);
    assert_int_equal(file_read(&expected, expected_path, 0, &error), STATUS_OK);
    assert_int_equal(got.length, expected.length);
    assert_memory_equal(got.data, expected.data, got.length);
    text_buffer_release(&got);
    text_buffer_release(&expected);
}

static void writes_the_bytes_of_the_reference(void **state)
{
    (void)state;
    struct error error;
    char *path = output_path("tiny.safetensors");
    assert_int_equal(safetensors_write(path, tiny, TINY_COUNT, note, 1, &error), STATUS_OK);
    assert_same_file(path, golden_path);
    assert_int_equal(safetensors_write(path, tiny, TINY_COUNT, note, 1, &error), STATUS_OK);
    assert_same_file(path, golden_path);
    free(path);
}

static void reads_the_golden(void **state)
{
    (void)state;
    struct error error;
    struct safetensors file;
    assert_int_equal(safetensors_open(&file, golden_path, &error), STATUS_OK);
    assert_int_equal(file.entry_count, TINY_COUNT);
    assert_string_equal(safetensors_metadata(&file, "note"), "nnn");
    assert_null(safetensors_metadata(&file, "format"));
    assert_null(safetensors_find(&file, "matrix2"));
    for (size_t i = 1; i < file.entry_count; i++)
        assert_true(strcmp(file.entries[i - 1].name, file.entries[i].name) < 0);
    for (size_t i = 0; i < TINY_COUNT; i++) {
        const struct safetensors_entry *entry = safetensors_find(&file, tiny[i].name);
        assert_non_null(entry);
        assert_int_equal(entry->dtype, tiny[i].stored);
        assert_int_equal(entry->rank, tiny[i].rank);
        assert_memory_equal(entry->shape, tiny[i].shape, sizeof entry->shape);
        assert_int_equal(entry->bytes, safetensors_stored_bytes(&tiny[i]));
        if (tiny[i].dtype == tiny[i].stored && entry->bytes > 0)
            assert_memory_equal(entry->data, tiny[i].data, entry->bytes);
    }
    assert_int_equal(safetensors_find(&file, "scalar")->count, 1);
    assert_int_equal(safetensors_find(&file, "empty")->count, 0);
    safetensors_copy(safetensors_find(&file, "empty"), NULL, DTYPE_BF16);
    safetensors_close(&file);
}

static void converts_when_copying(void **state)
{
    (void)state;
    struct error error;
    struct safetensors file;
    float wide[4];
    uint16_t narrow[6];
    assert_int_equal(safetensors_open(&file, golden_path, &error), STATUS_OK);
    safetensors_copy(safetensors_find(&file, "brain"), wide, DTYPE_F32);
    for (int i = 0; i < 4; i++)
        assert_true(wide[i] == bf16_to_float(bf16_from_float(brain[i])));
    assert_true(wide[2] == 0.333984375f); /* 0x3EAB: 1/3 to 8 significant bits */
    safetensors_copy(safetensors_find(&file, "half"), wide, DTYPE_F32);
    assert_true(wide[2] == 0.333251953125f); /* 0x3555: 1/3 to 11 significant bits */
    assert_true(wide[3] == 65504);
    safetensors_copy(safetensors_find(&file, "matrix"), narrow, DTYPE_BF16);
    for (int i = 0; i < 6; i++)
        assert_true(bf16_to_float(narrow[i]) == matrix[i]);
    safetensors_close(&file);
}

/* Larger than the chunks of the writer (16384) and of an unaligned copy (1024). */
enum { LONG_COUNT = 2 * 16384 + 5 };

static void round_trips(enum dtype dtype, enum dtype stored, const void *data)
{
    struct error error;
    struct safetensors file;
    char *path = output_path("long.safetensors");
    const struct safetensors_tensor tensor = {"x", data, dtype, stored, 1, {LONG_COUNT}};
    assert_int_equal(safetensors_write(path, &tensor, 1, NULL, 0, &error), STATUS_OK);
    assert_int_equal(safetensors_open(&file, path, &error), STATUS_OK);
    const struct safetensors_entry *entry = safetensors_find(&file, "x");
    const size_t count = LONG_COUNT * dtype_bytes(dtype);
    void *copy = memory_allocate(count);
    assert_int_equal(entry->count, LONG_COUNT);
    safetensors_copy(entry, copy, dtype);
    assert_memory_equal(copy, data, count);
    free(copy);
    safetensors_close(&file);
    free(path);
}

static void round_trips_every_dtype(void **state)
{
    (void)state;
    float *real = memory_allocate_array(LONG_COUNT, sizeof *real);
    int64_t *whole = memory_allocate_array(LONG_COUNT, sizeof *whole);
    uint16_t *brains = memory_allocate_array(LONG_COUNT, sizeof *brains);
    for (int i = 0; i < LONG_COUNT; i++) {
        real[i] = (float)(i % 509 - 254) / 4; /* 8 significant bits: exact in bf16, f16 */
        whole[i] = (int64_t)i * 0x123456789;
        brains[i] = bf16_from_float(real[i]);
    }
    round_trips(DTYPE_F32, DTYPE_F32, real);
    round_trips(DTYPE_F32, DTYPE_BF16, real);
    round_trips(DTYPE_F32, DTYPE_F16, real);
    round_trips(DTYPE_BF16, DTYPE_BF16, brains);
    round_trips(DTYPE_BF16, DTYPE_F32, brains);
    round_trips(DTYPE_I64, DTYPE_I64, whole);
    round_trips(DTYPE_I32, DTYPE_I32, whole);
    round_trips(DTYPE_U8, DTYPE_U8, whole);
    free(real);
    free(whole);
    free(brains);
}

static void aligns_tensors_of_mixed_dtypes(void **state)
{
    (void)state;
    static const uint8_t small[] = {1, 2, 3};
    static const float real[] = {1, 2, 3};
    static const int64_t whole[] = {1, 2, 3};
    const struct safetensors_tensor tensors[] = {
        {"u8", small, DTYPE_U8, DTYPE_U8, 1, {3}},
        {"bf16", real, DTYPE_F32, DTYPE_BF16, 1, {3}},
        {"f32", real, DTYPE_F32, DTYPE_F32, 1, {3}},
        {"i64", whole, DTYPE_I64, DTYPE_I64, 1, {3}},
        {"i64 more", whole, DTYPE_I64, DTYPE_I64, 1, {3}},
    };
    struct error error;
    struct safetensors file;
    char *path = output_path("mixed.safetensors");
    assert_int_equal(safetensors_write(path, tensors, 5, NULL, 0, &error), STATUS_OK);
    assert_int_equal(safetensors_open(&file, path, &error), STATUS_OK);
    const unsigned char *data = safetensors_find(&file, "i64")->data;
    assert_int_equal((data - file.map.data) % 64, 0);
    assert_ptr_equal(safetensors_find(&file, "i64 more")->data, data + 24);
    assert_ptr_equal(safetensors_find(&file, "f32")->data, data + 48);
    assert_ptr_equal(safetensors_find(&file, "bf16")->data, data + 60);
    assert_ptr_equal(safetensors_find(&file, "u8")->data, data + 66);
    safetensors_close(&file);
    free(path);
}

static void writes_any_name_and_metadata(void **state)
{
    (void)state;
    static const char *const metadata[] = {"a\"b\\", "line\nline", "l", "", "k", "é"};
    const struct safetensors_tensor tensor = {"päth/\"x\"\t", bytes, DTYPE_U8,
                                              DTYPE_U8,       1,     {5}};
    struct error error;
    struct safetensors file;
    char *path = output_path("names.safetensors");
    assert_int_equal(safetensors_write(path, &tensor, 1, metadata, 3, &error), STATUS_OK);
    assert_int_equal(safetensors_open(&file, path, &error), STATUS_OK);
    assert_non_null(safetensors_find(&file, tensor.name));
    assert_string_equal(safetensors_metadata(&file, "a\"b\\"), "line\nline");
    assert_string_equal(safetensors_metadata(&file, "k"), "é");
    safetensors_close(&file);
    assert_int_equal(safetensors_write(path, NULL, 0, NULL, 0, &error), STATUS_OK);
    assert_int_equal(safetensors_open(&file, path, &error), STATUS_OK);
    assert_int_equal(file.entry_count, 0);
    assert_int_equal(file.map.bytes, 64);
    safetensors_close(&file);
    free(path);
}

/* Length, header and `data_bytes` bytes 0, 1, 2, …, as one file in memory. */
static struct text_buffer image_of(const char *header, size_t header_bytes,
                                   size_t data_bytes)
{
    struct text_buffer image = {0};
    const uint64_t length = header_bytes;
    text_buffer_append_bytes(&image, (const char *)&length, sizeof length);
    text_buffer_append_bytes(&image, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++)
        text_buffer_append_char(&image, (char)i);
    return image;
}

static enum status parse_image(struct safetensors *file, struct text_buffer *image,
                               struct error *error)
{
    /* A block of exactly this size, so that the address sanitizer sees each byte more. */
    void *copy = memory_allocate(image->length);
    memcpy(copy, image->data, image->length);
    const enum status status = safetensors_parse(file, copy, image->length, "x", error);
    if (status)
        assert_null(file->entries);
    free(copy);
    text_buffer_release(image);
    return status;
}

#define ENTRY(name, dtype, shape, offsets)                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets  \
    "}"

static const struct {
    const char *header;
    size_t data_bytes;
    const char *message;
} hostile[] = {
    {"[]", 0, "x: byte 8: the header does not begin with '{'; is this a safetensors file?"},
    {" {}", 0,
     "x: byte 8: the header does not begin with '{'; is this a safetensors file?"},
    {"", 0, "x: byte 8: the header does not begin with '{'; is this a safetensors file?"},
    {"{\"\xff\":1}", 0, "x: byte 10: the header is not valid UTF-8"},
    {"{\"\xc0\x80\":1}", 0, "x: byte 10: the header is not valid UTF-8"},
    {"{\"\xed\xa0\x80\":1}", 0, "x: byte 10: the header is not valid UTF-8"},
    {"{\"\xf4\x90\x80\x80\":1}", 0, "x: byte 10: the header is not valid UTF-8"},
    {"{\"\xe2\x82", 0, "x: byte 10: the header is not valid UTF-8"},
    {"{" ENTRY("a\\u0000b", "U8", "[1]", "[0,1]") "}", 1, "x: byte 11: NUL in the header"},
    {"{\"a\":1}", 0, "x: tensor 'a': not an object"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1,
     "x: tensor 'a': 'data_offsets' is missing"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1,
     "x: tensor 'a': 'shape' is missing"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "x: tensor 'a': 'dtype' is missing"},
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "x: line 1, column 20: \"dtype\" stands twice in one object: take one of them out"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "x: tensor 'a': dtype is not a string"},
    {"{" ENTRY("a", "U8", "1", "[0,1]") "}", 1, "x: tensor 'a': shape is not an array"},
    {"{" ENTRY("a", "U8", "[-1]", "[0,1]") "}", 1,
     "x: tensor 'a': shape[0] is not a whole number from 0 to 2^53"},
    {"{" ENTRY("a", "U8", "[1,1.5]", "[0,1]") "}", 1,
     "x: tensor 'a': shape[1] is not a whole number from 0 to 2^53"},
    {"{" ENTRY("a", "U8", "[1e300]", "[0,1]") "}", 1,
     "x: tensor 'a': shape[0] is not a whole number from 0 to 2^53"},
    {"{" ENTRY("a", "U8", "[4294967296,4294967296]", "[0,0]") "}", 0,
     "x: tensor 'a': its shape overflows"},
    {"{" ENTRY("a", "I64", "[4294967296,2147483647]", "[0,0]") "}", 0,
     "x: tensor 'a': its shape overflows"},
    {"{" ENTRY("a", "U8", "[1]", "[0]") "}", 1,
     "x: tensor 'a': data_offsets are not [begin, end] in bytes"},
    {"{" ENTRY("a", "U8", "[1]", "[0,1,2]") "}", 1,
     "x: tensor 'a': data_offsets are not [begin, end] in bytes"},
    {"{" ENTRY("a", "U8", "[1]", "[1,0]") "}", 1,
     "x: tensor 'a': data_offsets are not [begin, end] in bytes"},
    {"{" ENTRY("a", "U8", "[1]", "[-1,0]") "}", 1,
     "x: tensor 'a': data_offsets are not [begin, end] in bytes"},
    {"{" ENTRY("a", "U8", "[1]", "[18446744073709551615,0]") "}", 1,
     "x: tensor 'a': data_offsets are not [begin, end] in bytes"},
    {"{" ENTRY("a", "F32", "[2]", "[0,4]") "}", 4,
     "x: tensor 'a': data_offsets span 4 bytes, but dtype and shape need 8"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[1,3]") "}", 3,
     "x: tensor 'b': its data begin at 1, but the data before end at 2 (overlap)"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[0,2]") "}", 2,
     "x: tensor 'b': its data begin at 0, but the data before end at 2 (overlap)"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[3,5]") "}", 5,
     "x: tensor 'b': its data begin at 3, but the data before end at 2 (hole)"},
    {"{" ENTRY("a", "U8", "[2]", "[1,3]") "}", 3,
     "x: tensor 'a': its data begin at 1, but the data before end at 0 (hole)"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("a", "U8", "[2]", "[2,4]") "}", 4,
     "x: line 1, column 54: \"a\" stands twice in one object: take one of them out"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "}", 1,
     "x: truncated: expected 63 bytes, the file has 62; download or copy it again"},
    {"{" ENTRY("a", "U8", "[2]", "[0,2]") "}", 3,
     "x: expected 63 bytes, the file has 64: unknown data after the last tensor"},
    {"{" ENTRY("a", "U8", "[9007199254740992]", "[0,9007199254740992]") "}", 3,
     "x: truncated: expected 9007199254741083 bytes, the file has 94; download or copy it "
     "again"},
    {"{}", 1, "x: expected 10 bytes, the file has 11: unknown data after the last tensor"},
    {"{\"__metadata__\":[]}", 0, "x: '__metadata__' is not an object"},
    {"{\"__metadata__\":{\"k\":1}}", 0,
     "x: '__metadata__': the value of 'k' is not a string"},
    {"{\"__metadata__\":{\"k\":\"v\"},\"__metadata__\":{}}", 0,
     "x: line 1, column 27: \"__metadata__\" stands twice in one object: take one of "
     "them out"},
    {"{" ENTRY("\\u001b[31m\\n", "U8", "[2]", "[0,1]") "}", 1,
     "x: tensor '?[31m?': data_offsets span 1 bytes, but dtype and shape need 2"},
};

static void refuses_hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct safetensors file;
        struct error error = {0};
        const char *header = hostile[i].header;
        struct text_buffer image = image_of(header, strlen(header), hostile[i].data_bytes);
        assert_int_equal(parse_image(&file, &image, &error), STATUS_FORMAT);
        assert_string_equal(error.message, hostile[i].message);
        assert_int_equal(error.status, STATUS_FORMAT);
        image = image_of(header, strlen(header), hostile[i].data_bytes);
        assert_int_equal(parse_image(&file, &image, NULL), STATUS_FORMAT);
    }
}

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const headers[] = {"{", "{}x", "{\"a\":}", "{\"a\":{}", "{,}"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct safetensors file;
        struct error error = {0};
        struct text_buffer image = image_of(headers[i], strlen(headers[i]), 0);
        assert_int_equal(parse_image(&file, &image, &error), STATUS_FORMAT);
        assert_memory_equal(error.message, "x", 1);
    }
    struct safetensors file;
    struct error error = {0};
    struct text_buffer image = image_of("{}\0 ", 4, 0);
    assert_int_equal(parse_image(&file, &image, &error), STATUS_FORMAT);
    assert_string_equal(error.message, "x: byte 10: NUL in the header");
}

static void refuses_unsupported_tensors_by_name(void **state)
{
    (void)state;
    struct safetensors file;
    struct error error = {0};
    const char *header = "{" ENTRY("w", "F8_E4M3", "[1]", "[0,1]") "}";
    struct text_buffer image = image_of(header, strlen(header), 1);
    assert_int_equal(parse_image(&file, &image, &error), STATUS_UNSUPPORTED);
    assert_string_equal(error.message,
                        "x: tensor 'w': dtype 'F8_E4M3' is not supported (F32, BF16, F16, "
                        "I32, I64 and U8 are); convert the model first");
    header = "{" ENTRY("w", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}";
    image = image_of(header, strlen(header), 1);
    assert_int_equal(parse_image(&file, &image, &error), STATUS_UNSUPPORTED);
    assert_string_equal(error.message, "x: tensor 'w': more than 8 dimensions");
}

static void assert_bytes_refused(const char *data, size_t count, const char *message)
{
    struct safetensors file;
    struct error error = {0};
    struct text_buffer image = {0};
    text_buffer_append_bytes(&image, data, count);
    assert_int_equal(parse_image(&file, &image, &error), STATUS_FORMAT);
    assert_string_equal(error.message, message);
}

static void refuses_a_device(void **state)
{
    (void)state;
    struct safetensors file;
    struct error error = {0};
    assert_int_equal(safetensors_open(&file, "/dev/null", &error), STATUS_FORMAT);
    assert_string_equal(error.message, "/dev/null: is a pipe or a device, not a file; "
                                       "download or copy it again");
}

static void refuses_what_is_no_safetensors_file(void **state)
{
    (void)state;
    assert_bytes_refused("\2\0\0\0\0\0\0", 7,
                         "x: 7 bytes, too small for a safetensors file (at least 8); "
                         "download or copy it again");
    assert_bytes_refused("\3\0\0\0\0\0\0\0{}", 10,
                         "x: the header should end at byte 11, but the file has 10 bytes: "
                         "truncated, or not a safetensors file; download or copy it again");
    assert_bytes_refused("\1\xe1\xf5\5\0\0\0\0{}", 10,
                         "x: byte 0: header length 100000001 is over the limit of "
                         "100000000; is this a safetensors file?");
    assert_bytes_refused("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10,
                         "x: byte 0: header length 18446744073709551615 is over the limit "
                         "of 100000000; is this a safetensors file?");
    const char *pointer = "version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:4d7a214614ab2935\nsize 12345\n";
    assert_bytes_refused(pointer, strlen(pointer),
                         "x: is a git-LFS pointer, not the file itself; fetch the file "
                         "with 'git lfs pull'");
}

static void cuts_long_names_between_characters(void **state)
{
    (void)state;
    struct text_buffer header = {0};
    text_buffer_append(&header, "{\"a");
    for (int i = 0; i < 60; i++)
        text_buffer_append(&header, "é");
    text_buffer_append(&header, "\":1}");
    struct text_buffer image = image_of(header.data, header.length, 0);
    struct safetensors file;
    struct error error = {0};
    assert_int_equal(parse_image(&file, &image, &error), STATUS_FORMAT);
    struct text_buffer expected = {0};
    text_buffer_append(&expected, "x: tensor 'a");
    for (int i = 0; i < 47; i++)
        text_buffer_append(&expected, "é");
    text_buffer_append(&expected, "...': not an object");
    assert_string_equal(error.message, expected.data);
    text_buffer_release(&expected);
    text_buffer_release(&header);
}

static void reads_padded_scrambled_and_scalar(void **state)
{
    (void)state;
    /* Data in another order than the header's, an empty tensor inside, unknown keys. */
    const char *header =
        "{" ENTRY("z", "U8", "[2]", "[1,3]") "," ENTRY("s", "U8", "[]", "[0,1]") "," ENTRY(
            "e", "F32", "[7,0]", "[1,1]") ",\"y\":{\"dtype\":\"U8\",\"shape\":[1],"
                                          "\"data_offsets\":[3,4],\"more\":[]},"
                                          "\"__metadata__\":null}    ";
    struct text_buffer image = image_of(header, strlen(header), 4);
    struct safetensors file;
    struct error error;
    assert_int_equal(safetensors_parse(&file, image.data, image.length, "x", &error),
                     STATUS_OK);
    assert_int_equal(file.entry_count, 4);
    assert_memory_equal(safetensors_find(&file, "s")->data, "\0", 1);
    assert_memory_equal(safetensors_find(&file, "z")->data, "\1\2", 2);
    assert_memory_equal(safetensors_find(&file, "y")->data, "\3", 1);
    assert_int_equal(safetensors_find(&file, "e")->bytes, 0);
    assert_int_equal(safetensors_find(&file, "e")->shape[0], 7);
    safetensors_close(&file);
    safetensors_close(&file); /* harmless */
    text_buffer_release(&image);
}

static void copies_unaligned_data(void **state)
{
    (void)state;
    enum { COUNT = 2500 }; /* over two chunks of 1024 */
    static float data[COUNT];
    struct text_buffer image = {0};
    struct text_buffer header = {0};
    for (int shift = 1; shift < 4; shift++) {
        text_buffer_clear(&header);
        text_buffer_appendf(&header,
                            "{" ENTRY("a", "U8", "[%d]", "[0,%d]") "," ENTRY(
                                "w", "F32", "[2500]", "[%d,%d]") "}",
                            shift, shift, shift, shift + 4 * COUNT);
        while (header.length % 8 != 0)
            text_buffer_append_char(&header, ' ');
        image = image_of(header.data, header.length, (size_t)shift);
        for (int i = 0; i < COUNT; i++)
            data[i] = (float)i - 1250;
        text_buffer_append_bytes(&image, (const char *)data, sizeof data);
        struct safetensors file;
        struct error error;
        assert_int_equal(safetensors_parse(&file, image.data, image.length, "x", &error),
                         STATUS_OK);
        const struct safetensors_entry *entry = safetensors_find(&file, "w");
        assert_int_equal((uintptr_t)entry->data % 4, shift);
        static float same[COUNT];
        static uint16_t narrow[COUNT];
        safetensors_copy(entry, same, DTYPE_F32);
        assert_memory_equal(same, data, sizeof data);
        safetensors_copy(entry, narrow, DTYPE_F16); /* 11 bits: exact below 2048 */
        for (int i = 0; i < COUNT; i++)
            assert_true(f16_to_float(narrow[i]) == data[i]);
        safetensors_close(&file);
        text_buffer_release(&image);
    }
    text_buffer_release(&header);
}

static void names_the_file_it_cannot_open(void **state)
{
    (void)state;
    struct safetensors file;
    struct error error;
    assert_int_equal(safetensors_open(&file, "/nowhere/model.safetensors", &error),
                     STATUS_IO);
    assert_non_null(strstr(error.message, "/nowhere/model.safetensors"));
    assert_non_null(strstr(error.message, "No such file"));
}

static void reports_a_full_disk(void **state)
{
    (void)state;
    struct error error;
    static float data[100000];
    const struct safetensors_tensor big = {"w", data, DTYPE_F32, DTYPE_BF16, 1, {100000}};
    assert_int_equal(safetensors_write("/dev/full", &big, 1, NULL, 0, &error), STATUS_IO);
    assert_string_equal(error.message, "/dev/full: cannot write tensor 'w': No space left "
                                       "on device; free some space there and try again");
    assert_int_equal(safetensors_write("/dev/full", tiny, TINY_COUNT, NULL, 0, &error),
                     STATUS_IO);
    assert_non_null(strstr(error.message, "No space left on device"));
}

/* As on a full disk, but of a regular file: a limit on its size. */
static void keeps_the_earlier_file_when_writing_fails(void **state)
{
    (void)state;
    struct error error;
    struct rlimit limit;
    static float data[100000];
    const struct safetensors_tensor big = {"w", data, DTYPE_F32, DTYPE_F32, 1, {100000}};
    char *directory = output_path("failing");
    char *path = path_join(directory, "kept.safetensors");
    assert_int_equal(file_make_directories(directory, &error), STATUS_OK);
    assert_int_equal(safetensors_write(path, tiny, TINY_COUNT, note, 1, &error), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {100000, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const enum status status = safetensors_write(path, &big, 1, NULL, 0, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(error.message, "kept.safetensors: cannot write tensor 'w': "));
    assert_same_file(path, golden_path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0); /* fails if a temporary file was left */
    free(path);
    free(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_bytes_of_the_reference),
        cmocka_unit_test(reads_the_golden),
        cmocka_unit_test(converts_when_copying),
        cmocka_unit_test(round_trips_every_dtype),
        cmocka_unit_test(aligns_tensors_of_mixed_dtypes),
        cmocka_unit_test(writes_any_name_and_metadata),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_unsupported_tensors_by_name),
        cmocka_unit_test(refuses_what_is_no_safetensors_file),
        cmocka_unit_test(refuses_a_device),
        cmocka_unit_test(cuts_long_names_between_characters),
        cmocka_unit_test(reads_padded_scrambled_and_scalar),
        cmocka_unit_test(copies_unaligned_data),
        cmocka_unit_test(names_the_file_it_cannot_open),
        cmocka_unit_test(reports_a_full_disk),
        cmocka_unit_test(keeps_the_earlier_file_when_writing_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
