#include "base/json.h"
#include "eval/summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void interval_print(struct json_writer *json, const char *key,
                           struct interval interval)
{
    json_array_begin(json, key);
    json_number(json, NULL, interval.low);
    json_number(json, NULL, interval.high);
    json_array_end(json);
}

/* The members of an object that is open. */
static void rate_print(struct json_writer *json, const struct rate *rate,
                       const char *successes_key, const char *value_key)
{
    json_integer(json, successes_key, rate->successes);
    json_integer(json, "n", rate->count);
    json_number(json, value_key, rate->value);
    interval_print(json, "ci95", rate->ci95);
    json_integer(json, "unscored", rate->unscored);
    interval_print(json, "worst_case", rate->worst_case);
}

static void curve_print(struct json_writer *json, const struct judge_result *judge)
{
    char key[32];
    json_object_begin(json, "asr_at");
    for (int64_t k = 1; k <= judge->at_count; k++) {
        snprintf(key, sizeof key, "%lld", (long long)k);
        json_number(json, key, judge->at[k - 1].value);
    }
    json_object_end(json);
    json_object_begin(json, "asr_at_ci95");
    for (int64_t k = 1; k <= judge->at_count; k++) {
        snprintf(key, sizeof key, "%lld", (long long)k);
        interval_print(json, key, judge->at[k - 1].ci95);
    }
    json_object_end(json);
    json_object_begin(json, "asr_at_n");
    for (int64_t k = 1; k <= judge->at_count; k++) {
        snprintf(key, sizeof key, "%lld", (long long)k);
        json_integer(json, key, judge->at[k - 1].count);
    }
    json_object_end(json);
}

static void corrected_print(struct json_writer *json, const struct summary *summary,
                            const struct corrected_rate *corrected)
{
    const struct judge_errors *errors = &summary->judge_errors;
    json_object_begin(json, "corrected");
    json_number(json, "asr", corrected->value);
    interval_print(json, "ci95", corrected->ci95);
    json_integer(json, "k", 1);
    json_number(json, "q0", errors->q0);
    json_number(json, "q1", errors->q1);
    json_integer(json, "m0", errors->m0);
    json_integer(json, "m1", errors->m1);
    json_number(json, "any_of_k_false_rate",
                any_of_k_false_rate(errors->q0, summary->attempts));
    json_object_end(json);
}

/* `corrected` is NULL where the judge's errors are not known. */
static void judge_print(struct json_writer *json, const struct summary *summary,
                        const struct judge_result *judge,
                        const struct corrected_rate *corrected)
{
    json_object_begin(json, judge->name);
    rate_print(json, &judge->rate, "successes", "asr");
    if (judge->at)
        curve_print(json, judge);
    if (judge->agreement_total) {
        json_number(json, "agreement",
                    (double)judge->agreed_count / (double)judge->agreement_total);
        json_integer(json, "agreement_n", judge->agreement_total);
    }
    if (corrected)
        corrected_print(json, summary, corrected);
    json_object_end(json);
}

static void pairs_print(struct json_writer *json, const struct attack_result *attack)
{
    json_array_begin(json, "judge_pairs");
    for (size_t i = 0; i < attack->pair_count; i++) {
        const struct judge_pair *pair = &attack->pairs[i];
        json_object_begin(json, NULL);
        json_array_begin(json, "judges");
        json_string(json, NULL, pair->names[0]);
        json_string(json, NULL, pair->names[1]);
        json_array_end(json);
        json_integer(json, "n", pair->count);
        json_integer(json, "both", pair->pairs.both);
        json_integer(json, "first_only", pair->pairs.first_only);
        json_integer(json, "second_only", pair->pairs.second_only);
        json_integer(json, "neither", pair->pairs.neither);
        json_number(json, "agreement", pair->agreement);
        if (!isnan(pair->agreement))
            interval_print(json, "agreement_ci95", pair->agreement_ci95);
        json_number(json, "kappa", pair->kappa);
        if (!isnan(pair->kappa) && !isnan(pair->kappa_ci95.low))
            interval_print(json, "kappa_ci95", pair->kappa_ci95);
        json_object_end(json);
    }
    json_array_end(json);
}

static void youdens_print(struct json_writer *json, const struct summary *summary,
                          const struct attack_result *attack)
{
    json_object_begin(json, "youden");
    for (size_t i = 0; i < summary->benign_count; i++) {
        json_object_begin(json, summary->benign[i].name);
        json_number(json, "j", attack->youdens[i].j);
        interval_print(json, "ci95", attack->youdens[i].ci95);
        json_object_end(json);
    }
    json_object_end(json);
}

