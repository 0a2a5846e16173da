/* ASR@k: how success grows with the attempts that an attacker may make. */

#include "base/json.h"
#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    PLOT_WIDTH = 300,
    PLOT_HEIGHT = 210,
    PLOT_LEFT = 42,
    PLOT_TOP = 28,
    TICK_GAP = 16,
    LABEL_GAP = 14
};

static const struct report_judge *main_judge(const struct report_run *run,
                                             const char *attack)
{
    const struct report_attack *found = report_attack(run, attack);
    return found && found->judge_count ? &found->judges[0] : NULL;
}

/* Every k of any run, upwards. */
struct ticks {
    int64_t items[64];
    size_t count;
};

static void ticks_add(struct ticks *ticks, int64_t k)
{
    size_t at = 0;
    while (at < ticks->count && ticks->items[at] < k)
        at++;
    if (k < 1 || ticks->count == 64 || (at < ticks->count && ticks->items[at] == k))
        return;
    for (size_t i = ticks->count++; i > at; i--)
        ticks->items[i] = ticks->items[i - 1];
    ticks->items[at] = k;
}

static struct ticks ticks_of(const struct report *report, const char *attack)
{
    struct ticks ticks = {.count = 0};
    for (size_t run = 0; run < report->count; run++) {
        const struct report_judge *judge = main_judge(&report->runs[run], attack);
        for (size_t i = 0; judge && i < judge->curve_count; i++)
            ticks_add(&ticks, judge->curve[i].attempts);
    }
    return ticks;
}

/* Whether k is labelled: 1, 2, 5, 10, … and the last, or all where they are few. */
static bool is_labelled(const struct ticks *ticks, int64_t k)
{
    if (ticks->count <= 8 || k == ticks->items[ticks->count - 1])
        return true;
    while (k >= 10 && k % 10 == 0)
        k /= 10;
    return k == 1 || k == 2 || k == 5;
}

static double log_scale_at(const struct scale *x, int64_t k)
{
    return scale_at(x, log2((double)k));
}

static void draw_ticks(struct text_buffer *out, const struct ticks *ticks,
                       const struct scale *x, double bottom)
{
    double last = -TICK_GAP;
    for (size_t i = 0; i < ticks->count; i++) {
        const double at = log_scale_at(x, ticks->items[i]);
        struct text_buffer label = {0};
        text_buffer_appendf(&label, "%" PRId64, ticks->items[i]);
        svg_line(out, "axis", at, bottom, at, bottom + 4);
        if (is_labelled(ticks, ticks->items[i]) && at - last >= TICK_GAP) {
            svg_text(out, "tick", "middle", at, bottom + 18, text_buffer_string(&label));
            last = at;
        }
        text_buffer_release(&label);
    }
}

static void draw_point(struct text_buffer *out, const struct report *report, size_t run,
                       const struct report_point *point, bool is_small, double x, double y)
{
    struct text_buffer title = {0};
    text_buffer_appendf(&title, "%s, ASR@%" PRId64 ": ", report->runs[run].label,
                        point->attempts);
    append_rate(&title, &point->asr, UNIT_PERCENT);
    text_buffer_append(out, is_small ? "<g class=\"dot\">" : "<g>");
    svg_group(out, series_class(run), text_buffer_string(&title));
    svg_mark(out, is_small ? 1 : run, x, y, is_small ? 1.6 : 3.4);
    svg_group_end(out);
    svg_group_end(out);
    text_buffer_release(&title);
}

/* The intervals as a band behind the curve, where every k has one. */
static void draw_band(struct text_buffer *out, const struct report_judge *judge,
                      const struct scale scales[2])
{
    const size_t count = judge->curve_count;
    struct svg_point *points = memory_allocate_array(2 * count, sizeof *points);
    bool complete = count >= 2;
    for (size_t i = 0; i < count; i++) {
        const struct report_point *point = &judge->curve[i];
        const double x = log_scale_at(&scales[0], point->attempts);
        complete = complete && point->asr.has_interval;
        points[i] = (struct svg_point){x, scale_at(&scales[1], point->asr.low)};
        points[2 * count - 1 - i] =
            (struct svg_point){x, scale_at(&scales[1], point->asr.high)};
    }
    if (complete)
        svg_polygon(out, "band", points, 2 * count);
    free(points);
}

