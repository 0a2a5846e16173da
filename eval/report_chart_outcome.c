/* What became of every attempt: bars of counts, failures apart. */

#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BAR_WIDTH = 560,
    BAR_HEIGHT = 17,
    BAR_GAP = 3,
    GROUP_GAP = 12,
    ATTACK_WIDTH = 132,
    HEAD_HEIGHT = 6
};

/* In the order of the bars. Names as in the files; the style sheet colours the classes. */
static const struct outcome_look {
    const char *name;
    const char *words;
    const char *class;
} looks[] = {
    {"complied", "answered", "o-complied"},
    {"partial", "partly answered", "o-partial"},
    {"refused", "refused", "o-refused"},
    {"empty", "empty", "o-void"},
    {"truncated", "truncated", "o-void"},
    {"filtered", "filtered", "o-void"},
    {"target_error", "target error", "o-error"},
    {"judge_error", "judge error", "o-error"},
    {"judge_refused", "judge refused", "o-error"},
    {"unparsed", "verdict unparsed", "o-error"},
};
enum { LOOK_COUNT = sizeof looks / sizeof *looks };

static int64_t count_of(const struct report_outcomes *outcomes, const char *name)
{
    for (size_t i = 0; i < outcomes->count; i++)
        if (!strcmp(outcomes->items[i].name, name))
            return outcomes->items[i].count;
    return 0;
}

static void draw_part(struct text_buffer *out, const struct outcome_look *look,
                      int64_t count, int64_t total, double x, double y)
{
    const double width = BAR_WIDTH * (double)count / (double)total;
    struct text_buffer words = {0}, title = {0};
    text_buffer_appendf(&words, "%" PRId64, count);
    text_buffer_appendf(&title, "%s: %" PRId64 " of %" PRId64, look->words, count, total);
    svg_group(out, look->class, text_buffer_string(&title));
    svg_rect(out, "", x, y, fmax(width - 1, 0.6), BAR_HEIGHT);
    if (svg_text_width(text_buffer_string(&words), 12) + 6 < width)
        svg_text(out, "", "middle", x + width / 2, y + 12.5, text_buffer_string(&words));
    svg_group_end(out);
    text_buffer_release(&title);
    text_buffer_release(&words);
}

static void draw_bar(struct text_buffer *out, const struct report_outcomes *outcomes,
                     double x, double y)
{
    struct text_buffer words = {0};
    if (!outcomes->total) {
        svg_text(out, "none", "start", x, y + 12.5, "not measured");
        return;
    }
    double at = x;
    for (size_t i = 0; i < LOOK_COUNT; i++) {
        const int64_t count = count_of(outcomes, looks[i].name);
        if (count <= 0)
            continue;
        draw_part(out, &looks[i], count, outcomes->total, at, y);
        at += BAR_WIDTH * (double)count / (double)outcomes->total;
    }
    text_buffer_appendf(&words, "n %" PRId64, outcomes->total);
    svg_text(out, "small", "start", x + BAR_WIDTH + 10, y + 12.5,
             text_buffer_string(&words));
    text_buffer_release(&words);
}

/* One bar: what a run was asked, and what became of it. Bars of the same `what` follow
 * one another, so that runs are compared. */
struct bar {
    const char *what;
    size_t run;
    const struct report_outcomes *outcomes;
};
struct bars {
    struct bar *items;
    size_t count;
    size_t capacity;
};

static void bars_add(struct bars *bars, const char *what, size_t run,
                     const struct report_outcomes *outcomes)
{
    array_reserve(bars->items, bars->capacity, bars->count + 1);
    bars->items[bars->count++] = (struct bar){what, run, outcomes};
}

static void bars_add_attacks(struct bars *bars, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    for (size_t i = 0; i < attacks.count; i++)
        for (size_t run = 0; run < report->count; run++) {
            const struct report_attack *attack =
                report_attack(&report->runs[run], attacks.items[i]);
            if (attack && attack->outcomes.total)
                bars_add(bars, attack_words(attack->name), run, &attack->outcomes);
        }
    free(attacks.items);
}

static void bars_add_sets(struct bars *bars, const struct report *report)
{
    struct report_names sets = report_set_names(report);
    for (size_t i = 0; i < sets.count; i++)
        for (size_t run = 0; run < report->count; run++)
            for (size_t j = 0; j < report->runs[run].benign_count; j++) {
                const struct report_benign *benign = &report->runs[run].benign[j];
                if (!strcmp(benign->name, sets.items[i]) && benign->outcomes.total)
                    bars_add(bars, benign->name, run, &benign->outcomes);
            }
    free(sets.items);
}

/* Attacks, then benign sets; of runs that tell of neither, the run as a whole. */
static struct bars bars_of(const struct report *report)
{
    struct bars bars = {0};
    bars_add_attacks(&bars, report);
    bars_add_sets(&bars, report);
    for (size_t run = 0; !bars.count && run < report->count; run++)
        bars_add(&bars, "all", run, &report->runs[run].outcomes);
    return bars;
}

static bool is_first_of_group(const struct bars *bars, size_t index)
{
    return index == 0 || strcmp(bars->items[index - 1].what, bars->items[index].what);
}