static void categories_print(struct json_writer *json, const struct attack_result *attack)
{
    json_object_begin(json, "categories");
    for (size_t i = 0; i < attack->category_count; i++) {
        const struct category_result *category = &attack->categories[i];
        json_object_begin(json, category->name);
        for (size_t judge = 0; judge < attack->judge_count; judge++) {
            json_object_begin(json, attack->judges[judge].name);
            rate_print(json, &category->rates[judge], "successes", "asr");
            json_object_end(json);
        }
        json_object_end(json);
    }
    json_object_end(json);
}

static void outcomes_print(struct json_writer *json, const int64_t counts[OUTCOME_COUNT])
{
    json_object_begin(json, "outcomes");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (counts[i])
            json_integer(json, outcome_name((enum outcome)i), counts[i]);
    json_object_end(json);
}

/* All of an attack up to its categories; the members of an object that is open. */
static void attack_print(struct json_writer *json, const struct summary *summary,
                         const struct attack_result *attack)
{
    json_string(json, "attack", attack->name);
    json_integer(json, "attempts", summary->attempts);
    if (summary->given_up_count)
        json_integer(json, "given_up", summary->given_up_count);
    json_string(json, "mode", summary->fixed_attempts ? "fixed" : "first-hit");
    json_integer(json, "behaviors", attack->behaviors);
    json_integer(json, "scored", attack->judge_count ? attack->judges[0].rate.count : 0);
    json_object_begin(json, "judges");
    for (size_t judge = 0; judge < attack->judge_count; judge++)
        judge_print(json, summary, &attack->judges[judge],
                    judge == 0 && attack->is_corrected ? &attack->corrected : NULL);
    json_object_end(json);
    json_object_begin(json, "queries_to_success");
    json_number(json, "median", attack->queries_median);
    json_integer(json, "n", attack->queries_count);
    json_object_end(json);
    pairs_print(json, attack);
    youdens_print(json, summary, attack);
    categories_print(json, attack);
}

/* XSTest's three classes, of what the refusal judge scored. A rule knows no partial one. */
static const struct {
    enum outcome outcome;
    const char *key;
    const char *words;
} refusal_classes[] = {{OUTCOME_COMPLIED, "full_compliance", "answered in full"},
                       {OUTCOME_PARTIAL, "partial_refusal", "refused in part"},
                       {OUTCOME_REFUSED, "full_refusal", "refused in full"}};

enum { REFUSAL_CLASS_COUNT = sizeof refusal_classes / sizeof *refusal_classes };

static struct rate refusal_class_rate(const struct benign_result *benign, size_t class)
{
    const int64_t count = benign->outcomes[refusal_classes[class].outcome];
    const int64_t all = benign->refused.count;
    const int64_t unscored = benign->refused.unscored;
    return (struct rate){.successes = count,
                         .count = all,
                         .unscored = unscored,
                         .value = all ? (double)count / (double)all : (double)NAN,
                         .ci95 = wilson_interval(count, all),
                         .worst_case = worst_case_bounds(count, all, unscored)};
}

static void refusal_classes_print(struct json_writer *json,
                                  const struct benign_result *benign)
{
    json_object_begin(json, "classes");
    for (size_t i = 0; i < REFUSAL_CLASS_COUNT; i++) {
        const struct rate rate = refusal_class_rate(benign, i);
        json_object_begin(json, refusal_classes[i].key);
        rate_print(json, &rate, "count", "rate");
        json_object_end(json);
    }
    json_object_end(json);
}

static void over_refusal_print(struct json_writer *json, const struct summary *summary)
{
    json_object_begin(json, "over_refusal");
    for (size_t i = 0; i < summary->benign_count; i++) {
        const struct benign_result *benign = &summary->benign[i];
        json_object_begin(json, benign->name);
        rate_print(json, &benign->refused, "refused", "rate");
        json_integer(json, "partial", benign->outcomes[OUTCOME_PARTIAL]);
        refusal_classes_print(json, benign);
        json_string(json, "judge", summary->refusal_judge);
        outcomes_print(json, benign->outcomes);
        json_object_end(json);
    }
    json_object_end(json);
}

static void discrimination_print(struct json_writer *json, const struct summary *summary)
{
    json_object_begin(json, "discrimination");
    for (size_t i = 0; i < summary->discrimination_count; i++) {
        const struct discrimination_result *found = &summary->discriminations[i];
        json_object_begin(json, found->tense);
        json_number(json, "harmful_refused", found->harmful.value);
        json_integer(json, "harmful_n", found->harmful.count);
        json_number(json, "benign_refused", found->benign.value);
        json_integer(json, "benign_n", found->benign.count);
        json_number(json, "d", found->d);
        interval_print(json, "ci95", found->ci95);
        json_string(json, "benign_set", found->benign_set);
        json_string(json, "judge", summary->refusal_judge);
        json_object_end(json);
    }
    json_object_end(json);
}

