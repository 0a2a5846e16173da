#include "eval/report_svg.h"

#include "base/error.h"
#include "base/memory.h"
#include "eval/report_text.h"

#include <stdlib.h>
#include <string.h>

static void append_attribute(struct text_buffer *out, const char *name, double value)
{
    text_buffer_appendf(out, " %s=\"", name);
    append_coordinate(out, value);
    text_buffer_append_char(out, '"');
}

static void append_element(struct text_buffer *out, const char *element, const char *id,
                           const char *suffix, const char *text)
{
    text_buffer_appendf(out, "<%s id=\"%s-%s\">", element, id, suffix);
    text_buffer_append_html(out, text);
    text_buffer_appendf(out, "</%s>", element);
}

void svg_open(struct text_buffer *out, const char *id, double width, double height,
              const char *title, const char *description)
{
    text_buffer_appendf(out, "<svg id=\"%s\" class=\"plot\" viewBox=\"0 0 ", id);
    append_coordinate(out, width);
    text_buffer_append_char(out, ' ');
    append_coordinate(out, height);
    text_buffer_append_char(out, '"');
    append_attribute(out, "width", width);
    append_attribute(out, "height", height);
    text_buffer_appendf(
        out, " role=\"img\" tabindex=\"0\" aria-labelledby=\"%s-t %s-d\">\n", id, id);
    append_element(out, "title", id, "t", title);
    append_element(out, "desc", id, "d", description);
    text_buffer_append_char(out, '\n');
}

void svg_close(struct text_buffer *out)
{
    text_buffer_append(out, "</svg>\n");
}

void svg_group(struct text_buffer *out, const char *class, const char *title)
{
    text_buffer_appendf(out, "<g class=\"%s\"><title>", class);
    text_buffer_append_html(out, title);
    text_buffer_append(out, "</title>");
}

void svg_group_end(struct text_buffer *out)
{
    text_buffer_append(out, "</g>\n");
}

void svg_line(struct text_buffer *out, const char *class, double x1, double y1, double x2,
              double y2)
{
    text_buffer_appendf(out, "<line class=\"%s\"", class);
    append_attribute(out, "x1", x1);
    append_attribute(out, "y1", y1);
    append_attribute(out, "x2", x2);
    append_attribute(out, "y2", y2);
    text_buffer_append(out, "/>");
}

void svg_rect(struct text_buffer *out, const char *class, double x, double y, double width,
              double height)
{
    text_buffer_appendf(out, "<rect class=\"%s\"", class);
    append_attribute(out, "x", x);
    append_attribute(out, "y", y);
    append_attribute(out, "width", width);
    append_attribute(out, "height", height);
    text_buffer_append(out, "/>");
}

static void append_points_list(struct text_buffer *out, const struct svg_point *points,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_buffer_append(out, i ? " " : "");
        append_coordinate(out, points[i].x);
        text_buffer_append_char(out, ',');
        append_coordinate(out, points[i].y);
    }
    text_buffer_append(out, "\"/>");
}

void svg_polyline(struct text_buffer *out, const char *class,
                  const struct svg_point *points, size_t count)
{
    text_buffer_appendf(out, "<polyline class=\"%s\" points=\"", class);
    append_points_list(out, points, count);
}

void svg_polygon(struct text_buffer *out, const char *class, const struct svg_point *points,
                 size_t count)
{
    text_buffer_appendf(out, "<polygon class=\"%s\" points=\"", class);
    append_points_list(out, points, count);
}

static void svg_text_open(struct text_buffer *out, const char *class, const char *anchor,
                          double x, double y)
{
    text_buffer_appendf(out, "<text class=\"%s\" text-anchor=\"%s\"", class, anchor);
    append_attribute(out, "x", x);
    append_attribute(out, "y", y);
    text_buffer_append_char(out, '>');
}

void svg_text(struct text_buffer *out, const char *class, const char *anchor, double x,
              double y, const char *text)
{
    svg_text_open(out, class, anchor, x, y);
    text_buffer_append_html(out, text);
    text_buffer_append(out, "</text>\n");
}

double svg_text_width(const char *text, double size)
{
    return (double)text_characters(text) * size * 0.56;
}

/* The bytes of the first `characters` code points. */
static size_t prefix_bytes(const char *text, int64_t characters)
{
    size_t bytes = 0;
    while (text[bytes] && characters-- > 0) {
        uint32_t c;
        bytes += text_utf8_decode(text + bytes, strlen(text + bytes), &c);
    }
    return bytes;
}

