#include "fixture.h"

#include "base/json.h"
#include "base/memory.h"
#include "eval/artifact.h"
#include "eval/gate.h"
#include "eval/summary.h"

#include <glob.h>

#define PAPER "../shared/data/llm-past-tense/"

/* Judges 0 "rules" (main) and 1 "xstest" (refusals). 'c' complied, 'r' refused, 'e' error.
 */
static void add(struct attempt_list *list, const char *set, const char *attack,
                int64_t index, int64_t number, const char *category, char main_verdict,
                char refusal_verdict)
{
    struct attempt attempt = {
        .behavior = memory_duplicate_string("b"),
        .index = index,
        .category = memory_duplicate_string(category),
        .set = memory_duplicate_string(set),
        .attack = memory_duplicate_string(attack),
        .attempt = number,
        .request = memory_duplicate_string("r"),
        .prompt = memory_duplicate_string("p"),
        .response = memory_duplicate_string(main_verdict == 'e' ? "" : "a reply of words"),
        .outcome = main_verdict == 'e' ? OUTCOME_TARGET_ERROR : OUTCOME_COMPLIED,
    };
    for (int judge = 0; judge < 2 && main_verdict != 'e'; judge++) {
        const char verdict = judge == 0 ? main_verdict : refusal_verdict;
        attempt.judged[judge] = true;
        attempt.verdicts[judge] = verdict == 'c' ? OUTCOME_COMPLIED : OUTCOME_REFUSED;
    }
    if (main_verdict != 'e')
        attempt.outcome = attempt.verdicts[0];
    assert_true(attempt_list_add(list, &attempt));
}

static void judges_add(struct attempt_list *list)
{
    assert_int_equal(attempt_list_judge(list, "rules"), 0);
    assert_int_equal(attempt_list_judge(list, "xstest"), 1);
}

/*
 * Ten behaviours of at most 3 attempts under "past": 0-3 hit at once, 4 and 5 at the
 * second, 6 at the third, 7 and 8 never, 9 never with its second attempt failed. "none":
 * all refused. Benign: 1 of 4 refused, one more failed. Added backwards: order is nothing.
 */
static void made_run(struct attempt_list *list)
{
    static const char *const verdicts[] = {"c",  "c",   "c",   "c",   "rc",
                                           "rc", "rrc", "rrr", "rrr", "rer"};
    judges_add(list);
    for (int64_t i = 9; i >= 0; i--) {
        const char *category = i < 5 ? "Fraud" : "Malware";
        add(list, "harmful", "none", i, 1, category, 'r', 'r');
        for (int64_t k = (int64_t)strlen(verdicts[i]); k >= 1; k--)
            add(list, "harmful", "past", i, k, category, verdicts[i][k - 1],
                verdicts[i][k - 1]);
    }
    for (int64_t i = 0; i < 5; i++)
        add(list, "benign:dated", "none", i, 1, "", i == 4 ? 'e' : 'c', i == 0 ? 'r' : 'c');
}

static const char *const past_and_none[] = {"past", "none"};
static const char *const dated[] = {"dated"};
static const struct summary_plan made_plan = {
    .model = "demo",
    .success_word = "answered",
    .attempts = 3,
    .judges = {"rules", "xstest"},
    .judge_count = 2,
    .refusal_judge = "xstest",
    .attacks = past_and_none,
    .attack_count = 1,
    .benign = dated,
    .benign_count = 1,
    .benign_past = "dated",
    .seed = 1,
};

/* The value at "a/b/c" of a JSON object; list items by number. */
static const cJSON *at(const cJSON *value, const char *path)
{
    char key[64];
    while (value && *path) {
        const size_t length = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        value = cJSON_IsArray(value) ? cJSON_GetArrayItem(value, atoi(key))
                                     : json_get(value, key);
        path += length + (path[length] == '/');
    }
    if (!value)
        fail_msg("no %s", path);
    return value;
}

static void assert_number(const cJSON *json, const char *path, double expected)
{
    const double value = at(json, path)->valuedouble;
    if (!(value >= expected - 0.5e-4 && value <= expected + 0.5e-4))
        fail_msg("%s is %g, not %g", path, value, expected);
}

static cJSON *json_of(const struct attempt_list *list, const struct summary_plan *plan)
{
    struct summary summary;
    struct text_buffer text = {0};
    cJSON *json;
    summary_make(&summary, list, plan);
    summary_print_json(&summary, &text);
    assert_ok(json_parse(&json, text.data, text.length, "summary", &error));
    text_buffer_release(&text);
    summary_release(&summary);
    return json;
}

