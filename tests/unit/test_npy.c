#include "base/file.h"
#include "checkpoints/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_npy.XXXXXX";
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

static void assert_writes_golden(const char *name, const float *data, int rank,
                                 const int64_t *shape)
{
    struct error error;
    struct text_buffer got = {0};
    struct text_buffer expected = {0};
    char *path = path_join(output, name);
    char *golden = path_join("tests/golden/safetensors", name);
    assert_int_equal(npy_write_f32(path, data, rank, shape, &error), STATUS_OK);
    assert_int_equal(file_read(&got, path, 0, &error), STATUS_OK);
    assert_int_equal(file_read(&expected, golden, 0, &error), STATUS_OK);
    assert_int_equal(got.length, expected.length);
    assert_memory_equal(got.data, expected.data, got.length);
    text_buffer_release(&got);
    text_buffer_release(&expected);
    free(golden);
    free(path);
}

static void writes_the_bytes_of_numpy(void **state)
{
    (void)state;
    const float matrix[] = {-1, -0.5f, 0, 0.5f, 1, 1.5f};
    const float vector[] = {0, 1, 2};
    const float scalar[] = {3.25f};
    assert_writes_golden("matrix.npy", matrix, 2, (const int64_t[]){2, 3});
    assert_writes_golden("vector.npy", vector, 1, (const int64_t[]){3});
    assert_writes_golden("scalar.npy", scalar, 0, NULL);
}

static void writes_an_empty_array(void **state)
{
    (void)state;
    struct error error;
    struct text_buffer got = {0};
    char *path = path_join(output, "empty.npy");
    assert_int_equal(npy_write_f32(path, NULL, 2, (const int64_t[]){0, 4}, &error),
                     STATUS_OK);
    assert_int_equal(file_read(&got, path, 0, &error), STATUS_OK);
    assert_int_equal(got.length, 128);
    assert_non_null(strstr(got.data + 10, "'shape': (0, 4), }"));
    text_buffer_release(&got);
    free(path);
}

static void reports_what_it_cannot_write(void **state)
{
    (void)state;
    struct error error;
    static const float data[100000];
    const int64_t shape[] = {100000};
    assert_int_equal(npy_write_f32("/dev/full", data, 1, shape, &error), STATUS_IO);
    assert_string_equal(error.message,
                        "/dev/full: cannot write the array: No space left on device; free "
                        "some space there and try again");
    assert_int_equal(npy_write_f32("/nowhere/x.npy", data, 1, shape, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "/nowhere/x.npy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_bytes_of_numpy),
        cmocka_unit_test(writes_an_empty_array),
        cmocka_unit_test(reports_what_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
