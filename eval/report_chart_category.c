/* By category: a heat map for each attack, a row a category, a column a run. */

#include "eval/report_chart.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { CELL_WIDTH = 52, CELL_HEIGHT = 24, CELL_GAP = 2, HEAT_STEPS = 6, NAME_WIDTH = 186 };

/* Columns lie under slanted names where level ones would not fit. */
static double head_height(const struct report *report)
{
    double widest = 0;
    for (size_t run = 0; run < report->count; run++)
        widest = fmax(widest, svg_text_width(report->runs[run].label, 12));
    return widest <= CELL_WIDTH ? 44 : 34 + fmin(widest, 130) * 0.6;
}

static void draw_head(struct text_buffer *out, const struct report *report, double bottom)
{
    const bool level = head_height(report) <= 44;
    for (size_t run = 0; run < report->count; run++) {
        const double x = NAME_WIDTH + ((double)run + 0.5) * (CELL_WIDTH + CELL_GAP);
        if (level) {
            svg_text(out, "label", "middle", x, bottom - 8, report->runs[run].label);
            continue;
        }
        text_buffer_append(out, "<g transform=\"translate(");
        append_coordinate(out, x - 10);
        text_buffer_append_char(out, ' ');
        append_coordinate(out, bottom - 8);
        text_buffer_append(out, ") rotate(-35)\">");
        svg_label(out, "label", "start", 0, 0, 130, report->runs[run].label);
        text_buffer_append(out, "</g>");
    }
}

static int heat_step(double share)
{
    const int step = (int)(share * HEAT_STEPS);
    return step >= HEAT_STEPS ? HEAT_STEPS - 1 : step;
}

static void cell_words(struct text_buffer *words, const struct report_rate *rate)
{
    if (rate->hits >= 0 && rate->count >= 0)
        text_buffer_appendf(words, "%" PRId64 "/%" PRId64, rate->hits, rate->count);
    else
        append_percent(words, rate->value);
}

static void draw_cell(struct text_buffer *out, const struct report_rate *rate,
                      const char *where, double x, double y)
{
    struct text_buffer title = {0}, words = {0};
    char class[] = "cell h0";
    text_buffer_appendf(&title, "%s: ", where);
    append_rate(&title, rate, UNIT_PERCENT);
    if (rate->measured) {
        class[6] = (char)('0' + heat_step(rate->value));
        cell_words(&words, rate);
    } else {
        class[6] = 'x';
        text_buffer_append(&words, "–");
    }
    svg_group(out, class, text_buffer_string(&title));
    svg_rect(out, "", x, y, CELL_WIDTH, CELL_HEIGHT);
    svg_text(out, "", "middle", x + CELL_WIDTH / 2.0, y + 16.5, text_buffer_string(&words));
    svg_group_end(out);
    text_buffer_release(&words);
    text_buffer_release(&title);
}

static void draw_category(struct text_buffer *out, const struct report *report,
                          const char *attack, const char *category, double y)
{
    svg_label(out, "label", "start", 0, y + 16.5, NAME_WIDTH - 10, category);
    for (size_t run = 0; run < report->count; run++) {
        struct text_buffer where = {0};
        const struct report_rate rate =
            report_category_asr(&report->runs[run], attack, category);
        text_buffer_appendf(&where, "%s, %s", report->runs[run].label, category);
        draw_cell(out, &rate, text_buffer_string(&where),
                  NAME_WIDTH + (double)run * (CELL_WIDTH + CELL_GAP), y);
        text_buffer_release(&where);
    }
}

static void draw_map(struct text_buffer *out, const struct report *report,
                     const char *attack, const struct report_names *categories)
{
    const double top = head_height(report);
    struct text_buffer id = {0}, title = {0};
    text_buffer_appendf(&id, "category-%zu", out->length);
    append_attack_title(&title, attack);
    svg_open(out, text_buffer_string(&id),
             NAME_WIDTH + (double)report->count * (CELL_WIDTH + CELL_GAP) +
                 (top > 44 ? 36 : 0),
             top + (double)categories->count * (CELL_HEIGHT + CELL_GAP) + 4,
             text_buffer_string(&title),
             "Answered requests by category and run; the numbers are in the table below.");
    svg_text(out, "head", "start", 0, 14, text_buffer_string(&title));
    draw_head(out, report, top);
    for (size_t i = 0; i < categories->count; i++)
        draw_category(out, report, attack, categories->items[i],
                      top + (double)i * (CELL_HEIGHT + CELL_GAP));
    svg_close(out);
    text_buffer_release(&title);
    text_buffer_release(&id);
}

static void category_table(struct text_buffer *out, const struct report *report,
                           const char *attack, const struct report_names *categories)
{
    struct text_buffer summary = {0};
    append_attack_title(&summary, attack);
    text_buffer_append(&summary, ": data");
    table_open(out, text_buffer_string(&summary), "Category");
    for (size_t run = 0; run < report->count; run++)
        table_heading(out, report->runs[run].label);
    table_body(out);
    for (size_t i = 0; i < categories->count; i++) {
        table_row(out, categories->items[i]);
        for (size_t run = 0; run < report->count; run++) {
            const struct report_rate rate =
                report_category_asr(&report->runs[run], attack, categories->items[i]);
            table_rate(out, &rate, UNIT_PERCENT);
        }
    }
    table_close(out);
    text_buffer_release(&summary);
}

static void draw_heat_key(struct text_buffer *out)
{
    text_buffer_append(out, "<p class=\"key\">Answered, of all requests in the category: "
                            "0% <svg class=\"ramp\" viewBox=\"0 0 132 14\" width=\"132\" "
                            "height=\"14\" aria-hidden=\"true\">");
    for (int step = 0; step < HEAT_STEPS; step++) {
        text_buffer_appendf(out, "<g class=\"cell h%d\">", step);
        svg_rect(out, "", step * 22, 0, 21, 14);
        text_buffer_append(out, "</g>");
    }
    text_buffer_append(out, "</svg> 100%</p>\n");
}

void chart_category(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    struct text_buffer tables = {0};
    section_open(out, "category", "By category",
                 "Each cell is answered requests of n. With few requests in a category the "
                 "intervals, in the tables, are wide: read rows, not single cells.");
    text_buffer_append(out, "<div class=\"multiples\">\n");
    for (size_t i = 0; i < attacks.count; i++) {
        struct report_names categories = report_category_names(report, attacks.items[i]);
        if (categories.count) {
            draw_map(out, report, attacks.items[i], &categories);
            category_table(&tables, report, attacks.items[i], &categories);
        }
        free(categories.items);
    }
    text_buffer_append(out, "</div>\n");
    if (tables.length)
        draw_heat_key(out);
    else
        section_not_measured(out, "The requests have no categories.");
    text_buffer_append(out, text_buffer_string(&tables));
    section_close(out);
    text_buffer_release(&tables);
    free(attacks.items);
}