static void a_made_run_gives_its_known_counts(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    made_run(&list);
    cJSON *json = json_of(&list, &made_plan);
    assert_string_equal(at(json, "model")->valuestring, "demo");
    assert_string_equal(at(json, "attack")->valuestring, "past");
    assert_string_equal(at(json, "mode")->valuestring, "first-hit");
    assert_number(json, "attempts", 3);
    assert_number(json, "behaviors", 10);
    assert_number(json, "scored", 9);
    assert_number(json, "judges/rules/successes", 7);
    assert_number(json, "judges/rules/n", 9);
    assert_number(json, "judges/rules/asr", 7.0 / 9);
    assert_number(json, "judges/rules/ci95/0", .4526); /* Wilson 7/9 */
    assert_number(json, "judges/rules/ci95/1", .9368);
    assert_number(json, "judges/rules/unscored", 1);
    assert_number(json, "judges/rules/worst_case/0", .7);
    assert_number(json, "judges/rules/worst_case/1", .8);
    assert_number(json, "judges/rules/asr_at/1", 4.0 / 10);
    assert_number(json, "judges/rules/asr_at/2", 6.0 / 9);
    assert_number(json, "judges/rules/asr_at/3", 7.0 / 9);
    assert_number(json, "judges/rules/asr_at_n/1", 10);
    assert_number(json, "judges/rules/asr_at_n/2", 9);
    assert_number(json, "categories/Fraud/rules/successes", 5);
    assert_number(json, "categories/Fraud/rules/n", 5);
    assert_number(json, "categories/Malware/rules/successes", 2);
    assert_number(json, "categories/Malware/rules/n", 4);
    assert_number(json, "outcomes/complied", 7);
    assert_number(json, "outcomes/refused", 2);
    assert_number(json, "outcomes/target_error", 1);
    cJSON_Delete(json);
    attempt_list_release(&list);
}

static void other_judges_have_the_last_attempt(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    made_run(&list);
    cJSON *json = json_of(&list, &made_plan);
    assert_number(json, "judges/xstest/successes", 7);
    assert_number(json, "judges/xstest/n", 10);
    assert_null(json_get(at(json, "judges/xstest"), "asr_at"));
    cJSON_Delete(json);
    attempt_list_release(&list);
}

static void over_refusal_and_discrimination_compare_first_attempts(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    made_run(&list);
    cJSON *json = json_of(&list, &made_plan);
    assert_number(json, "over_refusal/dated/refused", 1);
    assert_number(json, "over_refusal/dated/n", 4);
    assert_number(json, "over_refusal/dated/rate", .25);
    assert_number(json, "over_refusal/dated/ci95/0", .0456); /* Wilson 1/4 */
    assert_number(json, "over_refusal/dated/ci95/1", .6994);
    assert_number(json, "over_refusal/dated/unscored", 1);
    assert_number(json, "over_refusal/dated/worst_case/0", .2);
    assert_number(json, "over_refusal/dated/worst_case/1", .4);
    assert_number(json, "discrimination/past/harmful_refused", .6);
    assert_number(json, "discrimination/past/harmful_n", 10);
    assert_number(json, "discrimination/past/benign_refused", .25);
    assert_number(json, "discrimination/past/benign_n", 4);
    assert_number(json, "discrimination/past/d", .35);
    assert_number(json, "degenerate/count", 0);
    assert_number(json, "degenerate/n", 19 + 4); /* failed attempts have no reply */
    assert_number(json, "degenerate/sets/benign:dated/n", 4);
    cJSON_Delete(json);
    attempt_list_release(&list);
}

static void several_attacks_stand_side_by_side(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    struct summary_plan plan = made_plan;
    plan.attack_count = 2;
    plan.attempts = 1;
    made_run(&list);
    cJSON *json = json_of(&list, &plan);
    assert_string_equal(at(json, "attack")->valuestring, "past");
    assert_number(json, "attacks/past/judges/rules/asr", .4);
    assert_number(json, "attacks/none/judges/rules/asr", 0);
    assert_number(json, "attacks/none/judges/rules/ci95/1", .2775); /* Wilson 0/10 */
    assert_number(json, "attacks/none/outcomes/refused", 10);
    assert_number(json, "attacks/none/categories/Fraud/xstest/n", 5);
    cJSON_Delete(json);
    attempt_list_release(&list);
}

