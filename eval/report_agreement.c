/* How far one judge may be taken for another. */

#include "base/json.h"
#include "eval/report_chart.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The list in a run's summary, NULL if there is none. */
static const cJSON *pairs_of(const struct report_run *run, const char *attack)
{
    const cJSON *found = json_get(json_get(run->summary, "attacks"), attack);
    const cJSON *pairs = json_get(found, "judge_pairs");
    return cJSON_IsArray(pairs) && pairs->child ? pairs : NULL;
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
}

static void append_hundredths(struct text_buffer *out, double value)
{
    const long hundredths = lround(fabs(value) * 100);
    text_buffer_appendf(out, "%s%ld.%02ld", value < 0 && hundredths ? "−" : "",
                        hundredths / 100, hundredths % 100);
}

/* The two numbers of an interval; false where the summary has none. */
static bool interval_of(const cJSON *pair, const char *key, double ends[2])
{
    const cJSON *found = json_get(pair, key);
    const cJSON *low = found ? found->child : NULL;
    const cJSON *high = low ? low->next : NULL;
    if (!cJSON_IsNumber(low) || !cJSON_IsNumber(high))
        return false;
    ends[0] = low->valuedouble;
    ends[1] = high->valuedouble;
    return true;
}

static void cell_kappa(struct text_buffer *out, const cJSON *pair)
{
    struct text_buffer text = {0};
    const double kappa = number_of(pair, "kappa");
    double ends[2];
    if (isnan(kappa)) {
        text_buffer_append(&text, "not defined");
    } else {
        append_hundredths(&text, kappa);
        if (interval_of(pair, "kappa_ci95", ends)) {
            text_buffer_append(&text, " (");
            append_hundredths(&text, ends[0]);
            text_buffer_append(&text, " to ");
            append_hundredths(&text, ends[1]);
            text_buffer_append(&text, ")");
        }
    }
    table_cell(out, text_buffer_string(&text));
    text_buffer_release(&text);
}

static void pair_row(struct text_buffer *out, const char *run, const char *attack,
                     const cJSON *pair)
{
    const cJSON *judges = json_get(pair, "judges");
    const cJSON *first = judges ? judges->child : NULL;
    const cJSON *second = first ? first->next : NULL;
    int64_t count = -1;
    double ends[2] = {0, 0};
    json_optional_integer(pair, "n", &count, "summary.json", NULL);
    if (!cJSON_IsString(first) || !cJSON_IsString(second))
        return;
    const double agreement = number_of(pair, "agreement");
    const bool has_interval = interval_of(pair, "agreement_ci95", ends);
    const struct report_rate agreed = {.measured = !isnan(agreement),
                                       .value = agreement,
                                       .has_interval = has_interval,
                                       .low = ends[0],
                                       .high = ends[1],
                                       .hits = -1,
                                       .count = count};
    table_row(out, run);
    table_cell(out, attack_words(attack));
    table_cell(out, first->valuestring);
    table_cell(out, second->valuestring);
    table_rate(out, &agreed, UNIT_PERCENT);
    cell_kappa(out, pair);
}

static void attack_rows(struct text_buffer *out, const struct report *report,
                        const char *attack)
{
    for (size_t run = 0; run < report->count; run++) {
        const cJSON *pairs = pairs_of(&report->runs[run], attack), *pair;
        cJSON_ArrayForEach(pair, pairs)
            pair_row(out, report->runs[run].label, attack, pair);
    }
}

static void headings(struct text_buffer *out)
{
    static const char *const names[] = {"Attack", "Judge", "Judge", "Agree, of replies",
                                        "Cohen's kappa"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        table_heading(out, names[i]);
    table_body(out);
}

/* The attacks that the report is not about, folded. */
static void others_table(struct text_buffer *out, const struct report *report,
                         const char *main_attack)
{
    struct report_names attacks = report_attack_names(report);
    struct text_buffer rows = {0};
    for (size_t i = 0; i < attacks.count; i++)
        if (strcmp(attacks.items[i], main_attack) != 0)
            attack_rows(&rows, report, attacks.items[i]);
    if (rows.length) {
        table_open(out, "Other attacks", "Run");
        headings(out);
        text_buffer_append(out, text_buffer_string(&rows));
        table_close(out);
    }
    free(attacks.items);
    text_buffer_release(&rows);
}

void chart_agreement(struct text_buffer *out, const struct report *report)
{
    const char *attack = report_main_attack(report);
    struct text_buffer rows = {0};
    if (attack)
        attack_rows(&rows, report, attack);
    if (rows.length) {
        section_open(out, "agreement", "The judges",
                     "How often two judges call the same reply answered or not. Kappa "
                     "leaves out what they would agree on by chance: 1 is all, 0 no more "
                     "than chance; it is not defined where both always say the same. "
                     "Intervals are over behaviours, whose replies stay together.");
        text_buffer_append(out, "<div class=\"scroll\"><table><thead><tr>");
        table_heading(out, "Run");
        headings(out);
        text_buffer_append(out, text_buffer_string(&rows));
        text_buffer_append(out, "</tbody></table></div>\n");
        others_table(out, report, attack);
        section_close(out);
    }
    text_buffer_release(&rows);
}