static void draw_curve(struct text_buffer *out, const struct report *report, size_t run,
                       const struct report_judge *judge, const struct ticks *ticks,
                       const struct scale scales[2])
{
    struct svg_point *points = memory_allocate_array(judge->curve_count, sizeof *points);
    for (size_t i = 0; i < judge->curve_count; i++)
        points[i] = (struct svg_point){log_scale_at(&scales[0], judge->curve[i].attempts),
                                       scale_at(&scales[1], judge->curve[i].asr.value)};
    text_buffer_appendf(out, "<g class=\"%s\">", series_class(run));
    draw_band(out, judge, scales);
    svg_polyline(out, "curve", points, judge->curve_count);
    text_buffer_append(out, "</g>");
    for (size_t i = 0; i < judge->curve_count; i++)
        draw_point(out, report, run, &judge->curve[i],
                   !is_labelled(ticks, judge->curve[i].attempts), points[i].x, points[i].y);
    free(points);
}

/* Names at the ends of the curves, pushed apart where they would overlap. */
struct end_label {
    size_t run;
    double y;
};

static int by_y(const void *left, const void *right)
{
    const struct end_label *a = left, *b = right;
    return a->y != b->y ? (a->y > b->y) - (a->y < b->y)
                        : (a->run > b->run) - (a->run < b->run);
}

static void spread(struct end_label *labels, size_t count, double bottom)
{
    qsort(labels, count, sizeof *labels, by_y);
    for (size_t i = 1; i < count; i++)
        labels[i].y = fmax(labels[i].y, labels[i - 1].y + LABEL_GAP);
    for (size_t i = count; i-- > 0;) {
        const double limit = i + 1 < count ? labels[i + 1].y - LABEL_GAP : bottom;
        labels[i].y = fmin(labels[i].y, limit);
    }
}

static void draw_end_labels(struct text_buffer *out, const struct report *report,
                            const char *attack, const struct scale scales[2], double width)
{
    struct end_label *labels = memory_allocate_array(report->count, sizeof *labels);
    size_t count = 0;
    for (size_t run = 0; run < report->count; run++) {
        const struct report_judge *judge = main_judge(&report->runs[run], attack);
        if (judge && judge->curve_count)
            labels[count++] = (struct end_label){
                run,
                scale_at(&scales[1], judge->curve[judge->curve_count - 1].asr.value) + 4};
    }
    spread(labels, count, scales[1].start + 4);
    for (size_t i = 0; i < count; i++) {
        text_buffer_appendf(out, "<g class=\"%s\">", series_class(labels[i].run));
        svg_label(out, "name", "start", scales[0].end + 10, labels[i].y, width,
                  report->runs[labels[i].run].label);
        text_buffer_append(out, "</g>");
    }
    free(labels);
}

static void describe(struct text_buffer *out, const struct report *report,
                     const char *attack)
{
    for (size_t run = 0; run < report->count; run++) {
        const struct report_judge *judge = main_judge(&report->runs[run], attack);
        text_buffer_appendf(out, "%s:", report->runs[run].label);
        for (size_t i = 0; judge && i < judge->curve_count; i++) {
            text_buffer_appendf(out, " @%" PRId64 " ", judge->curve[i].attempts);
            append_percent(out, judge->curve[i].asr.value);
        }
        text_buffer_append(out, judge && judge->curve_count ? ". " : " not measured. ");
    }
}

static void draw_plot(struct text_buffer *out, const struct report *report,
                      const char *attack, const struct ticks *ticks)
{
    const double bottom = PLOT_TOP + PLOT_HEIGHT, labels = label_width(report);
    const struct scale scales[2] = {{0, log2((double)ticks->items[ticks->count - 1]),
                                     PLOT_LEFT, PLOT_LEFT + PLOT_WIDTH},
                                    {0, 1, bottom, PLOT_TOP}};
    struct text_buffer id = {0}, title = {0}, description = {0};
    text_buffer_appendf(&id, "attempts-%zu", out->length);
    append_attack_title(&title, attack);
    describe(&description, report, attack);
    svg_open(out, text_buffer_string(&id), PLOT_LEFT + PLOT_WIDTH + labels, bottom + 40,
             text_buffer_string(&title), text_buffer_string(&description));
    text_buffer_append(&title, ": requests answered");
    svg_text(out, "head", "start", 0, 14, text_buffer_string(&title));
    svg_percent_axis_vertical(out, &scales[1], PLOT_LEFT, PLOT_LEFT + PLOT_WIDTH);
    draw_ticks(out, ticks, &scales[0], bottom);
    svg_text(out, "tick", "middle", PLOT_LEFT + PLOT_WIDTH / 2.0, bottom + 35,
             "attempts, k (logarithmic)");
    for (size_t run = 0; run < report->count; run++) {
        const struct report_judge *judge = main_judge(&report->runs[run], attack);
        if (judge && judge->curve_count)
            draw_curve(out, report, run, judge, ticks, scales);
    }
    draw_end_labels(out, report, attack, scales, labels - 12);
    svg_close(out);
    text_buffer_release(&description);
    text_buffer_release(&title);
    text_buffer_release(&id);
}