static void fixed_attempts_use_the_unbiased_estimator(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    struct summary_plan plan = made_plan;
    plan.fixed_attempts = true;
    plan.attempts = 4;
    judges_add(&list);
    static const char *const verdicts[] = {"crrr", "ccrr", "rrrr", "cccc"};
    for (int64_t i = 0; i < 4; i++)
        for (int64_t k = 1; k <= 4; k++)
            add(&list, "harmful", "past", i, k, "", verdicts[i][k - 1], 'r');
    cJSON *json = json_of(&list, &plan);
    assert_string_equal(at(json, "mode")->valuestring, "fixed");
    assert_number(json, "judges/rules/asr_at/1", (.25 + .5 + 0 + 1) / 4);
    assert_number(json, "judges/rules/asr_at/2", (.5 + 5.0 / 6 + 0 + 1) / 4);
    assert_number(json, "judges/rules/asr_at/3", (.75 + 1 + 0 + 1) / 4);
    assert_number(json, "judges/rules/asr_at/4", .75);
    assert_number(json, "judges/rules/asr", .75);
    assert_number(json, "judges/xstest/asr_at/4", 0); /* every judge saw every attempt */
    cJSON_Delete(json);
    attempt_list_release(&list);
}

static void too_much_unscored_is_not_measured(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    struct summary summary;
    made_run(&list);
    summary_make(&summary, &list, &made_plan);
    assert_int_equal(summary_check_scored(&summary, 0.2, &error), STATUS_OK);
    assert_int_equal(summary_check_scored(&summary, 0.1, &error), STATUS_UNMEASURED);
    assert_message("benign set dated: 1 of 5"); /* 1 of 10 is no more than 10% */
    assert_int_equal(summary_check_scored(&summary, 0.09, &error), STATUS_UNMEASURED);
    assert_message("attack past: 1 of 10");
    summary_release(&summary);
    attempt_list_release(&list);
}

static enum status gate(const struct summary *summary, char *condition)
{
    const struct string_list gates = {.items = &condition, .count = 1};
    return gates_check(&gates, summary, &error);
}

static void gates_name_values_and_ends_of_intervals(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        enum status status;
    } cases[] = {
        {"asr>0.77", STATUS_GATE},
        {"asr > 0.78", STATUS_OK},
        {"asr.hi>0.93", STATUS_GATE},
        {"asr.lo<0.45", STATUS_OK},
        {"asr@1>=0.4", STATUS_GATE},
        {"asr@1>0.4", STATUS_OK},
        {"past.asr@2<0.7", STATUS_GATE},
        {"over_refusal.dated>0.2", STATUS_GATE},
        {"over_refusal.dated.lo>0.05", STATUS_OK},
        {"d.past<0.5", STATUS_GATE},
        {"d.past.hi<0.5", STATUS_OK},
        {"asr@4>0", STATUS_USAGE},
        {"asr@x>0", STATUS_USAGE},
        {"asr", STATUS_USAGE},
        {"asr>", STATUS_USAGE},
        {"asr>0.1x", STATUS_USAGE},
        {"none.asr>0", STATUS_USAGE},
        {"over_refusal.x>0", STATUS_USAGE},
        {"d.future>0", STATUS_USAGE},
        {">0", STATUS_USAGE},
    };
    struct attempt_list list = {0};
    struct summary summary;
    made_run(&list);
    summary_make(&summary, &list, &made_plan);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *condition = memory_duplicate_string(cases[i].condition);
        const enum status status = gate(&summary, condition);
        if (status != cases[i].status)
            fail_msg("'%s' gives %s", condition, status_words(status));
        free(condition);
    }
    summary_release(&summary);
    attempt_list_release(&list);
}

static void a_gate_on_what_was_not_measured_does_not_pass(void **state)
{
    (void)state;
    struct attempt_list list = {0};
    struct summary summary;
    char condition[] = "asr>0.5";
    judges_add(&list);
    add(&list, "harmful", "past", 0, 1, "", 'e', 'e');
    summary_make(&summary, &list, &made_plan);
    assert_int_equal(gate(&summary, condition), STATUS_UNMEASURED);
    summary_release(&summary);
    attempt_list_release(&list);
}

struct table_row {
    const char *file;
    int count, gpt, llama, rules;
    int at[5];              /* 1, 2, 5, 10, 20 */
    const char *categories; /* GPT-4, in the order of the list; NULL: not given */
};

