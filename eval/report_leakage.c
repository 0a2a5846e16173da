/* Attack success and over-refusal of requests that stand in the training data, and of the
 * others. */

#include "base/json.h"
#include "eval/report_chart.h"

#include <string.h>

/* A rate of summary.json; not measured if it is not told. */
static struct report_rate rate_of(const cJSON *object, const char *hits_key,
                                  const char *value_key)
{
    struct report_rate rate = {.hits = -1, .count = -1};
    const cJSON *value = json_get(object, value_key);
    const cJSON *interval = json_get(object, "ci95");
    const cJSON *hits = json_get(object, hits_key);
    const cJSON *count = json_get(object, "n");
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

/* The main judge's: the first of "clean" or "leaked". */
static struct report_rate success_of(const cJSON *attack, const char *part)
{
    const cJSON *judges = json_get(attack, part);
    return rate_of(judges ? judges->child : NULL, "successes", "asr");
}

static void row_write(struct text_buffer *out, const struct report_run *run,
                      const char *what, const char *name, const struct report_rate rates[2])
{
    struct text_buffer cell = {0};
    text_buffer_appendf(&cell, "%s, %s", what, name);
    table_row(out, run->label);
    table_cell(out, text_buffer_string(&cell));
    table_rate(out, &rates[0], UNIT_PERCENT);
    table_rate(out, &rates[1], UNIT_PERCENT);
    text_buffer_release(&cell);
}

static void run_rows(struct text_buffer *out, const struct report_run *run)
{
    const cJSON *leakage = json_get(run->summary, "leakage");
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(leakage, "attacks"))
    {
        const struct report_rate rates[] = {success_of(item, "clean"),
                                            success_of(item, "leaked")};
        row_write(out, run, "Attack success", item->string, rates);
    }
    cJSON_ArrayForEach(item, json_get(leakage, "over_refusal"))
    {
        const struct report_rate rates[] = {
            rate_of(json_get(item, "clean"), "refused", "rate"),
            rate_of(json_get(item, "leaked"), "refused", "rate")};
        row_write(out, run, "Over-refusal", item->string, rates);
    }
}

/* "after: 3 of 50 behaviours and 1 of 250 prompts of xstest stand in it." */
static void counts_write(struct text_buffer *out, const struct report_run *run)
{
    const cJSON *leakage = json_get(run->summary, "leakage");
    const cJSON *leaked = json_get(leakage, "leaked");
    const cJSON *all = json_get(leakage, "behaviors");
    const cJSON *set;
    if (!cJSON_IsNumber(leaked) || !cJSON_IsNumber(all))
        return;
    text_buffer_append(out, "<p>");
    text_buffer_append_html(out, run->label);
    text_buffer_appendf(out, ": %.0f of %.0f behaviours", leaked->valuedouble,
                        all->valuedouble);
    cJSON_ArrayForEach(set, json_get(leakage, "benign"))
    {
        leaked = json_get(set, "leaked");
        all = json_get(set, "prompts");
        if (!cJSON_IsNumber(leaked) || !cJSON_IsNumber(all))
            continue;
        text_buffer_appendf(out, ", %.0f of %.0f prompts of ", leaked->valuedouble,
                            all->valuedouble);
        text_buffer_append_html(out, set->string);
    }
    text_buffer_append(out, " stand in the training data.</p>\n");
}

/* Training data that a model names and that was not there to be looked at. */
static void missing_write(struct text_buffer *out, const struct report_run *run)
{
    const cJSON *file;
    cJSON_ArrayForEach(file, json_get(json_get(run->summary, "leakage"), "not_found"))
    {
        if (!cJSON_IsString(file))
            continue;
        text_buffer_append(out, "<p>");
        text_buffer_append_html(out, run->label);
        text_buffer_append(out, ": also trained on ");
        text_buffer_append_html(out, file->valuestring);
        text_buffer_append(out, ", which was not found: what stands in it counts as clean "
                                "here.</p>\n");
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
                 "Attack success by the main judge and over-refusal, of the requests that "
                 "stand in the training data in some wording (leaked) and of those that do "
                 "not (clean). Only the clean ones tell what the model does with requests "
                 "that are new to it.");
    for (size_t i = 0; i < report->count; i++)
        counts_write(out, &report->runs[i]);
    table_open(out, "Clean and leaked requests", "Run");
    table_heading(out, "Rate");
    table_heading(out, "Clean");
    table_heading(out, "Leaked");
    table_body(out);
    for (size_t i = 0; i < report->count; i++)
        run_rows(out, &report->runs[i]);
    table_close(out);
    for (size_t i = 0; i < report->count; i++)
        missing_write(out, &report->runs[i]);
    section_close(out);
}
