/* Attack success of behaviours that stand in the training data, and of the others. */

#include "base/json.h"
#include "eval/report_chart.h"

#include <string.h>

/* The main judge's rate of "clean" or "leaked" behaviours; not measured if it is not told.
 */
static struct report_rate rate_of(const cJSON *attack, const char *part)
{
    struct report_rate rate = {.hits = -1, .count = -1};
    const cJSON *judges = json_get(attack, part);
    const cJSON *judge = judges ? judges->child : NULL;
    const cJSON *value = json_get(judge, "asr");
    const cJSON *interval = json_get(judge, "ci95");
    const cJSON *hits = json_get(judge, "successes");
    const cJSON *count = json_get(judge, "n");
    if (!cJSON_IsNumber(value) || !cJSON_IsNumber(hits) || !cJSON_IsNumber(count))
        return rate;
    rate.measured = true;
    rate.value = value->valuedouble;
    rate.hits = (int64_t)hits->valuedouble;
    rate.count = (int64_t)count->valuedouble;
    if (cJSON_IsArray(interval) && interval->child && interval->child->next) {
        rate.has_interval = true;
        rate.low = interval->child->valuedouble;
        rate.high = interval->child->next->valuedouble;
    }
    return rate;
}

static void run_rows(struct text_buffer *out, const struct report_run *run)
{
    const cJSON *attacks = json_get(json_get(run->summary, "leakage"), "attacks");
    const cJSON *attack;
    cJSON_ArrayForEach(attack, attacks)
    {
        const struct report_rate clean = rate_of(attack, "clean");
        const struct report_rate leaked = rate_of(attack, "leaked");
        table_row(out, run->label);
        table_cell(out, attack->string);
        table_rate(out, &clean, UNIT_PERCENT);
        table_rate(out, &leaked, UNIT_PERCENT);
    }
}

static bool is_known(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (json_get(report->runs[i].summary, "leakage"))
            return true;
    return false;
}

void table_leakage(struct text_buffer *out, const struct report *report)
{
    if (!is_known(report))
        return;
    section_open(out, "leakage", "Seen in training, or not",
                 "Attack success by the main judge, of the behaviours that stand in the "
                 "training data in some wording (leaked) and of those that do not (clean). "
                 "Only the clean ones tell what the model does with requests that are new "
                 "to it.");
    table_open(out, "Clean and leaked behaviours", "Run");
    table_heading(out, "Attack");
    table_heading(out, "Clean");
    table_heading(out, "Leaked");
    table_body(out);
    for (size_t i = 0; i < report->count; i++)
        run_rows(out, &report->runs[i]);
    table_close(out);
    section_close(out);
}