static double bars_height(const struct bars *bars)
{
    double height = HEAD_HEIGHT;
    for (size_t i = 0; i < bars->count; i++)
        height += BAR_HEIGHT + BAR_GAP + (is_first_of_group(bars, i) ? GROUP_GAP : 0);
    return height;
}

static void draw_bars(struct text_buffer *out, const struct report *report,
                      const struct bars *bars)
{
    const double labels = label_width(report);
    double y = HEAD_HEIGHT - GROUP_GAP;
    svg_open(
        out, "outcome", ATTACK_WIDTH + labels + BAR_WIDTH + 76, bars_height(bars),
        "Outcomes of requests",
        "Counts of outcomes by request set and run; the numbers are in the table below.");
    for (size_t i = 0; i < bars->count; i++) {
        const struct bar *bar = &bars->items[i];
        if (is_first_of_group(bars, i)) {
            y += GROUP_GAP;
            svg_label(out, "label", "start", 0, y + 12.5, ATTACK_WIDTH - 10, bar->what);
        }
        svg_label(out, "small", "start", ATTACK_WIDTH, y + 12.5, labels - 12,
                  report->runs[bar->run].label);
        draw_bar(out, bar->outcomes, ATTACK_WIDTH + labels, y);
        y += BAR_HEIGHT + BAR_GAP;
    }
    svg_close(out);
}

static void outcome_key(struct text_buffer *out)
{
    static const char *const groups[][2] = {{"o-complied", "answered"},
                                            {"o-partial", "partly answered"},
                                            {"o-refused", "refused"},
                                            {"o-void", "empty, truncated, filtered"},
                                            {"o-error", "target or judge failed"}};
    text_buffer_append(out, "<ul class=\"legend\">");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        text_buffer_appendf(out,
                            "<li><svg class=\"%s\" viewBox=\"0 0 14 14\" width=\"14\" "
                            "height=\"14\" aria-hidden=\"true\"><rect x=\"1\" y=\"1\" "
                            "width=\"12\" height=\"12\"/></svg>%s</li>",
                            groups[i][0], groups[i][1]);
    text_buffer_append(out, "</ul>\n");
}

static void outcome_table(struct text_buffer *out, const struct report *report,
                          const struct bars *bars)
{
    table_open(out, "Data", "Requests");
    table_heading(out, "Run");
    for (size_t i = 0; i < LOOK_COUNT; i++)
        table_heading(out, looks[i].words);
    table_heading(out, "All");
    table_body(out);
    for (size_t i = 0; i < bars->count; i++) {
        const struct report_outcomes *outcomes = bars->items[i].outcomes;
        table_row(out, bars->items[i].what);
        table_cell(out, report->runs[bars->items[i].run].label);
        for (size_t look = 0; look < LOOK_COUNT; look++)
            table_integer(out, outcomes->total ? count_of(outcomes, looks[look].name) : -1);
        table_integer(out, outcomes->total ? outcomes->total : -1);
    }
    table_close(out);
}

static void degenerate_line(struct text_buffer *out, const struct report *report)
{
    const char *separator = "Degenerate replies (repeating themselves): ";
    text_buffer_append(out, "<p class=\"key\">");
    for (size_t run = 0; run < report->count; run++) {
        text_buffer_append(out, separator);
        text_buffer_append_html(out, report->runs[run].label);
        text_buffer_append_char(out, ' ');
        append_rate(out, &report->runs[run].degenerate, UNIT_PERCENT);
        separator = "; ";
    }
    text_buffer_append(out, ".</p>\n");
}

/* What the rates would be if every attempt without a verdict had gone one way. */
static void bounds_table(struct text_buffer *out, const struct report *report)
{
    table_open(out, "Worst-case bounds", "Run");
    table_heading(out, "Attack");
    table_heading(out, "Attack success");
    table_heading(out, "If all without a verdict were refused – answered");
    table_body(out);
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < report->runs[run].attack_count; i++) {
            const char *attack = report->runs[run].attacks[i].name;
            const struct report_rate asr = report_asr(&report->runs[run], attack);
            struct text_buffer bounds = {0};
            if (asr.has_bounds)
                append_interval(&bounds, asr.bound_low, asr.bound_high, UNIT_PERCENT);
            table_row(out, report->runs[run].label);
            table_cell(out, attack_words(attack));
            table_rate(out, &asr, UNIT_PERCENT);
            table_cell(out, bounds.length ? text_buffer_string(&bounds) : "not measured");
            text_buffer_release(&bounds);
        }
    table_close(out);
}

void chart_outcome(struct text_buffer *out, const struct report *report)
{
    struct bars bars = bars_of(report);
    section_open(out, "outcome", "Outcomes",
                 "What became of each request, by the attempt that decided it. A "
                 "measurement that failed is not a verdict: it is counted here and widens "
                 "the worst-case bounds, and is neither &ldquo;answered&rdquo; nor "
                 "&ldquo;refused&rdquo;.");
    outcome_key(out);
    text_buffer_append(out, "<div class=\"scroll\">");
    draw_bars(out, report, &bars);
    text_buffer_append(out, "</div>\n");
    degenerate_line(out, report);
    outcome_table(out, report, &bars);
    bounds_table(out, report);
    section_close(out);
    free(bars.items);
}
