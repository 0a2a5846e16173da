#include "base/hello.h"

#include "tests/unit/fixture.h"

#include <string.h>

static const struct launch launch = {.rank = 2, .size = 3, .job = 7};

/* Every beginning of a hello is one that has begun, and whole is what was said. */
static void test_whole(void **state)
{
    (void)state;
    struct hello said, heard;
    hello_make(&said, &launch, 1234);
    strcpy(said.reason, "no such option");
    for (size_t count = 0; count < sizeof said; count++)
        assert_int_equal(hello_read(&heard, &said, count), HELLO_BEGUN);
    assert_int_equal(hello_read(&heard, &said, sizeof said), HELLO_WHOLE);
    assert_memory_equal(&said, &heard, sizeof said);
    assert_int_equal(heard.port, 1234);
    assert_int_equal(heard.rank, 2);
}

static void test_others(void **state)
{
    (void)state;
    struct hello heard;
    char old[HELLO_MARK_BYTES] = "holdfast process group 1";
    assert_int_equal(hello_read(&heard, "GET / HTTP/1.1", 14), HELLO_STRANGER);
    assert_int_equal(hello_read(&heard, "\x16\x03\x01", 3), HELLO_STRANGER);
    assert_int_equal(hello_read(&heard, "holdfast", 8), HELLO_BEGUN);
    assert_int_equal(hello_read(&heard, old, sizeof old), HELLO_OTHER);
    assert_string_equal(heard.mark, "holdfast process group 1");
    old[24] = '\x1b'; /* nothing that a terminal would obey */
    memset(old + 25, 'x', sizeof old - 25);
    assert_int_equal(hello_read(&heard, old, sizeof old), HELLO_OTHER);
    assert_int_equal(heard.mark[24], ' ');
    assert_int_equal(heard.mark[HELLO_MARK_BYTES - 1], '\0');
}

/* Texts without an end, and with what plays with terminals. */
static void test_tamed(void **state)
{
    (void)state;
    struct hello said, heard;
    hello_make(&said, &launch, 1);
    memset(said.host, '\n', sizeof said.host);
    memset(said.reason, 'r', sizeof said.reason);
    memset(said.boot, '\x1b', sizeof said.boot);
    assert_int_equal(hello_read(&heard, &said, sizeof said), HELLO_WHOLE);
    assert_int_equal(strlen(heard.host), sizeof heard.host - 1);
    assert_int_equal(strspn(heard.host, " "), sizeof heard.host - 1);
    assert_int_equal(strlen(heard.reason), sizeof heard.reason - 1);
    assert_int_equal(strspn(heard.boot, " "), sizeof heard.boot - 1);
}

static void test_answer(void **state)
{
    (void)state;
    struct answer answer;
    answer_make(&answer, NULL);
    assert_true(answer.welcome);
    assert_int_equal(answer_check(&answer), HELLO_WHOLE);
    answer_make(&answer, "why not");
    assert_false(answer.welcome);
    assert_int_equal(answer_check(&answer), HELLO_WHOLE);
    assert_string_equal(answer.words, "why not");
    answer.mark[strlen("holdfast process group ")] = '3';
    assert_int_equal(answer_check(&answer), HELLO_OTHER);
    answer.mark[0] = 'H';
    assert_int_equal(answer_check(&answer), HELLO_STRANGER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_tamed),
        cmocka_unit_test(test_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
