/* Small multiples of dots with intervals: see report_chart.h. */

#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    PAGE_WIDTH = 1040,
    PANELS_PER_LINE = 3,
    PANEL_WIDTH_MAXIMUM = 420,
    PANEL_GAP = 28,
    ROW_HEIGHT = 40,
    HEAD_HEIGHT = 30,
    AXIS_HEIGHT = 48, /* percentages, and under them what they are of */
    VALUE_WIDTH = 166 /* room for "+42.1" over "+18.2 to +62.8 · n 100, 100" */
};

double label_width(const struct report *report)
{
    double widest = 40;
    for (size_t i = 0; i < report->count; i++)
        widest = fmax(widest, svg_text_width(report->runs[i].label, 13));
    return fmin(widest, 170) + 26;
}

void panels_add(struct panels *panels, const struct report *report, const char *title,
                const char *axis, enum report_unit unit)
{
    panels->items =
        memory_resize_array(panels->items, panels->count + 1, sizeof *panels->items);
    panels->items[panels->count++] = (struct panel){
        .title = memory_duplicate_string(title),
        .axis = axis,
        .unit = unit,
        .rates = memory_allocate_array(report->count, sizeof(struct report_rate)),
    };
}

void panels_release(struct panels *panels)
{
    for (size_t i = 0; i < panels->count; i++) {
        free(panels->items[i].title);
        free(panels->items[i].rates);
        free(panels->items[i].from);
    }
    free(panels->items);
    *panels = (struct panels){0};
}

struct drawing {
    struct text_buffer *out;
    const struct report *report;
    double labels; /* where the panels begin */
    size_t across; /* panels on a line */
    double panel_width;
    double line_height;
};

static struct drawing drawing_plan(struct text_buffer *out, const struct report *report,
                                   const struct panels *panels)
{
    const size_t across = panels->count < PANELS_PER_LINE ? panels->count
                          : panels->count == 4            ? 2
                                                          : PANELS_PER_LINE;
    struct drawing drawing = {out, report, label_width(report), across, 0, 0};
    const double room = PAGE_WIDTH - drawing.labels - (double)(across - 1) * PANEL_GAP;
    drawing.panel_width = fmin(room / (double)across, PANEL_WIDTH_MAXIMUM);
    drawing.line_height =
        HEAD_HEIGHT + (double)report->count * ROW_HEIGHT + AXIS_HEIGHT + 8;
    return drawing;
}

/* Where the axis begins: at 0, unless a difference lies below. */
static double axis_low(const struct panel *panel, size_t count)
{
    double least = 0;
    for (size_t i = 0; panel->unit == UNIT_POINTS && i < count; i++)
        if (panel->rates[i].measured)
            least = fmin(least, panel->rates[i].has_interval ? panel->rates[i].low
                                                             : panel->rates[i].value);
    return least < -0.5 ? -1 : least < -0.25 ? -0.5 : least < 0 ? -0.25 : 0;
}

static void draw_interval(struct text_buffer *out, const struct scale *x,
                          const struct report_rate *rate, double y)
{
    if (rate->has_bounds && rate->bound_high > rate->bound_low)
        svg_line(out, "bound", scale_at(x, rate->bound_low), y,
                 scale_at(x, rate->bound_high), y);
    if (!rate->has_interval)
        return;
    const double low = scale_at(x, rate->low), high = scale_at(x, rate->high);
    svg_line(out, "whisker", low, y, high, y);
    svg_line(out, "whisker", low, y - 4, low, y + 4);
    svg_line(out, "whisker", high, y - 4, high, y + 4);
}

/* "84%" or "2% → 16%", and under it the interval and n. */
static void draw_value(struct text_buffer *out, const struct panel *panel, size_t run,
                       double x, double y)
{
    const struct report_rate *rate = &panel->rates[run];
    struct text_buffer text = {0};
    if (panel->from && panel->from[run].measured) {
        append_value(&text, panel->from[run].value, panel->unit);
        text_buffer_append(&text, " → ");
    }
    append_value(&text, rate->value, panel->unit);
    svg_text(out, "value", "start", x, y, text_buffer_string(&text));
    text_buffer_clear(&text);
    if (rate->has_interval)
        append_interval(&text, rate->low, rate->high, panel->unit);
    if (rate->count >= 0) {
        text_buffer_append(&text, text.length ? " · n " : "n ");
        if (panel->from && panel->from[run].count >= 0)
            text_buffer_appendf(&text, "%" PRId64 ", ", panel->from[run].count);
        text_buffer_appendf(&text, "%" PRId64, rate->count);
    }
    if (rate->count >= 0 && rate->other_count > 0)
        text_buffer_appendf(&text, ", %" PRId64, rate->other_count);
    svg_text(out, "small", "start", x, y + 14, text_buffer_string(&text));
    text_buffer_release(&text);
}