void svg_label(struct text_buffer *out, const char *class, const char *anchor, double x,
               double y, double width, const char *text)
{
    if (svg_text_width(text, 12) <= width) {
        svg_text(out, class, anchor, x, y, text);
        return;
    }
    const int64_t fits = (int64_t)(width / svg_text_width("m", 12)) - 1;
    char *cut = memory_duplicate_bytes(text, prefix_bytes(text, fits > 1 ? fits : 1));
    svg_text_open(out, class, anchor, x, y);
    text_buffer_append(out, "<title>");
    text_buffer_append_html(out, text);
    text_buffer_append(out, "</title>");
    text_buffer_append_html(out, cut);
    text_buffer_append(out, "…</text>\n");
    free(cut);
}

const char *series_class(size_t series)
{
    static const char *const names[SERIES_COUNT] = {"s0", "s1", "s2", "s3",
                                                    "s4", "s5", "s6", "s7"};
    /* The baseline's colour is its own. */
    return names[series < SERIES_COUNT ? series : 1 + (series - 1) % (SERIES_COUNT - 1)];
}

static void append_circle(struct text_buffer *out, const char *class, double x, double y,
                          double radius)
{
    text_buffer_appendf(out, "<circle class=\"%s\"", class);
    append_attribute(out, "cx", x);
    append_attribute(out, "cy", y);
    append_attribute(out, "r", radius);
    text_buffer_append(out, "/>");
}

static void append_shape(struct text_buffer *out, const char *class,
                         const struct svg_point *corners, size_t count, double x, double y,
                         double radius)
{
    struct svg_point points[4];
    CHECK(count <= 4);
    for (size_t i = 0; i < count; i++)
        points[i] =
            (struct svg_point){x + radius * corners[i].x, y + radius * corners[i].y};
    svg_polygon(out, class, points, count);
}

/* 0: open circle; then disc, square, diamond, triangle, triangle downwards, in turn. */
void svg_mark(struct text_buffer *out, size_t series, double x, double y, double radius)
{
    static const struct svg_point square[4] = {{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}};
    static const struct svg_point diamond[4] = {{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}};
    static const struct svg_point up[3] = {{0, -1.2}, {1.15, .85}, {-1.15, .85}};
    static const struct svg_point down[3] = {{0, 1.2}, {1.15, -.85}, {-1.15, -.85}};
    if (series == 0)
        append_circle(out, "mark open", x, y, radius);
    else if ((series - 1) % 5 == 0)
        append_circle(out, "mark", x, y, radius);
    else if ((series - 1) % 5 == 1)
        append_shape(out, "mark", square, 4, x, y, radius);
    else if ((series - 1) % 5 == 2)
        append_shape(out, "mark", diamond, 4, x, y, radius);
    else
        append_shape(out, "mark", (series - 1) % 5 == 3 ? up : down, 3, x, y, radius);
}

double scale_at(const struct scale *scale, double value)
{
    double share = (value - scale->low) / (scale->high - scale->low);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return scale->start + share * (scale->end - scale->start);
}

/* A quarter, or a half where quarters would be crowded. */
static double step_of(const struct scale *scale)
{
    return scale->high - scale->low > 1.6 ? 0.5 : 0.25;
}

static int step_count(const struct scale *scale)
{
    return (int)((scale->high - scale->low) / step_of(scale) + 0.5);
}

static const char *line_class(double value)
{
    return value < 1e-9 && value > -1e-9 ? "axis" : "grid";
}

void svg_percent_axis(struct text_buffer *out, const struct scale *x, enum report_unit unit,
                      double top, double bottom)
{
    for (int step = 0; step <= step_count(x); step++) {
        const double value = x->low + step * step_of(x), at = scale_at(x, value);
        struct text_buffer label = {0};
        append_value(&label, value, unit);
        svg_line(out, line_class(value), at, top, at, bottom);
        svg_text(out, "tick", "middle", at, bottom + 15, text_buffer_string(&label));
        text_buffer_release(&label);
    }
}

void svg_percent_axis_vertical(struct text_buffer *out, const struct scale *y, double left,
                               double right)
{
    for (int step = 0; step <= step_count(y); step++) {
        const double value = y->low + step * step_of(y), at = scale_at(y, value);
        struct text_buffer label = {0};
        append_percent(&label, value);
        svg_line(out, line_class(value), left, at, right, at);
        svg_text(out, "tick", "end", left - 6, at + 4, text_buffer_string(&label));
        text_buffer_release(&label);
    }
}
