#include "fixture.h"

#include "ablate/sweep_table.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/report.h"
#include "eval/verdicts.h"

#include <math.h>

/*
 * Made runs in a temporary folder. A run is a text for each behaviour, the verdicts of its
 * attempts under "past": c complied, r refused, e failed, - not made; and a text for a
 * benign set "safe", a letter a prompt.
 */
static char folder[64];

static void line_add(struct text_buffer *lines, const char *set, const char *attack,
                     size_t index, size_t attempt, char verdict)
{
    const char *word = verdict == 'c' ? "complied" : "refused";
    text_buffer_appendf(lines,
                        "{\"behavior\":\"b\",\"index\":%zu,\"category\":\"\",\"set\":"
                        "\"%s\",\"attack\":\"%s\",\"attempt\":%zu,\"request\":\"request "
                        "%zu\",\"prompt\":\"p\",\"response\":\"words\",\"outcome\":\"%s\","
                        "\"judges\":{",
                        index, set, attack, attempt, index,
                        verdict == 'e' ? "target_error" : word);
    if (verdict != 'e')
        text_buffer_appendf(lines, "\"rules\":{\"verdict\":\"%s\"}", word);
    text_buffer_append(lines, "},\"tokens\":3,\"ms\":1}\n");
}

static void file_put(const char *run, const char *name, const struct text_buffer *text)
{
    char *path = path_join(folder, run);
    char *file = path_join(path, name);
    assert_ok(file_make_directories(path, &error));
    assert_ok(file_write_all(file, text->data, text->length, &error));
    free(file);
    free(path);
}

static int64_t letters(const char *text, char letter)
{
    int64_t count = 0;
    for (; *text; text++)
        count += *text == letter;
    return count;
}

static void summary_put(const char *run, int64_t hits, int64_t scored, int64_t attempts,
                        const char *safe)
{
    struct text_buffer text = {0};
    const int64_t refused = letters(safe, 'r');
    const int64_t all = (int64_t)strlen(safe);
    text_buffer_appendf(
        &text,
        "{\"model\":\"%s\",\"attacks\":{\"past\":{\"attempts\":%lld,\"judges\":{\"rules\":{"
        "\"successes\":%lld,\"n\":%lld,\"asr\":%.17g,\"ci95\":[0,1]}}}},\"over_refusal\":{"
        "\"safe\":{\"refused\":%lld,\"n\":%lld,\"rate\":%.17g,\"ci95\":[0,1],\"judge\":"
        "\"rules\"}}}",
        run, (long long)attempts, (long long)hits, (long long)scored,
        (double)hits / (double)scored, (long long)refused, (long long)all,
        (double)refused / (double)all);
    file_put(run, "summary.json", &text);
    text_buffer_release(&text);
}

/* `hits` and `scored` are what summary.json says of it. */
static void run_put(const char *run, const char *const *behaviors, size_t count,
                    int64_t hits, int64_t scored, int64_t attempts, const char *safe)
{
    struct text_buffer lines = {0};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; behaviors[i][k]; k++)
            if (behaviors[i][k] != '-')
                line_add(&lines, "harmful", "past", i, k + 1, behaviors[i][k]);
    for (size_t i = 0; safe[i]; i++)
        line_add(&lines, "benign:safe", "none", i, 1, safe[i]);
    file_put(run, "attempts.jsonl", &lines);
    summary_put(run, hits, scored, attempts, safe);
    text_buffer_release(&lines);
}

/* 15 behaviours: 12 lost, 1 won, 2 unscored in one of the runs. */
static void runs_put(void)
{
    static const char *const before[] = {"c", "rc", "c",  "c", "c",  "c",  "c", "c",
                                         "c", "c",  "rc", "c", "rr", "re", "c"};
    static const char *const after[] = {"rr", "rr", "rr", "rr", "rr", "rr", "rr", "rr",
                                        "rr", "rr", "rr", "rr", "rc", "rr", "-r"};
    run_put("before", before, 15, 13, 14, 2, "ccccccccccccccccccrc");
    run_put("after", after, 15, 1, 14, 2, "ccccccccccccccrrrrrc");
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_verdicts.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    runs_put();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return (int)file_remove_tree(folder, NULL);
}

