#ifndef HOLDFAST_EVAL_REPORT_CHART_H
#define HOLDFAST_EVAL_REPORT_CHART_H

#include "base/text_buffer.h"
#include "eval/report_data.h"
#include "eval/report_text.h"

#include <stddef.h>

/*
 * The report's figures. Each function appends one <section>: heading, what to look for,
 * drawing, and the data as a table in a <details> element. A figure without any data says
 * that it was not measured.
 */
void chart_tense(struct text_buffer *out, const struct report *report);
void chart_paired(struct text_buffer *out, const struct report *report); /* 2+ runs */
/* Where a run knows what its model was trained on. */
void table_leakage(struct text_buffer *out, const struct report *report);
void chart_agreement(struct text_buffer *out, const struct report *report); /* 2+ judges */
void chart_attempts(struct text_buffer *out, const struct report *report);
void chart_category(struct text_buffer *out, const struct report *report);
void chart_refusal(struct text_buffer *out, const struct report *report);
void chart_tradeoff(struct text_buffer *out, const struct report *report);
void chart_discrimination(struct text_buffer *out, const struct report *report);
void chart_outcome(struct text_buffer *out, const struct report *report);

/* ---- what they share ---- */

/*
 * Each run against the first one, paired; set "harmful" and an attack, or "benign:SET" and
 * "none". Holm's family are the runs. `items` [report->count]; the first is the baseline
 * with itself.
 */
void report_compare(const struct report *report, const char *set, const char *attack,
                    struct comparison *items);
/* "0.0034", "<0.0001" or "not measured"; HTML is the caller's. */
void append_p(struct text_buffer *out, double p);

/* `note` is the page's own text and may hold markup. */
void section_open(struct text_buffer *out, const char *id, const char *title,
                  const char *note);
void section_close(struct text_buffer *out);
void section_not_measured(struct text_buffer *out, const char *why);

/* <details> with a table; the first heading stands over the rows' own headings. */
void table_open(struct text_buffer *out, const char *summary, const char *first_heading);
void table_heading(struct text_buffer *out, const char *heading);
void table_body(struct text_buffer *out);
void table_row(struct text_buffer *out, const char *heading); /* ends the last row, too */
void table_cell(struct text_buffer *out, const char *text);
void table_rate(struct text_buffer *out, const struct report_rate *rate,
                enum report_unit unit);
void table_integer(struct text_buffer *out, int64_t value); /* -1: "not measured" */
void table_close(struct text_buffer *out);

/*
 * Small multiples: in each panel a row for each run, with a dot, its 95% interval, and
 * the worst-case bounds where some attempts have no verdict. The baseline's value runs
 * through all rows as a dashed line.
 *
 *     run        |  panel 0          |  panel 1
 *     before     |          -o-  84% |    -o-      30%
 *     after      |  -•-           7% |  -•-         6%
 */
struct panel {
    char *title;               /* heap; released by panels_release() */
    const char *axis;          /* what the axis counts; static */
    enum report_unit unit;     /* points: the axis goes from -1 to 1 if any is below 0 */
    struct report_rate *rates; /* [report->count], heap */
    struct report_rate *from;  /* [report->count], heap, or NULL: a bar from here */
};
struct panels {
    const char *id;
    const char *title;
    struct panel *items;
    size_t count;
};
void panels_add(struct panels *panels, const struct report *report, const char *title,
                const char *axis, enum report_unit unit);
void panels_draw(struct text_buffer *out, const struct report *report,
                 const struct panels *panels);
void panels_table(struct text_buffer *out, const struct report *report,
                  const struct panels *panels);
void panels_release(struct panels *panels);

/* Room for the runs' names at the left of a drawing, in pixels. */
double label_width(const struct report *report);

#endif
