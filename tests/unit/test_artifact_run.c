#include "fixture.h"

#include "eval/artifact_run.h"

static void parse(struct artifact_run *run, const char *text)
{
    error = (struct error){0};
    assert_ok(artifact_run_parse(run, text, strlen(text), "manifest.json", &error));
    assert_true(run->is_known);
}

static void rules_are_named_as_they_are(void **state)
{
    (void)state;
    struct artifact_run run;
    parse(&run, "{\"identity\":{\"judges\":[\"rules\",\"xstest\"],\"confirm\":null,"
                "\"refusal_judge\":\"classifier\",\"mode\":\"first-hit\","
                "\"replay_sha256\":null}}");
    assert_int_equal(run.judges.count, 2);
    assert_string_equal(run.judges.items[0], "rules");
    assert_string_equal(run.refusal_judge, "classifier");
    assert_true(run.answers_are_hits);
    assert_false(run.fixed_attempts);
    assert_false(run.attempts_may_lack);
    artifact_run_release(&run);
}

static void a_confirmed_judge_comes_first(void **state)
{
    (void)state;
    struct artifact_run run;
    parse(&run, "{\"identity\":{\"judges\":[{\"name\":\"rating\",\"kind\":\"rating\"},"
                "\"rules\"],\"confirm\":{\"name\":\"safe\",\"kind\":\"safety\"},"
                "\"mode\":\"fixed\",\"replay_sha256\":\"ab\"}}");
    assert_int_equal(run.judges.count, 3);
    assert_string_equal(run.judges.items[0], "rating+safe");
    assert_string_equal(run.judges.items[1], "rating");
    assert_string_equal(run.judges.items[2], "rules");
    assert_null(run.refusal_judge);
    assert_false(run.answers_are_hits);
    assert_true(run.fixed_attempts);
    assert_true(run.attempts_may_lack);
    artifact_run_release(&run);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[1]",
        "{\"identity\":{\"judges\":[],\"mode\":\"fixed\"}}",
        "{\"identity\":{\"judges\":[7],\"mode\":\"fixed\"}}",
        "{\"identity\":{\"judges\":[\"rules\"]}}",
        "{\"identity\":{\"judges\":[\"rules\"],\"mode\":7}}",
        "no JSON",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct artifact_run run;
        error = (struct error){0};
        assert_int_equal(
            artifact_run_parse(&run, texts[i], strlen(texts[i]), "m.json", &error),
            STATUS_FORMAT);
        assert_message("m.json");
        assert_int_equal(run.judges.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_named_as_they_are),
        cmocka_unit_test(a_confirmed_judge_comes_first),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