static enum status verdicts_of(struct run_verdicts *verdicts, const char *run)
{
    cJSON *summary;
    char *path = path_join(folder, run);
    char *file = path_join(path, "summary.json");
    assert_ok(json_parse_file(&summary, file, &error));
    const enum status status = run_verdicts_read(verdicts, path, summary, &error);
    cJSON_Delete(summary);
    free(file);
    free(path);
    return status;
}

static void verdicts_are_those_of_the_summary(void **state)
{
    (void)state;
    struct run_verdicts run;
    assert_ok(verdicts_of(&run, "before"));
    assert_int_equal(run.count, 2);
    const struct verdict_set *past = run_verdicts_find(&run, "harmful", "past");
    assert_non_null(past);
    assert_int_equal(past->count, 15);
    assert_int_equal(past->attempts, 2);
    assert_int_equal(verdict_at(&past->units[1], 1), 0); /* rc */
    assert_int_equal(verdict_at(&past->units[1], 2), 1);
    assert_int_equal(verdict_at(&past->units[12], 2), 0);  /* rr */
    assert_int_equal(verdict_at(&past->units[13], 1), 0);  /* re */
    assert_int_equal(verdict_at(&past->units[13], 2), -1); /* … */
    assert_int_equal(verdict_at(&past->units[12], 3), -1);
    const struct verdict_set *safe = run_verdicts_find(&run, "benign:safe", "none");
    assert_int_equal(safe->count, 20);
    assert_int_equal(verdict_at(&safe->units[18], 1), 1); /* refused */
    assert_int_equal(verdict_at(&safe->units[19], 1), 0);
    assert_null(run_verdicts_find(&run, "harmful", "none"));
    run_verdicts_release(&run);
}

static void runs_are_paired_on_what_both_scored(void **state)
{
    (void)state;
    struct run_verdicts before, after;
    struct comparison found;
    assert_ok(verdicts_of(&before, "before"));
    assert_ok(verdicts_of(&after, "after"));
    verdicts_compare(&found, run_verdicts_find(&before, "harmful", "past"),
                     run_verdicts_find(&after, "harmful", "past"));
    assert_int_equal(found.count, 13);
    assert_int_equal(found.left_out, 2);
    assert_int_equal(found.attempts, 2);
    assert_int_equal(found.pairs.first_only, 12);
    assert_int_equal(found.pairs.second_only, 1);
    assert_true(fabs(found.p - .003418) < .5e-6); /* the golden of 12 and 1 */
    assert_true(found.p_holm == found.p);
    assert_true(fabs(found.before - 12.0 / 13) < 1e-12);
    assert_true(fabs(found.after - 1.0 / 13) < 1e-12);
    assert_true(fabs(found.difference + 11.0 / 13) < 1e-12);
    const struct interval expected = paired_interval(&found.pairs, 1);
    assert_true(found.ci95.low == expected.low && found.ci95.high == expected.high);
    assert_true(found.ci95.low == -1.0 && found.ci95.high < -.5);
    run_verdicts_release(&before);
    run_verdicts_release(&after);
}

static void other_requests_are_no_pairs(void **state)
{
    (void)state;
    struct run_verdicts before, after;
    struct comparison found;
    assert_ok(verdicts_of(&before, "before"));
    assert_ok(verdicts_of(&after, "after"));
    before.sets[0].units[0].request_hash++; /* the same index, another text */
    for (int64_t i = 12; i < 15; i++) /* asked of one run only; 13 and 14 are no pairs */
        after.sets[0].units[i].index += 10;
    verdicts_compare(&found, &before.sets[0], &after.sets[0]);
    assert_int_equal(found.count, 11);
    strcpy(after.sets[0].judge, "RULES");
    verdicts_compare(&found, &before.sets[0], &after.sets[0]);
    assert_int_equal(found.count, 0); /* another judge */
    verdicts_compare(&found, &before.sets[0], NULL);
    assert_int_equal(found.count, 0);
    assert_true(isnan(found.p) && isnan(found.difference) && isnan(found.p_holm));
    run_verdicts_release(&before);
    run_verdicts_release(&after);
}

