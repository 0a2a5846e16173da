/* How far one judge may be taken for another. */

#include "base/json.h"
#include "eval/report_chart.h"

#include <inttypes.h>
#include <math.h>

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

static void cell_kappa(struct text_buffer *out, double kappa)
{
    struct text_buffer text = {0};
    const long hundredths = isnan(kappa) ? 0 : lround(fabs(kappa) * 100);
    if (isnan(kappa))
        text_buffer_append(&text, "not defined");
    else
        text_buffer_appendf(&text, "%s%ld.%02ld", kappa < 0 && hundredths ? "−" : "",
                            hundredths / 100, hundredths % 100);
    table_cell(out, text_buffer_string(&text));
    text_buffer_release(&text);
}

static void pair_row(struct text_buffer *out, const char *run, const cJSON *pair)
{
    const cJSON *judges = json_get(pair, "judges");
    const cJSON *first = judges ? judges->child : NULL;
    const cJSON *second = first ? first->next : NULL;
    int64_t count = -1;
    json_optional_integer(pair, "n", &count, "summary.json", NULL);
    if (!cJSON_IsString(first) || !cJSON_IsString(second))
        return;
    const double agreement = number_of(pair, "agreement");
    const struct report_rate agreed = {
        .measured = !isnan(agreement), .value = agreement, .hits = -1, .count = count};
    table_row(out, run);
    table_cell(out, first->valuestring);
    table_cell(out, second->valuestring);
    table_rate(out, &agreed, UNIT_PERCENT);
    cell_kappa(out, number_of(pair, "kappa"));
}

void chart_agreement(struct text_buffer *out, const struct report *report)
{
    static const char *const headings[] = {"Judge", "Judge", "Agree, of replies",
                                           "Cohen's kappa"};
    const char *attack = report_main_attack(report);
    struct text_buffer rows = {0};
    for (size_t run = 0; attack && run < report->count; run++) {
        const cJSON *pairs = pairs_of(&report->runs[run], attack), *pair;
        cJSON_ArrayForEach(pair, pairs) pair_row(&rows, report->runs[run].label, pair);
    }
    if (rows.length) {
        section_open(out, "agreement", "The judges",
                     "How often two judges call the same reply answered or not. Kappa "
                     "leaves out what they would agree on by chance: 1 is all, 0 no more "
                     "than chance; it is not defined where both always say the same.");
        text_buffer_append(out, "<div class=\"scroll\"><table><thead><tr>");
        table_heading(out, "Run");
        for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
            table_heading(out, headings[i]);
        table_body(out);
        text_buffer_append(out, text_buffer_string(&rows));
        text_buffer_append(out, "</tbody></table></div>\n");
        section_close(out);
    }
    text_buffer_release(&rows);
}