static void draw_title(struct text_buffer *title, const struct report *report,
                       const struct panel *panel, size_t run)
{
    text_buffer_append(title, report->runs[run].label);
    text_buffer_appendf(title, ", %s: ", panel->title);
    if (panel->from && panel->from[run].measured) {
        append_rate(title, &panel->from[run], panel->unit);
        text_buffer_append(title, " → ");
    }
    append_rate(title, &panel->rates[run], panel->unit);
    if (panel->rates[run].has_bounds) {
        text_buffer_append(title, "; worst cases ");
        append_interval(title, panel->rates[run].bound_low, panel->rates[run].bound_high,
                        panel->unit);
    }
}

static void draw_row(const struct drawing *drawing, const struct panel *panel, size_t run,
                     const struct scale *x, double y)
{
    const struct report_rate *rate = &panel->rates[run];
    struct text_buffer *out = drawing->out, title = {0};
    if (!rate->measured) {
        svg_text(out, "none", "start", x->start + 6, y + 4, "not measured");
        return;
    }
    draw_title(&title, drawing->report, panel, run);
    svg_group(out, series_class(run), text_buffer_string(&title));
    if (panel->from && panel->from[run].measured) {
        const double from = scale_at(x, panel->from[run].value);
        svg_line(out, "span", from, y, scale_at(x, rate->value), y);
        svg_line(out, "whisker", from, y - 7, from, y + 7);
    }
    draw_interval(out, x, rate, y);
    svg_mark(out, run, scale_at(x, rate->value), y, 5);
    svg_group_end(out);
    draw_value(out, panel, run, x->end + 12, y);
    text_buffer_release(&title);
}

static void draw_panel(const struct drawing *drawing, const struct panel *panel,
                       double left, double top)
{
    const struct report *report = drawing->report;
    const double first = top + HEAD_HEIGHT;
    const double bottom = first + (double)report->count * ROW_HEIGHT;
    const struct scale x = {axis_low(panel, report->count), 1, left,
                            left + drawing->panel_width - VALUE_WIDTH};
    svg_label(drawing->out, "head", "start", left, top + 14, drawing->panel_width,
              panel->title);
    svg_percent_axis(drawing->out, &x, panel->unit, first, bottom);
    svg_text(drawing->out, "tick", "middle", (x.start + x.end) / 2, bottom + 31,
             panel->axis);
    if (panel->rates[0].measured && report->count > 1)
        svg_line(drawing->out, "reference", scale_at(&x, panel->rates[0].value),
                 first + ROW_HEIGHT / 2.0, scale_at(&x, panel->rates[0].value), bottom);
    for (size_t run = 0; run < report->count; run++)
        draw_row(drawing, panel, run, &x, first + ((double)run + 0.5) * ROW_HEIGHT);
}

static void draw_labels(const struct drawing *drawing, double top)
{
    for (size_t run = 0; run < drawing->report->count; run++)
        svg_label(drawing->out, "label", "start", 0,
                  top + HEAD_HEIGHT + ((double)run + 0.5) * ROW_HEIGHT + 4,
                  drawing->labels - 12, drawing->report->runs[run].label);
}

static void describe(struct text_buffer *out, const struct report *report,
                     const struct panels *panels)
{
    for (size_t i = 0; i < panels->count; i++)
        for (size_t run = 0; run < report->count; run++) {
            draw_title(out, report, &panels->items[i], run);
            text_buffer_append(out, ". ");
        }
}

void panels_draw(struct text_buffer *out, const struct report *report,
                 const struct panels *panels)
{
    if (!panels->count)
        return;
    const struct drawing drawing = drawing_plan(out, report, panels);
    const size_t across = drawing.across, lines = (panels->count + across - 1) / across;
    struct text_buffer description = {0};
    describe(&description, report, panels);
    text_buffer_append(out, "<div class=\"scroll\">");
    svg_open(out, panels->id,
             drawing.labels + (double)across * (drawing.panel_width + PANEL_GAP) -
                 PANEL_GAP,
             (double)lines * drawing.line_height, panels->title,
             text_buffer_string(&description));
    for (size_t i = 0; i < panels->count; i++) {
        const double top = (double)(i / across) * drawing.line_height;
        if (i % across == 0)
            draw_labels(&drawing, top);
        draw_panel(
            &drawing, &panels->items[i],
            drawing.labels + (double)(i % across) * (drawing.panel_width + PANEL_GAP), top);
    }
    svg_close(out);
    text_buffer_append(out, "</div>\n");
    text_buffer_release(&description);
}

void panels_table(struct text_buffer *out, const struct report *report,
                  const struct panels *panels)
{
    table_open(out, "Data", "Run");
    for (size_t i = 0; i < panels->count; i++)
        table_heading(out, panels->items[i].title);
    table_body(out);
    for (size_t run = 0; run < report->count; run++) {
        table_row(out, report->runs[run].label);
        for (size_t i = 0; i < panels->count; i++)
            table_rate(out, &panels->items[i].rates[run], panels->items[i].unit);
    }
    table_close(out);
}
