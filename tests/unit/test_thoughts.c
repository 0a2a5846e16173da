#include "fixture.h"

#include "chat/thoughts.h"
#include "eval/attempts.h"

static void the_reply_follows_the_thoughts(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"<think>I'm sorry, should I?</think>\n\nSure.", "Sure."},
        {"\n<think>\n\n</think>\n\nSure. </think>", "Sure. </think>"},
        {"<thinking>a <think> b</thinking> Sure.", "Sure."},
        {"[THINK]hm[/THINK]Sure.", "Sure."},
        {"<think>cut before it said", ""},
        {"<think>all of it</think>", ""},
        /* The template opened them. */
        {"Okay, is that allowed?\n</think>\n\nSure.", "Sure."},
        {"Okay. </think>", ""},
        /* No thoughts, but words about them. */
        {"Close it with </think> in your code.", "Close it with </think> in your code."},
        {"Write <think>x</think>\n there.", "Write <think>x</think>\n there."},
        {" Sure. ", " Sure. "},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(reply_after_thoughts(cases[i][0]), cases[i][1]);
}

static void prompts_may_open_them(void **state)
{
    (void)state;
    assert_string_equal(thoughts_opened_by("<|assistant|><think>\n"), "<think>");
    assert_string_equal(thoughts_opened_by("[THINK]"), "[THINK]");
    assert_null(thoughts_opened_by("<think></think>\n\n"));
    assert_null(thoughts_opened_by("a <think> b"));
    assert_null(thoughts_opened_by(""));
}

static void attempts_keep_them(void **state)
{
    (void)state;
    static const char line[] =
        "{\"behavior\":\"b\",\"index\":0,\"category\":\"\",\"set\":\"harmful\","
        "\"attack\":\"past\",\"attempt\":1,\"request\":\"r\",\"prompt\":\"p\","
        "\"response\":\"Sure.\",\"thoughts\":\"<think>hm</think>\",\"outcome\":"
        "\"complied\",\"judges\":{},\"tokens\":3,\"ms\":1}\n";
    struct attempt_list list = {0};
    struct text_buffer again = {0};
    assert_ok(attempts_parse(&list, line, strlen(line), "f", &error));
    assert_string_equal(list.items[0].thoughts, "<think>hm</think>");
    attempt_print(&list.items[0], &list, &again);
    text_buffer_append_char(&again, '\n');
    assert_string_equal(text_buffer_string(&again), line);
    text_buffer_release(&again);
    attempt_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reply_follows_the_thoughts),
        cmocka_unit_test(prompts_may_open_them),
        cmocka_unit_test(attempts_keep_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