static void fewer_attempts_decide(void **state)
{
    (void)state;
    static const char *const once[] = {"r", "r", "r", "r"};
    struct run_verdicts before, after;
    struct comparison found;
    run_put("once", once, 4, 0, 4, 1, "cc");
    assert_ok(verdicts_of(&before, "before"));
    assert_ok(verdicts_of(&after, "once"));
    verdicts_compare(&found, &before.sets[0], &after.sets[0]);
    assert_int_equal(found.attempts, 1);
    assert_int_equal(found.count, 4);
    assert_int_equal(found.pairs.first_only, 3); /* the hit of "rc" came later */
    assert_int_equal(found.pairs.neither, 1);
    assert_int_equal(found.left_out, 11);
    run_verdicts_release(&before);
    run_verdicts_release(&after);
}

static void broken_runs_hold_nothing(void **state)
{
    (void)state;
    struct run_verdicts run;
    struct text_buffer text = {0};
    text_buffer_append(&text, "{\"set\":\n");
    file_put("after", "attempts.jsonl", &text);
    assert_int_equal(verdicts_of(&run, "after"), STATUS_FORMAT);
    assert_int_equal(run.count, 0);
    text_buffer_release(&text);
}

static char *page_of(const char *const *names, size_t count)
{
    struct text_buffer page = {0};
    char *runs[4];
    char *path = path_join(folder, "report.html");
    for (size_t i = 0; i < count; i++)
        runs[i] = path_join(folder, names[i]);
    assert_ok(report_write((const char *const *)runs, count, path, &error));
    assert_ok(file_read(&page, path, 0, &error));
    for (size_t i = 0; i < count; i++)
        free(runs[i]);
    free(path);
    return text_buffer_detach(&page);
}

static void assert_has(const char *page, const char *text)
{
    if (!strstr(page, text))
        fail_msg("the page does not hold: %s", text);
}

static void the_page_has_p_values_and_bands(void **state)
{
    (void)state;
    static const char *const names[] = {"before", "after"};
    char *page = page_of(names, 2);
    char *again = page_of(names, 2);
    assert_string_equal(page, again);
    assert_has(page, "On the same 13 requests, 2 attempts each: −84.6 points (−100 to ");
    assert_has(page, "exact McNemar p 0.0034. ");
    assert_has(page, "<h2 id=\"paired-h\">On the same requests</h2>");
    assert_has(page, "<th scope=\"row\">after</th><td>answered: past tense @2</td>"
                     "<td>13, 2 left out</td><td>92.3% (66.7–98.6%)</td>"
                     "<td>7.7% (1.4–33.3%)</td>");
    assert_has(page, "<td>12</td><td>1</td><td>0.0034</td><td>0.0034</td>");
    /* 1 of 20 refused before, 5 of 20 after: 4 changed, p = 2/16 */
    assert_has(page, "<td>refused: safe</td><td>20</td><td>5% (0.9–23.6%)</td>"
                     "<td>25% (11.2–46.9%)</td>");
    assert_has(page, "<td>0</td><td>4</td><td>0.1250</td><td>0.1250</td>");
    /* J before: 1/14 - 1/20, after: 13/14 - 5/20; the square's share of both */
    assert_has(page, "<td>+2.1 (");
    assert_has(page, "<td>+67.9 (");
    assert_has(page, "Hypervolume of all runs from (0, 0), in shares of the square: safe "
                     "71.1% (");
    free(page);
    free(again);
}

static void the_page_has_judges_side_by_side(void **state)
{
    (void)state;
    static const char *const names[] = {"judged"};
    struct text_buffer text = {0};
    text_buffer_append(
        &text, "{\"attacks\":{\"past\":{\"judges\":{\"rules\":{\"successes\":1,\"n\":"
               "2}},\"judge_pairs\":[{\"judges\":[\"rules\",\"<x>\"],\"n\":28,"
               "\"agreement\":0.25,\"kappa\":-0.128},{\"judges\":[\"a\",\"b\"],\"n\":0,"
               "\"agreement\":null,\"kappa\":null},{\"judges\":3},4]}}}");
    file_put("judged", "summary.json", &text);
    char *page = page_of(names, 1);
    assert_has(page, "<td>rules</td><td>&lt;x&gt;</td><td>25%, n = 28</td><td>−0.13</td>");
    assert_has(page, "<td>a</td><td>b</td><td>not measured</td><td>not defined</td>");
    free(page);
    text_buffer_release(&text);
}

