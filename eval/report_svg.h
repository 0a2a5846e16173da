#ifndef HOLDFAST_EVAL_REPORT_SVG_H
#define HOLDFAST_EVAL_REPORT_SVG_H

#include "base/text_buffer.h"
#include "eval/report_text.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Inline SVG, appended to the page as it is drawn. No colours here: `class` names come
 * from the style sheet, where "s0" … "s7" are the runs' colours; "s0" is the baseline.
 * Coordinates are in CSS pixels, y downwards. Text and titles are escaped.
 */
void svg_open(struct text_buffer *out, const char *id, double width, double height,
              const char *title, const char *description);
void svg_close(struct text_buffer *out);

/* <g class="…"> with a title, which browsers show on hovering; close with svg_group_end. */
void svg_group(struct text_buffer *out, const char *class, const char *title);
void svg_group_end(struct text_buffer *out);

void svg_line(struct text_buffer *out, const char *class, double x1, double y1, double x2,
              double y2);
void svg_rect(struct text_buffer *out, const char *class, double x, double y, double width,
              double height);

struct svg_point {
    double x, y;
};
void svg_polyline(struct text_buffer *out, const char *class,
                  const struct svg_point *points, size_t count);
void svg_polygon(struct text_buffer *out, const char *class, const struct svg_point *points,
                 size_t count);

/* `anchor` is "start", "middle" or "end"; y is the base line. */
void svg_text(struct text_buffer *out, const char *class, const char *anchor, double x,
              double y, const char *text);

/* As svg_text() at 12 px; a text wider than `width` is cut, and whole in its title. */
void svg_label(struct text_buffer *out, const char *class, const char *anchor, double x,
               double y, double width, const char *text);
double svg_text_width(const char *text, double size); /* an estimate, rather too wide */

/* The mark of a run: shape and colour by `series`, so that neither is needed alone. */
enum { SERIES_COUNT = 8 };
void svg_mark(struct text_buffer *out, size_t series, double x, double y, double radius);
/* "s3" for the series of that number. Static; valid for the life of the program. */
const char *series_class(size_t series);

/* Where a value lies on a linear axis: `value` in [low, high] to [start, end]. */
struct scale {
    double low, high;
    double start, end;
};
double scale_at(const struct scale *scale, double value); /* clamped */

/* A percentage under each quarter of `scale`, with grid lines from top to bottom. */
void svg_percent_axis(struct text_buffer *out, const struct scale *x, enum report_unit unit,
                      double top, double bottom);
/* The same for a vertical scale; labels are left of `left`. */
void svg_percent_axis_vertical(struct text_buffer *out, const struct scale *y, double left,
                               double right);

#endif