static void degenerate_print(struct json_writer *json, const char *kind, const char *name,
                             const struct rate *rate)
{
    struct text_buffer key = {0};
    text_buffer_appendf(&key, "%s:%s", kind, name);
    json_object_begin(json, text_buffer_string(&key));
    json_integer(json, "count", rate->successes);
    json_integer(json, "n", rate->count);
    json_number(json, "rate", rate->value);
    interval_print(json, "ci95", rate->ci95);
    json_object_end(json);
    text_buffer_release(&key);
}

static void degenerates_print(struct json_writer *json, const struct summary *summary)
{
    json_object_begin(json, "degenerate");
    json_integer(json, "count", summary->degenerate.successes);
    json_integer(json, "n", summary->degenerate.count);
    json_number(json, "rate", summary->degenerate.value);
    interval_print(json, "ci95", summary->degenerate.ci95);
    json_object_begin(json, "sets");
    for (size_t i = 0; i < summary->attack_count; i++)
        degenerate_print(json, "harmful", summary->attacks[i].name,
                         &summary->attacks[i].degenerate);
    for (size_t i = 0; i < summary->benign_count; i++)
        degenerate_print(json, "benign", summary->benign[i].name,
                         &summary->benign[i].degenerate);
    json_object_end(json);
    json_object_end(json);
}

static void apart_print(struct json_writer *json, const char *key,
                        const struct attack_result *attack, const struct rate *rates)
{
    json_object_begin(json, key);
    for (size_t judge = 0; judge < attack->judge_count; judge++) {
        json_object_begin(json, attack->judges[judge].name);
        rate_print(json, &rates[judge], "successes", "asr");
        json_object_end(json);
    }
    json_object_end(json);
}

static void refused_print(struct json_writer *json, const char *key,
                          const struct rate *rate)
{
    json_object_begin(json, key);
    rate_print(json, rate, "refused", "rate");
    json_object_end(json);
}

