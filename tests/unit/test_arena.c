#include "base/arena.h"

#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    float *first;
    unsigned char *second;
};

static void pair_place(struct pair *pair, struct arena *arena)
{
    pair->first = arena_push_array(arena, 1000, sizeof(float));
    pair->second = arena_push(arena, 1);
}

static void measures_reserves_and_places(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct pair pair;
    pair_place(&pair, &arena);
    assert_null(pair.first);
    assert_int_equal(arena.used, 4032 + 64); /* 4000 and 1, padded to 64 */
    assert_int_equal(arena_reserve(&arena, &error), STATUS_OK);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.bytes, 4096);
    pair_place(&pair, &arena);
    assert_ptr_equal(pair.first, arena.base);
    assert_ptr_equal(pair.second, arena.base + 4032);
    assert_int_equal((uintptr_t)pair.second % ARENA_ALIGNMENT, 0);
    for (size_t i = 0; i < arena.bytes; i++)
        assert_int_equal(arena.base[i], 0);
    memset(arena.base, 1, arena.bytes);
    arena_release(&arena);
    assert_null(arena.base);
    arena_release(&arena);
}

static void nothing_measured_still_gives_a_base(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_null(arena_push(&arena, 0));
    assert_int_equal(arena_reserve(&arena, NULL), STATUS_OK);
    assert_non_null(arena_push(&arena, 0));
    arena_release(&arena);
}

static void rewinds_to_a_mark(void **state)
{
    (void)state;
    struct arena arena = {.used = 256};
    assert_int_equal(arena_reserve(&arena, NULL), STATUS_OK);
    arena_push(&arena, 64);
    const size_t mark = arena.used;
    unsigned char *scratch = arena_push(&arena, 128);
    scratch[0] = 9;
    arena_rewind(&arena, mark);
    assert_ptr_equal(arena_push(&arena, 10), scratch);
    assert_int_equal(scratch[0], 9); /* not zeroed again */
    arena_release(&arena);
}

static void overflow_is_sticky_and_reported(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error error;
    arena_push_array(&arena, SIZE_MAX / 2, 3);
    arena_push(&arena, 64);
    assert_int_equal(arena_reserve(&arena, &error), STATUS_MEMORY);
    assert_non_null(strstr(error.message, "exceed the address space"));

    struct arena nearly = {0};
    arena_push(&nearly, SIZE_MAX - 200);
    assert_false(nearly.overflow);
    arena_push(&nearly, 200);
    assert_true(nearly.overflow);
    arena_push(&(struct arena){.used = 64}, SIZE_MAX); /* the padding itself */
}

static void what_no_machine_has_is_an_error(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct error error;
    arena_push(&arena, (size_t)1 << 60);
    assert_int_equal(arena_reserve(&arena, &error), STATUS_MEMORY);
    assert_non_null(strstr(error.message, "cannot reserve 1073741824.00 GiB"));
    arena_release(&arena);
}

static void pushing_past_the_reservation_is_a_bug(void **state)
{
    (void)state;
    int child_status;
    const pid_t child = fork();
    if (child == 0) {
        struct arena arena = {.used = 64};
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        if (arena_reserve(&arena, NULL) == STATUS_OK)
            arena_push(&arena, 65);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFSIGNALED(child_status));
    assert_int_equal(WTERMSIG(child_status), SIGABRT);
}

static void arrays_grow_by_doubling(void **state)
{
    (void)state;
    int *items = NULL;
    size_t capacity = 0;
    array_reserve(items, capacity, 1);
    assert_int_equal(capacity, 8);
    for (int i = 0; i < 8; i++)
        items[i] = i;
    array_reserve(items, capacity, 9);
    assert_int_equal(capacity, 16);
    assert_int_equal(items[7], 7);
    array_reserve(items, capacity, 100);
    assert_int_equal(capacity, 100);
    free(items);
}

static void small_memory_is_zeroed_and_never_null(void **state)
{
    (void)state;
    unsigned char *bytes = memory_allocate(33);
    for (int i = 0; i < 33; i++)
        assert_int_equal(bytes[i], 0);
    free(bytes);
    void *nothing = memory_allocate_array(0, 8);
    assert_non_null(nothing);
    free(nothing);
    assert_null(memory_duplicate_string(NULL));
    char *copy = memory_duplicate_bytes("abc", 2);
    assert_string_equal(copy, "ab");
    free(copy);
}

static void running_out_of_small_memory_exits_with_a_line(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* the sanitizer ends the program before calloc() can return NULL */
#endif
    int ends[2], child_status;
    char text[256] = "";
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        volatile size_t count = SIZE_MAX / 2;
        memory_resize_array(NULL, count, 4);
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFEXITED(child_status));
    assert_int_equal(WEXITSTATUS(child_status), 1);
    assert_non_null(strstr(text, "out of memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_reserves_and_places),
        cmocka_unit_test(nothing_measured_still_gives_a_base),
        cmocka_unit_test(rewinds_to_a_mark),
        cmocka_unit_test(overflow_is_sticky_and_reported),
        cmocka_unit_test(what_no_machine_has_is_an_error),
        cmocka_unit_test(pushing_past_the_reservation_is_a_bug),
        cmocka_unit_test(arrays_grow_by_doubling),
        cmocka_unit_test(small_memory_is_zeroed_and_never_null),
        cmocka_unit_test(running_out_of_small_memory_exits_with_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
