#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void set_gives_status_and_message(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set(&error, STATUS_FORMAT, "%s: line %d", "a.json", 7),
                     STATUS_FORMAT);
    assert_int_equal(error.status, STATUS_FORMAT);
    assert_string_equal(error.message, "a.json: line 7");
}

static void errno_text_is_appended(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set_errno(&error, ENOENT, "%s: cannot open", "x"), STATUS_IO);
    assert_string_equal(error.message, "x: cannot open: No such file or directory");
}

static void prefix_goes_before_and_keeps_the_status(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, STATUS_LIMIT, "too long");
    assert_int_equal(error_prefix(&error, "epoch %d", 3), STATUS_LIMIT);
    assert_int_equal(error_prefix(&error, "train"), STATUS_LIMIT);
    assert_string_equal(error.message, "train: epoch 3: too long");
}

static void an_argument_may_be_the_message_itself(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, STATUS_IO, "inner");
    error_set(&error, STATUS_FORMAT, "outer (%s)", error.message);
    assert_string_equal(error.message, "outer (inner)");
}

static void no_error_struct_gives_the_status_only(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_GATE, "x"), STATUS_GATE);
    assert_int_equal(error_set_errno(NULL, EIO, "x"), STATUS_IO);
    assert_int_not_equal(error_prefix(NULL, "x"), STATUS_OK);
}

static void long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    struct error error;
    char text[3 * ERROR_MESSAGE_BYTES];
    for (size_t i = 0; i + 3 < sizeof text; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 4); /* the euro sign, three bytes */
    error_set(&error, STATUS_IO, "%s", text);
    assert_int_equal(strlen(error.message), 1023); /* 341 whole characters */
    error_set(&error, STATUS_IO, "a%s", text);
    assert_int_equal(strlen(error.message), 1021); /* 1 + 340 x 3; 1024 would not fit */
    error_prefix(&error, "%s", text);
    assert_int_equal(strlen(error.message), 1023);
}

static void codes_have_words_and_exit_codes(void **state)
{
    (void)state;
    assert_string_equal(status_words(STATUS_OK), "success");
    assert_string_equal(status_words(STATUS_GATE), "a gate did not hold");
    assert_string_equal(status_words((enum status)99), "unknown status");
    assert_int_equal(status_exit_code(STATUS_OK), 0);
    assert_int_equal(status_exit_code(STATUS_IO), 1);
    assert_int_equal(status_exit_code(STATUS_DEVICE), 1);
    assert_int_equal(status_exit_code(STATUS_USAGE), 2);
    assert_int_equal(status_exit_code(STATUS_UNMEASURED), 3);
    assert_int_equal(status_exit_code(STATUS_GATE), 100);
}

static void check_names_the_expression_and_aborts(void **state)
{
    (void)state;
    int ends[2], child_status;
    char text[256] = "";
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &child_status, 0), child);
    assert_true(WIFSIGNALED(child_status));
    assert_int_equal(WTERMSIG(child_status), SIGABRT);
    assert_non_null(strstr(text, "test_error.c"));
    assert_non_null(strstr(text, "CHECK(1 + 1 == 3) failed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_gives_status_and_message),
        cmocka_unit_test(errno_text_is_appended),
        cmocka_unit_test(prefix_goes_before_and_keeps_the_status),
        cmocka_unit_test(an_argument_may_be_the_message_itself),
        cmocka_unit_test(no_error_struct_gives_the_status_only),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(codes_have_words_and_exit_codes),
        cmocka_unit_test(check_names_the_expression_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