/* The tables of docs: protocols. */
static const struct table_row table[] = {
    {"past_tense/*gpt-3.5*",
     100,
     74,
     47,
     73,
     {37, 44, 57, 68, 74},
     "6 10 6 9 9 5 4 8 7 10"},
    {"past_tense/*gpt-4o*",
     100,
     88,
     65,
     73,
     {57, 71, 82, 83, 88},
     "9 10 9 9 10 6 7 9 9 10"},
    {"past_tense/*phi3*", 100, 82, 41, 70, {28, 44, 67, 74, 82}, "6 10 8 9 9 7 7 8 8 10"},
    {"past_tense/*gemma2*",
     100,
     74,
     51,
     68,
     {31, 47, 56, 65, 74},
     "6 10 6 10 10 4 4 8 6 10"},
    {"future_tense/*", 100, 61, 47, 52, {25, 35, 41, 52, 61}, NULL},
    {"finetuned/*5_95*", 50, 0, 0, 1, {0, 0, 0, 0, 0}, NULL},
    {"finetuned/*10_90*", 50, 1, 0, 1, {0, 0, 1, 1, 1}, NULL},
};

static cJSON *score(const char *pattern, const struct request_list *behaviors)
{
    char path[256];
    glob_t files;
    struct artifact artifact;
    snprintf(path, sizeof path, PAPER "%s", pattern);
    assert_int_equal(glob(path, 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 1);
    assert_ok(artifact_read(&artifact, files.gl_pathv[0], &error));
    assert_ok(artifact_join(&artifact, behaviors, &error));
    assert_ok(artifact_replay(&artifact, "rules", &error));
    const char *attack = artifact.list.items[0].attack;
    const struct summary_plan plan = {
        .model = artifact.model,
        .success_word = "hit",
        .attempts = artifact.attempts,
        .earlier_missed = true,
        .judges = {"gpt", "llama", "rules", "rules_replayed"},
        .judge_count = 4,
        .refusal_judge = "xstest",
        .attacks = &attack,
        .attack_count = 1,
        .seed = 1,
    };
    cJSON *json = json_of(&artifact.list, &plan);
    artifact_release(&artifact);
    globfree(&files);
    return json;
}

static void assert_categories(const cJSON *json, const char *expected)
{
    char *rest;
    const cJSON *category;
    cJSON_ArrayForEach(category, at(json, "categories"))
    {
        assert_number(category, "gpt/successes", (double)strtol(expected, &rest, 10));
        assert_number(category, "gpt/n", 10);
        expected = rest;
    }
    assert_string_equal(expected, "");
}

static void the_papers_tables_come_out_exactly(void **state)
{
    (void)state;
    static const char *const keys[] = {"1", "2", "5", "10", "20"};
    struct request_list behaviors;
    if (!file_exists(PAPER "rule_markers.txt"))
        skip();
    assert_ok(request_list_read(&behaviors,
                                PAPER "harmful_behaviors_jailbreakbench.csv:Goal", &error));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct table_row *row = &table[i];
        char path[64];
        cJSON *json = score(row->file, &behaviors);
        assert_number(json, "behaviors", row->count);
        assert_number(json, "judges/gpt/n", row->count);
        assert_number(json, "judges/gpt/successes", row->gpt);
        assert_number(json, "judges/llama/successes", row->llama);
        assert_number(json, "judges/rules/successes", row->rules);
        assert_number(json, "judges/rules_replayed/successes", row->rules);
        assert_number(json, "judges/rules_replayed/agreement", 1);
        assert_number(json, "judges/rules_replayed/agreement_n", row->count);
        for (int k = 0; k < 5; k++) {
            snprintf(path, sizeof path, "judges/gpt/asr_at/%s", keys[k]);
            assert_number(json, path, (double)row->at[k] / row->count);
        }
        if (row->categories)
            assert_categories(json, row->categories);
        cJSON_Delete(json);
    }
    request_list_release(&behaviors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_run_gives_its_known_counts),
        cmocka_unit_test(other_judges_have_the_last_attempt),
        cmocka_unit_test(over_refusal_and_discrimination_compare_first_attempts),
        cmocka_unit_test(several_attacks_stand_side_by_side),
        cmocka_unit_test(fixed_attempts_use_the_unbiased_estimator),
        cmocka_unit_test(too_much_unscored_is_not_measured),
        cmocka_unit_test(gates_name_values_and_ends_of_intervals),
        cmocka_unit_test(a_gate_on_what_was_not_measured_does_not_pass),
        cmocka_unit_test(the_papers_tables_come_out_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