static void table_point(struct text_buffer *out, const struct report_judge *judge,
                        int64_t k)
{
    struct report_rate rate = {.hits = -1, .count = -1};
    for (size_t i = 0; judge && i < judge->curve_count; i++)
        if (judge->curve[i].attempts == k)
            rate = judge->curve[i].asr;
    if (rate.measured && rate.count < 0)
        rate.count = judge->asr.count;
    table_rate(out, &rate, UNIT_PERCENT);
}

/* "1.5 attempts, median of 74 hit": of those that were answered at all. */
static void table_queries(struct text_buffer *out, const struct report_run *run,
                          const char *attack)
{
    const cJSON *queries =
        json_get(json_get(json_get(run->summary, "attacks"), attack), "queries_to_success");
    const cJSON *median = json_get(queries, "median");
    const cJSON *count = json_get(queries, "n");
    struct text_buffer cell = {0};
    if (cJSON_IsNumber(median) && cJSON_IsNumber(count))
        text_buffer_appendf(&cell, "%.4g attempts, median of %.0f hit", median->valuedouble,
                            count->valuedouble);
    else
        text_buffer_append(&cell, "\xE2\x80\x93");
    table_cell(out, text_buffer_string(&cell));
    text_buffer_release(&cell);
}

static void attempts_table(struct text_buffer *out, const struct report *report,
                           const char *attack, const struct ticks *ticks)
{
    struct text_buffer summary = {0};
    append_attack_title(&summary, attack);
    text_buffer_append(&summary, ": data");
    table_open(out, text_buffer_string(&summary), "Run");
    for (size_t i = 0; i < ticks->count; i++) {
        text_buffer_clear(&summary);
        text_buffer_appendf(&summary, "@%" PRId64, ticks->items[i]);
        table_heading(out, text_buffer_string(&summary));
    }
    table_heading(out, "First hit after");
    table_body(out);
    for (size_t run = 0; run < report->count; run++) {
        table_row(out, report->runs[run].label);
        for (size_t i = 0; i < ticks->count; i++)
            table_point(out, main_judge(&report->runs[run], attack), ticks->items[i]);
        table_queries(out, &report->runs[run], attack);
    }
    table_close(out);
    text_buffer_release(&summary);
}

static void append_once(struct text_buffer *out, const char *attack)
{
    text_buffer_append(out, out->length ? ", " : "");
    text_buffer_append_html(out, attack_words(attack));
}

void chart_attempts(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    struct text_buffer once = {0};
    bool any = false;
    section_open(out, "attempts", "Attack success by attempts",
                 "ASR@k: share of harmful requests answered at least once in k attempts, "
                 "each with a fresh reformulation.");
    text_buffer_append(out, "<div class=\"multiples\">\n");
    for (size_t i = 0; i < attacks.count; i++) {
        const struct ticks ticks = ticks_of(report, attacks.items[i]);
        if (ticks.count == 1)
            append_once(&once, attacks.items[i]);
        if (ticks.count >= 2)
            draw_plot(out, report, attacks.items[i], &ticks);
        any = any || ticks.count >= 2;
    }
    text_buffer_append(out, "</div>\n");
    if (any && once.length)
        text_buffer_appendf(out, "<p class=\"key\">Tried once only: %s.</p>\n",
                            text_buffer_string(&once));
    text_buffer_release(&once);
    if (!any)
        section_not_measured(out, "Each request was tried once; ASR@k needs --attempts 2 "
                                  "or more.");
    for (size_t i = 0; i < attacks.count; i++) {
        const struct ticks ticks = ticks_of(report, attacks.items[i]);
        if (ticks.count)
            attempts_table(out, report, attacks.items[i], &ticks);
    }
    section_close(out);
    free(attacks.items);
}
