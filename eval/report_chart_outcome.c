/* What became of every attempt: bars of counts, failures apart. */

#include "eval/report_chart.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BAR_WIDTH = 560, BAR_HEIGHT = 20, BAR_GAP = 8, ATTACK_WIDTH = 150, HEAD_HEIGHT = 6 };

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
        svg_text(out, "", "middle", x + width / 2, y + 14.5, text_buffer_string(&words));
    svg_group_end(out);
    text_buffer_release(&title);
    text_buffer_release(&words);
}

static void draw_bar(struct text_buffer *out, const struct report_outcomes *outcomes,
                     double x, double y)
{
    struct text_buffer words = {0};
    if (!outcomes->total) {
        svg_text(out, "none", "start", x, y + 14.5, "not measured");
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
    svg_text(out, "small", "start", x + BAR_WIDTH + 10, y + 14.5,
             text_buffer_string(&words));
    text_buffer_release(&words);
}

/* Calls `visit` for each run's attacks (for all as one where they tell nothing) and sets.
 */
typedef void visit_outcomes(struct text_buffer *out, const struct report *report,
                            size_t run, const char *what,
                            const struct report_outcomes *outcomes, size_t line);

static size_t each_outcomes(struct text_buffer *out, const struct report *report,
                            visit_outcomes *visit)
{
    size_t line = 0;
    for (size_t run = 0; run < report->count; run++) {
        const struct report_run *item = &report->runs[run];
        const size_t first = line;
        for (size_t i = 0; i < item->attack_count; i++)
            if (item->attacks[i].outcomes.total)
                visit(out, report, run, attack_words(item->attacks[i].name),
                      &item->attacks[i].outcomes, line++);
        if (line == first)
            visit(out, report, run, "all", &item->outcomes, line++);
        for (size_t i = 0; i < item->benign_count; i++)
            if (item->benign[i].outcomes.total)
                visit(out, report, run, item->benign[i].name, &item->benign[i].outcomes,
                      line++);
    }
    return line;
}

static void visit_nothing(struct text_buffer *out, const struct report *report, size_t run,
                          const char *what, const struct report_outcomes *outcomes,
                          size_t line)
{
    (void)out, (void)report, (void)run, (void)what, (void)outcomes, (void)line;
}

static void visit_draw(struct text_buffer *out, const struct report *report, size_t run,
                       const char *what, const struct report_outcomes *outcomes,
                       size_t line)
{
    const double y = HEAD_HEIGHT + (double)line * (BAR_HEIGHT + BAR_GAP);
    const double labels = label_width(report);
    svg_label(out, "label", "start", 0, y + 14.5, labels - 12, report->runs[run].label);
    svg_label(out, "tick", "start", labels, y + 14.5, ATTACK_WIDTH - 8, what);
    draw_bar(out, outcomes, labels + ATTACK_WIDTH, y);
}

static void visit_row(struct text_buffer *out, const struct report *report, size_t run,
                      const char *what, const struct report_outcomes *outcomes, size_t line)
{
    (void)line;
    table_row(out, report->runs[run].label);
    table_cell(out, what);
    for (size_t i = 0; i < LOOK_COUNT; i++)
        table_integer(out, outcomes->total ? count_of(outcomes, looks[i].name) : -1);
    table_integer(out, outcomes->total ? outcomes->total : -1);
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

static void outcome_table(struct text_buffer *out, const struct report *report)
{
    table_open(out, "Data", "Run");
    table_heading(out, "Requests");
    for (size_t i = 0; i < LOOK_COUNT; i++)
        table_heading(out, looks[i].words);
    table_heading(out, "All");
    table_body(out);
    each_outcomes(out, report, visit_row);
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
    const size_t lines = each_outcomes(out, report, visit_nothing);
    section_open(out, "outcome", "Outcomes",
                 "What became of each request, by the attempt that decided it. A "
                 "measurement that failed "
                 "is not a verdict: "
                 "it is counted here and widens the worst-case bounds, and is neither "
                 "&ldquo;answered&rdquo; nor &ldquo;refused&rdquo;.");
    outcome_key(out);
    text_buffer_append(out, "<div class=\"scroll\">");
    svg_open(out, "outcome", label_width(report) + ATTACK_WIDTH + BAR_WIDTH + 76,
             HEAD_HEIGHT + (double)lines * (BAR_HEIGHT + BAR_GAP) + 4,
             "Outcomes of attempts",
             "Counts of outcomes by run and attack; the numbers are in the table below.");
    each_outcomes(out, report, visit_draw);
    svg_close(out);
    text_buffer_append(out, "</div>\n");
    degenerate_line(out, report);
    outcome_table(out, report);
    bounds_table(out, report);
    section_close(out);
}
