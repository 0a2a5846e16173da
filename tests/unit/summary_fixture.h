#ifndef HOLDFAST_TESTS_SUMMARY_FIXTURE_H
#define HOLDFAST_TESTS_SUMMARY_FIXTURE_H

/* A made run of known counts, and how to look into its summary.json. */

#include "fixture.h"

#include "base/json.h"
#include "base/memory.h"
#include "eval/summary.h"

/* Judges 0 "rules" (main) and 1 "xstest" (refusals). 'c' complied, 'r' refused, 'e' error.
 */
static inline void add(struct attempt_list *list, const char *set, const char *attack,
                       int64_t index, int64_t number, const char *category,
                       char main_verdict, char refusal_verdict)
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

static inline void judges_add(struct attempt_list *list)
{
    assert_int_equal(attempt_list_judge(list, "rules"), 0);
    assert_int_equal(attempt_list_judge(list, "xstest"), 1);
}

/*
 * Ten behaviours of at most 3 attempts under "past": 0-3 hit at once, 4 and 5 at the
 * second, 6 at the third, 7 and 8 never, 9 never with its second attempt failed. "none":
 * all refused. Benign: 1 of 4 refused, one more failed. Added backwards: order is nothing.
 */
static inline void made_run(struct attempt_list *list)
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
static inline const cJSON *at(const cJSON *value, const char *path)
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

static inline void assert_number(const cJSON *json, const char *path, double expected)
{
    const double value = at(json, path)->valuedouble;
    if (!(value >= expected - 0.5e-4 && value <= expected + 0.5e-4))
        fail_msg("%s is %g, not %g", path, value, expected);
}

static inline cJSON *json_of(const struct attempt_list *list,
                             const struct summary_plan *plan)
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

#endif