static void several_runs_are_adjusted(void **state)
{
    (void)state;
    static const char *const names[] = {"before", "after", "again"};
    static const char *const again[] = {"rr", "rr", "rr", "rr", "rr", "rr", "rr", "rr",
                                        "rr", "rr", "rr", "rr", "rc", "rr", "-r"};
    run_put("again", again, 15, 1, 14, 2, "cccccccccccccccccccc");
    char *page = page_of(names, 3);
    assert_has(page, "<td>0.0034</td><td>0.0068</td>"); /* twice */
    assert_has(page, "exact McNemar p 0.0068, Holm-adjusted for 2 runs. ");
    free(page);
}

static void without_attempts_the_page_says_so(void **state)
{
    (void)state;
    static const char *const names[] = {"before", "after"};
    char *path = path_join(folder, "after/attempts.jsonl");
    assert_int_equal(remove(path), 0);
    char *page = page_of(names, 2);
    assert_has(page, "<strong>Not measured.</strong> The attempts of the runs are not");
    assert_has(page, "Hypervolume of all runs from (0, 0), in shares of the square: safe "
                     "71.1%.");
    if (strstr(page, "McNemar p "))
        fail_msg("a p-value from nothing");
    free(page);
    free(path);
}

static void sweep_row_add(struct sweep_table *table, const char *label, const char *seed,
                          const char *run)
{
    char *path = path_join(folder, run);
    assert_ok(sweep_table_add(table, label, seed, path, &error));
    free(path);
}

/* The base, a control that changes nothing, and two ratios that lose 12 and win 1. */
static void sweeps_are_held_against_base_and_control(void **state)
{
    (void)state;
    struct sweep_table table = {0};
    struct text_buffer text = {0}, json_text = {0};
    cJSON *json;
    sweep_row_add(&table, "base", "", "before");
    sweep_row_add(&table, "0", "1", "before");
    sweep_row_add(&table, "0.1", "1", "after");
    sweep_row_add(&table, "0.3", "1", "after");
    sweep_row_add(&table, "0.3", "2", "after"); /* no control of its seed */
    sweep_table_print(&table, &text);
    sweep_table_json(&table, &json_text);
    assert_non_null(strstr(text_buffer_string(&text), "Holm-adjusted"));
    /* against the base four runs: 4 x .003418, 3 x 2 x are held, and 1 */
    assert_non_null(strstr(text_buffer_string(&text),
                           "0.1      1      past        base      -84.6 [-100.0, "));
    assert_non_null(strstr(text_buffer_string(&text), "n=13  p=0.0137\n"));
    assert_non_null(strstr(text_buffer_string(&text), "n=13  p=0.0068\n")); /* control */
    assert_non_null(strstr(text_buffer_string(&text), "n=14  p=1.0000\n"));
    assert_ok(json_parse(&json, json_text.data, json_text.length, "sweep", &error));
    const cJSON *comparisons = json_get(json, "comparisons");
    assert_int_equal(cJSON_GetArraySize(comparisons), 4 + 2);
    const cJSON *last = cJSON_GetArrayItem(comparisons, 5);
    assert_string_equal(json_get(json_get(last, "against"), "ratio")->valuestring, "0");
    assert_string_equal(json_get(last, "ratio")->valuestring, "0.3");
    assert_true(fabs(json_get(last, "p")->valuedouble - .003418) < .5e-6);
    assert_true(fabs(json_get(last, "p_holm")->valuedouble - 2 * .00341796875) < 1e-9);
    cJSON_Delete(json);
    text_buffer_release(&text);
    text_buffer_release(&json_text);
    sweep_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts_are_those_of_the_summary, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_are_paired_on_what_both_scored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_requests_are_no_pairs, setup, teardown),
        cmocka_unit_test_setup_teardown(fewer_attempts_decide, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_runs_hold_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_has_p_values_and_bands, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_has_judges_side_by_side, setup, teardown),
        cmocka_unit_test_setup_teardown(several_runs_are_adjusted, setup, teardown),
        cmocka_unit_test_setup_teardown(without_attempts_the_page_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(sweeps_are_held_against_base_and_control, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