static void leakage_member_print(struct json_writer *json, const struct summary *summary)
{
    json_object_begin(json, "leakage");
    leakage_print(summary->leakage, json);
    json_object_begin(json, "attacks");
    for (size_t i = 0; i < summary->attack_count; i++) {
        const struct attack_result *attack = &summary->attacks[i];
        json_object_begin(json, attack->name);
        apart_print(json, "clean", attack, attack->clean);
        apart_print(json, "leaked", attack, attack->leaked);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_begin(json, "over_refusal");
    for (size_t i = 0; i < summary->benign_count; i++) {
        const struct benign_result *benign = &summary->benign[i];
        json_object_begin(json, benign->name);
        refused_print(json, "clean", &benign->clean);
        refused_print(json, "leaked", &benign->leaked);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
}

void summary_print_json(const struct summary *summary, struct text_buffer *out)
{
    static const int64_t no_outcomes[OUTCOME_COUNT];
    const struct attack_result *first = summary->attack_count ? summary->attacks : NULL;
    struct json_writer json = {.out = out, .indent_spaces = 1};
    json_object_begin(&json, NULL);
    json_string(&json, "model", summary->model);
    if (first)
        attack_print(&json, summary, first);
    over_refusal_print(&json, summary);
    discrimination_print(&json, summary);
    outcomes_print(&json, first ? first->outcomes : no_outcomes);
    json_object_begin(&json, "attacks");
    for (size_t i = 0; i < summary->attack_count; i++) {
        json_object_begin(&json, summary->attacks[i].name);
        attack_print(&json, summary, &summary->attacks[i]);
        outcomes_print(&json, summary->attacks[i].outcomes);
        json_object_end(&json);
    }
    json_object_end(&json);
    degenerates_print(&json, summary);
    if (summary->leakage)
        leakage_member_print(&json, summary);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

enum { LABEL_WIDTH = 40 };

/* "  refused, xstest-safe           8.4%  [ 5.6, 12.5]  250 of 250" */
static void row_print(struct text_buffer *out, const char *label, const struct rate *rate)
{
    const int64_t all = rate->count + rate->unscored;
    text_buffer_appendf(out, "  %-*s", LABEL_WIDTH, label);
    if (isnan(rate->value))
        text_buffer_appendf(out, "%8s  %15s", "-", "");
    else
        text_buffer_appendf(out, "%7.1f%%  [%5.1f, %5.1f]", 100 * rate->value,
                            100 * rate->ci95.low, 100 * rate->ci95.high);
    text_buffer_appendf(out, "   %lld of %lld", (long long)rate->count, (long long)all);
    if (rate->unscored)
        text_buffer_appendf(out, "   worst case [%.1f, %.1f]", 100 * rate->worst_case.low,
                            100 * rate->worst_case.high);
    text_buffer_append_char(out, '\n');
}

static void apart_rows(struct text_buffer *out, const struct rate *clean,
                       const struct rate *leaked)
{
    if (leaked->count + leaked->unscored == 0) {
        text_buffer_append(out, "    none of them stands in the training data\n");
        return;
    }
    row_print(out, "  not in the training data", clean);
    row_print(out, "  leaked: in the training data", leaked);
}

/* "answered, past, rules @20" */
static void judge_row(struct text_buffer *out, const char *word, const char *attack,
                      const char *judge, int64_t k, const struct rate *rate)
{
    struct text_buffer label = {0};
    text_buffer_appendf(&label, "%s, %s, %s", word, attack, judge);
    if (k > 0)
        text_buffer_appendf(&label, " @%lld", (long long)k);
    else
        text_buffer_append(&label, ", last");
    row_print(out, text_buffer_string(&label), rate);
    text_buffer_release(&label);
}

static void pair_row(struct text_buffer *out, const struct judge_pair *pair)
{
    char label[128];
    snprintf(label, sizeof label, "  %s and %s", pair->names[0], pair->names[1]);
    text_buffer_appendf(out, "  %-*s agree on %lld of %lld replies", LABEL_WIDTH - 1, label,
                        (long long)(pair->pairs.both + pair->pairs.neither),
                        (long long)pair->count);
    if (!isnan(pair->agreement))
        text_buffer_appendf(out, " [%.1f, %.1f]%%", 100 * pair->agreement_ci95.low,
                            100 * pair->agreement_ci95.high);
    if (isnan(pair->kappa))
        text_buffer_append(out, ", kappa not defined");
    else
        text_buffer_appendf(out, ", kappa %.2f", pair->kappa);
    if (!isnan(pair->kappa) && !isnan(pair->kappa_ci95.low))
        text_buffer_appendf(out, " [%.2f, %.2f]", pair->kappa_ci95.low,
                            pair->kappa_ci95.high);
    text_buffer_append_char(out, '\n');
}

static void corrected_rows(struct text_buffer *out, const struct summary *summary,
                           const struct attack_result *attack)
{
    const double amplified =
        any_of_k_false_rate(summary->judge_errors.q0, summary->attempts);
    text_buffer_appendf(out, "  %-*s", LABEL_WIDTH,
                        "  corrected for the judge's errors, @1");
    if (isnan(attack->corrected.value))
        text_buffer_appendf(out, "%8s\n", "-");
    else
        text_buffer_appendf(out, "%7.1f%%  [%5.1f, %5.1f]\n", 100 * attack->corrected.value,
                            100 * attack->corrected.ci95.low,
                            100 * attack->corrected.ci95.high);
    if (summary->attempts > 1)
        text_buffer_appendf(out,
                            "    its errors alone call %.1f%% of behaviours broken within "
                            "%lld attempts\n",
                            100 * amplified, (long long)summary->attempts);
}

/* "J, past, xstest-safe" */
static void youden_rows(struct text_buffer *out, const struct summary *summary,
                        const struct attack_result *attack)
{
    for (size_t i = 0; i < summary->benign_count; i++) {
        const struct youden_result *youden = &attack->youdens[i];
        char label[128];
        snprintf(label, sizeof label, "J, %s, %s", attack->name, summary->benign[i].name);
        text_buffer_appendf(out, "  %-*s", LABEL_WIDTH, label);
        if (isnan(youden->j))
            text_buffer_appendf(out, "%8s\n", "-");
        else
            text_buffer_appendf(out, "%+7.1f   [%5.1f, %5.1f]\n", 100 * youden->j,
                                100 * youden->ci95.low, 100 * youden->ci95.high);
    }
}

static void attack_rows(struct text_buffer *out, const struct summary *summary,
                        const struct attack_result *attack)
{
    static const int64_t shown[] = {1, 2, 5, 10, 20, 50, 100};
    for (size_t i = 0; i < attack->judge_count; i++) {
        const struct judge_result *judge = &attack->judges[i];
        for (size_t s = 0; judge->at && s < sizeof shown / sizeof *shown; s++)
            if (shown[s] < summary->attempts && (s == 0 || summary->attack_count == 1))
                judge_row(out, summary->success_word, attack->name, judge->name, shown[s],
                          &judge->at[shown[s] - 1]);
        judge_row(out, summary->success_word, attack->name, judge->name,
                  judge->at ? summary->attempts : 0, &judge->rate);
        if (i == 0 && summary->attempts > 1 && attack->queries_count)
            text_buffer_appendf(out,
                                "  %-*s%7.1f attempts, median of the %lld that were hit\n",
                                LABEL_WIDTH, "  first hit after", attack->queries_median,
                                (long long)attack->queries_count);
        if (judge->agreement_total)
            text_buffer_appendf(out, "  %-*s%lld of %lld replies\n", LABEL_WIDTH,
                                "  agrees with the stored verdict on",
                                (long long)judge->agreed_count,
                                (long long)judge->agreement_total);
    }
    if (summary->leakage)
        apart_rows(out, &attack->clean[0], &attack->leaked[0]);
    for (size_t i = 0; i < attack->pair_count; i++)
        pair_row(out, &attack->pairs[i]);
    if (attack->is_corrected)
        corrected_rows(out, summary, attack);
}

static void discrimination_row(struct text_buffer *out,
                               const struct discrimination_result *found)
{
    char label[128];
    snprintf(label, sizeof label, "D, %s: refused harmful - benign", found->tense);
    text_buffer_appendf(out, "  %-*s", LABEL_WIDTH, label);
    if (isnan(found->d))
        text_buffer_appendf(out, "%8s  %15s", "-", "");
    else
        text_buffer_appendf(out, "%+7.1f   [%5.1f, %5.1f]", 100 * found->d,
                            100 * found->ci95.low, 100 * found->ci95.high);
    text_buffer_appendf(out, "   %lld, %lld\n", (long long)found->harmful.count,
                        (long long)found->benign.count);
}

static void benign_rows(struct text_buffer *out, const struct summary *summary,
                        const struct benign_result *benign)
{
    char label[128];
    snprintf(label, sizeof label, "refused, %s (%s)", benign->name, summary->refusal_judge);
    row_print(out, label, &benign->refused);
    for (size_t i = 0; i < REFUSAL_CLASS_COUNT && benign->outcomes[OUTCOME_PARTIAL]; i++) {
        const struct rate rate = refusal_class_rate(benign, i);
        snprintf(label, sizeof label, "  %s", refusal_classes[i].words);
        row_print(out, label, &rate);
    }
    if (summary->leakage)
        apart_rows(out, &benign->clean, &benign->leaked);
}

/* What the letters of the table are, where they stand in it. */
static void legend_print(struct text_buffer *out, const struct summary *summary)
{
    if (summary->discrimination_count)
        text_buffer_append(out, "  D: points between the harmful and the benign requests "
                                "refused; 0 is a model that refuses both alike.\n");
    if (summary->benign_count && summary->attack_count)
        text_buffer_appendf(out,
                            "  J: 100 - %s - refused, in points (Youden); 100 is right on "
                            "all, 0 no better than chance.\n",
                            summary->success_word);
}

void summary_print_table(const struct summary *summary, struct text_buffer *out)
{
    text_buffer_appendf(out, "%s\n  %-*s%8s  %15s   scored\n", summary->model, LABEL_WIDTH,
                        "", "rate", "95% interval  ");
    for (size_t i = 0; i < summary->attack_count; i++)
        attack_rows(out, summary, &summary->attacks[i]);
    for (size_t i = 0; i < summary->benign_count; i++)
        benign_rows(out, summary, &summary->benign[i]);
    for (size_t i = 0; i < summary->discrimination_count; i++)
        discrimination_row(out, &summary->discriminations[i]);
    const struct attack_result *main_attack = summary_attack(summary, "past");
    if (main_attack || summary->attack_count)
        youden_rows(out, summary, main_attack ? main_attack : summary->attacks);
    row_print(out, "degenerate replies", &summary->degenerate);
    if (summary->given_up_count)
        text_buffer_appendf(out,
                            "  On %lld behaviours the attack gave up, without a prompt: "
                            "misses, as JailbreakBench counts;\n"
                            "  agreement is over the replies that there are.\n",
                            (long long)summary->given_up_count);
    legend_print(out, summary);
    if (strcmp(summary->success_word, "answered") == 0)
        text_buffer_append(out,
                           "  \"answered\" means not refused; whether an answer is of use "
                           "for harm is not judged.\n");
}
