/* Before and after on the same behaviours: what changed, and whether by chance. */

#include "base/memory.h"
#include "eval/report_chart.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void report_compare(const struct report *report, const char *set, const char *attack,
                    struct comparison *items)
{
    struct comparison **family = memory_allocate_array(report->count, sizeof *family);
    const struct verdict_set *before =
        run_verdicts_find(&report->runs[0].verdicts, set, attack);
    for (size_t run = 0; run < report->count; run++) {
        verdicts_compare(&items[run], before,
                         run_verdicts_find(&report->runs[run].verdicts, set, attack));
        family[run] = &items[run];
    }
    comparisons_adjust(family + 1, report->count - 1);
    free(family);
}

void append_p(struct text_buffer *out, double p)
{
    const long parts = isnan(p) ? 0 : lround(p * 10000);
    if (isnan(p))
        text_buffer_append(out, "not measured");
    else if (parts == 0)
        text_buffer_append(out, "<0.0001");
    else
        text_buffer_appendf(out, "%ld.%04ld", parts / 10000, parts % 10000);
}

static void cell_p(struct text_buffer *out, double p)
{
    struct text_buffer text = {0};
    append_p(&text, p);
    table_cell(out, text_buffer_string(&text));
    text_buffer_release(&text);
}

/* Of the pairs; their number stands in a cell of its own. */
static struct report_rate share_of(double value, int64_t count)
{
    const struct interval ci95 =
        count ? wilson_interval(llround(value * (double)count), count)
              : (struct interval){0};
    return (struct report_rate){.measured = !isnan(value),
                                .value = value,
                                .has_interval = !isnan(value) && count,
                                .low = ci95.low,
                                .high = ci95.high,
                                .hits = -1,
                                .count = -1};
}

static void row(struct text_buffer *out, const char *run, const char *what,
                const struct comparison *item)
{
    const struct report_rate before = share_of(item->before, item->count);
    const struct report_rate after = share_of(item->after, item->count);
    struct report_rate difference = {.measured = !isnan(item->difference),
                                     .value = item->difference,
                                     .hits = -1,
                                     .count = -1};
    struct text_buffer pairs = {0};
    difference.has_interval = difference.measured;
    difference.low = item->ci95.low;
    difference.high = item->ci95.high;
    text_buffer_appendf(&pairs, "%" PRId64, item->count);
    if (item->count && item->left_out)
        text_buffer_appendf(&pairs, ", %" PRId64 " left out", item->left_out);
    table_row(out, run);
    table_cell(out, what);
    table_cell(out, item->count ? text_buffer_string(&pairs) : "not measured");
    table_rate(out, &before, UNIT_PERCENT);
    table_rate(out, &after, UNIT_PERCENT);
    table_rate(out, &difference, UNIT_POINTS);
    table_integer(out, item->count ? item->pairs.first_only : -1);
    table_integer(out, item->count ? item->pairs.second_only : -1);
    cell_p(out, item->p);
    cell_p(out, item->p_holm);
    text_buffer_release(&pairs);
}

/* The rows of one attack or benign set; how many of them have pairs. */
static size_t rows(struct text_buffer *out, const struct report *report, const char *set,
                   const char *attack, const char *words)
{
    struct comparison *items = memory_allocate_array(report->count, sizeof *items);
    size_t measured = 0;
    report_compare(report, set, attack, items);
    for (size_t run = 1; run < report->count; run++) {
        struct text_buffer what = {0};
        text_buffer_append(&what, words);
        if (items[run].attempts > 1)
            text_buffer_appendf(&what, " @%" PRId64, items[run].attempts);
        row(out, report->runs[run].label, text_buffer_string(&what), &items[run]);
        text_buffer_release(&what);
        measured += items[run].count > 0;
    }
    free(items);
    return measured;
}

static size_t all_rows(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    struct report_names sets = report_set_names(report);
    struct text_buffer words = {0}, set = {0};
    size_t measured = 0;
    for (size_t i = 0; i < attacks.count; i++) {
        text_buffer_clear(&words);
        text_buffer_appendf(&words, "answered: %s", attack_words(attacks.items[i]));
        measured +=
            rows(out, report, "harmful", attacks.items[i], text_buffer_string(&words));
    }
    for (size_t i = 0; i < sets.count; i++) {
        text_buffer_clear(&words);
        text_buffer_clear(&set);
        text_buffer_appendf(&words, "refused: %s", sets.items[i]);
        text_buffer_appendf(&set, "benign:%s", sets.items[i]);
        measured +=
            rows(out, report, text_buffer_string(&set), "none", text_buffer_string(&words));
    }
    text_buffer_release(&words);
    text_buffer_release(&set);
    free(attacks.items);
    free(sets.items);
    return measured;
}

void chart_paired(struct text_buffer *out, const struct report *report)
{
    static const char *const headings[] = {
        "What",        "Pairs",      "Before", "After",   "Difference, points",
        "Only before", "Only after", "p",      "p (Holm)"};
    struct text_buffer body = {0};
    if (report->count < 2)
        return;
    section_open(
        out, "paired", "On the same requests",
        "Each run against the first one, request by request, within the attempts "
        "that both made. p is McNemar&rsquo;s exact test that nothing changed; "
        "Holm adjusts it for the number of runs that are held against the first. The "
        "difference has a paired bootstrap interval.");
    if (all_rows(&body, report)) {
        text_buffer_append(out, "<div class=\"scroll\"><table class=\"wide\"><thead><tr>");
        table_heading(out, "Run");
        for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
            table_heading(out, headings[i]);
        table_body(out);
        text_buffer_append(out, text_buffer_string(&body));
        text_buffer_append(out, "</tbody></table></div>\n");
    } else {
        section_not_measured(out, "The attempts of the runs are not stored beside their "
                                  "summaries, or they have no request and judge in "
                                  "common.");
    }
    section_close(out);
    text_buffer_release(&body);
}
