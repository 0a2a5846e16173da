/* What safety costs: refused harmful requests against refused harmless ones. */

#include "base/memory.h"
#include "eval/report_bands.h"
#include "eval/report_chart.h"
#include "eval/report_svg.h"
#include "eval/tradeoff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLOT_LEFT = 48, PLOT_TOP = 30, PLOT_MARGIN = 16, NAME_SIZE = 12 };

/* Two large pictures or three small ones on a line. */
static double plot_side(size_t sets)
{
    return sets == 1 ? 400 : sets == 2 || sets == 4 ? 360 : 258;
}

/* One run in one picture: x refused harmless, y harmful not answered (1 - ASR). */
struct place {
    size_t run;
    struct report_rate refused;
    struct report_rate asr;
    double x, y;
    bool is_pareto;
};

struct picture {
    struct place *places;
    size_t count;
    struct scale x, y;
    double side;
};

static int by_refused(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->refused.value != b->refused.value)
        return a->refused.value < b->refused.value ? -1 : 1;
    return (a->run > b->run) - (a->run < b->run);
}

static void mark_pareto(struct picture *picture)
{
    struct tradeoff_point *points =
        memory_allocate_array(picture->count + 1, sizeof *points);
    for (size_t i = 0; i < picture->count; i++)
        points[i] = (struct tradeoff_point){picture->places[i].asr.value,
                                            picture->places[i].refused.value};
    for (size_t i = 0; i < picture->count; i++)
        picture->places[i].is_pareto = tradeoff_is_pareto(points, picture->count, i);
    free(points);
}

static struct picture picture_of(const struct report *report, const char *attack,
                                 const char *set, double side)
{
    struct picture picture = {
        memory_allocate_array(report->count, sizeof(struct place)),
        0,
        {0, 1, PLOT_LEFT, PLOT_LEFT + side},
        {0, 1, PLOT_TOP + side, PLOT_TOP},
        side,
    };
    for (size_t run = 0; run < report->count; run++) {
        struct place place = {.run = run,
                              .refused = report_refused(&report->runs[run], set),
                              .asr = report_asr(&report->runs[run], attack)};
        if (!place.refused.measured || !place.asr.measured)
            continue;
        place.x = scale_at(&picture.x, place.refused.value);
        place.y = scale_at(&picture.y, 1 - place.asr.value);
        picture.places[picture.count++] = place;
    }
    mark_pareto(&picture);
    qsort(picture.places, picture.count, sizeof *picture.places, by_refused);
    return picture;
}

static void draw_pareto(struct text_buffer *out, const struct picture *picture)
{
    struct svg_point *points = memory_allocate_array(picture->count, sizeof *points);
    size_t count = 0;
    for (size_t i = 0; i < picture->count; i++)
        if (picture->places[i].is_pareto)
            points[count++] =
                (struct svg_point){picture->places[i].x, picture->places[i].y};
    if (count >= 2)
        svg_polyline(out, "pareto", points, count);
    free(points);
}

static void draw_place(struct text_buffer *out, const struct report *report,
                       const struct picture *picture, const struct place *place)
{
    struct text_buffer title = {0};
    text_buffer_appendf(&title, "%s: answered ", report->runs[place->run].label);
    append_rate(&title, &place->asr, UNIT_PERCENT);
    text_buffer_append(&title, "; harmless refused ");
    append_rate(&title, &place->refused, UNIT_PERCENT);
    svg_group(out, series_class(place->run), text_buffer_string(&title));
    if (place->refused.has_interval)
        svg_line(out, "whisker", scale_at(&picture->x, place->refused.low), place->y,
                 scale_at(&picture->x, place->refused.high), place->y);
    if (place->asr.has_interval)
        svg_line(out, "whisker", place->x, scale_at(&picture->y, 1 - place->asr.low),
                 place->x, scale_at(&picture->y, 1 - place->asr.high));
    svg_mark(out, place->run, place->x, place->y, 5.5);
    svg_group_end(out);
    text_buffer_release(&title);
}

struct box {
    double left, top, right, bottom;
};

static double overlap(const struct box *a, const struct box *b)
{
    const double width = fmin(a->right, b->right) - fmax(a->left, b->left);
    const double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
    return width > 0 && height > 0 ? width * height : 0;
}

/* What a name should not lie on: marks, crosses, the Pareto line. */
struct obstacles {
    struct box *items;
    size_t count;
    size_t capacity;
};

static void obstacles_add(struct obstacles *obstacles, double x, double y, double width,
                          double height)
{
    array_reserve(obstacles->items, obstacles->capacity, obstacles->count + 1);
    obstacles->items[obstacles->count++] =
        (struct box){x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

static void obstacles_add_cross(struct obstacles *obstacles, const struct picture *picture,
                                const struct place *place)
{
    obstacles_add(obstacles, place->x, place->y, 15, 15);
    if (place->refused.has_interval) {
        const double left = scale_at(&picture->x, place->refused.low);
        const double right = scale_at(&picture->x, place->refused.high);
        obstacles_add(obstacles, (left + right) / 2, place->y, right - left, 3);
    }
    if (place->asr.has_interval) {
        const double top = scale_at(&picture->y, 1 - place->asr.low);
        const double bottom = scale_at(&picture->y, 1 - place->asr.high);
        obstacles_add(obstacles, place->x, (top + bottom) / 2, 3, bottom - top);
    }
}

static void obstacles_add_line(struct obstacles *obstacles, double x1, double y1, double x2,
                               double y2)
{
    const int steps = 1 + (int)(hypot(x2 - x1, y2 - y1) / 5);
    for (int i = 0; i <= steps; i++)
        obstacles_add(obstacles, x1 + (x2 - x1) * i / steps, y1 + (y2 - y1) * i / steps, 3,
                      3);
}

static struct obstacles obstacles_of(const struct picture *picture)
{
    struct obstacles obstacles = {0};
    const struct place *last = NULL;
    for (size_t i = 0; i < picture->count; i++) {
        const struct place *place = &picture->places[i];
        obstacles_add_cross(&obstacles, picture, place);
        if (place->is_pareto && last)
            obstacles_add_line(&obstacles, last->x, last->y, place->x, place->y);
        if (place->is_pareto)
            last = place;
    }
    return obstacles;
}

/* How much a name at `box` would hide, and how much of it lies outside. */
static double crowding(const struct picture *picture, const struct obstacles *obstacles,
                       const struct box *box)
{
    const struct box plot = {picture->x.start, picture->y.end, picture->x.end + PLOT_MARGIN,
                             picture->y.start};
    double hidden =
        2 * ((box->right - box->left) * (box->bottom - box->top) - overlap(box, &plot));
    for (size_t i = 0; i < obstacles->count; i++)
        hidden += overlap(box, &obstacles->items[i]);
    return hidden;
}

/* The least crowded of twelve places around the mark, the nearest first. */
static struct box name_box(const struct picture *picture, const struct obstacles *obstacles,
                           const struct place *place, double width)
{
    static const double offsets[12][2] = {{10, -8},  {10, 18}, {-10, -8},  {-10, 18},
                                          {12, -22}, {12, 32}, {-12, -22}, {-12, 32},
                                          {20, -36}, {20, 46}, {34, 18},   {44, 32}};
    struct box best = {0};
    double least = (double)INFINITY;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        const double left = place->x + offsets[i][0] - (offsets[i][0] < 0 ? width : 0);
        const double base = place->y + offsets[i][1];
        const struct box box = {left, base - NAME_SIZE + 2, left + width, base + 3};
        const double hidden = crowding(picture, obstacles, &box) + (double)i * 4;
        if (hidden < least) {
            least = hidden;
            best = box;
        }
    }
    return best;
}

static void draw_names(struct text_buffer *out, const struct report *report,
                       const struct picture *picture)
{
    struct obstacles obstacles = obstacles_of(picture);
    for (size_t i = 0; i < picture->count; i++) {
        const struct place *place = &picture->places[i];
        const char *label = report->runs[place->run].label;
        const double width = svg_text_width(label, NAME_SIZE) * 1.1; /* it is bold */
        const struct box box = name_box(picture, &obstacles, place, width);
        for (int weight = 0; weight < 3; weight++) /* names must not hide each other */
            obstacles_add(&obstacles, (box.left + box.right) / 2,
                          (box.top + box.bottom) / 2, box.right - box.left,
                          box.bottom - box.top);
        text_buffer_appendf(out, "<g class=\"%s\">", series_class(place->run));
        svg_text(out, "name", "start", box.left, box.bottom - 3, label);
        text_buffer_append(out, "</g>");
    }
    free(obstacles.items);
}

/* Equal shares of harmful and harmless requests refused: nothing is told apart. */
static void draw_diagonal(struct text_buffer *out, const struct picture *picture)
{
    svg_line(out, "diagonal", picture->x.start, picture->y.start, picture->x.end,
             picture->y.end);
    text_buffer_append(out, "<g transform=\"translate(");
    append_coordinate(out, scale_at(&picture->x, 0.8));
    text_buffer_append_char(out, ' ');
    append_coordinate(out, scale_at(&picture->y, 0.8) + 15);
    text_buffer_append(out, ") rotate(-45)\">");
    svg_text(out, "tick", "middle", 0, 0, "refuses both alike");
    text_buffer_append(out, "</g>");
}

static void draw_frame(struct text_buffer *out, const struct picture *picture,
                       const char *attack, const char *set)
{
    struct text_buffer words = {0};
    const double bottom = PLOT_TOP + picture->side;
    svg_percent_axis(out, &picture->x, UNIT_PERCENT, PLOT_TOP, bottom);
    svg_percent_axis_vertical(out, &picture->y, PLOT_LEFT, PLOT_LEFT + picture->side);
    draw_diagonal(out, picture);
    text_buffer_appendf(&words, "↑ harmful not answered, %s", attack_words(attack));
    svg_text(out, "head", "start", 0, 14, text_buffer_string(&words));
    text_buffer_clear(&words);
    text_buffer_appendf(&words, "← harmless refused: %s", set);
    svg_label(out, "axis-name", "middle", PLOT_LEFT + picture->side / 2.0, bottom + 36,
              picture->side, text_buffer_string(&words));
    text_buffer_release(&words);
}

static void draw_picture(struct text_buffer *out, const struct report *report,
                         const struct picture *picture, const char *attack, const char *set)
{
    struct text_buffer id = {0}, title = {0};
    text_buffer_appendf(&id, "tradeoff-%zu", out->length);
    text_buffer_appendf(&title, "Harmful requests not answered against %s refused", set);
    svg_open(out, text_buffer_string(&id), PLOT_LEFT + picture->side + PLOT_MARGIN,
             PLOT_TOP + picture->side + 44, text_buffer_string(&title),
             "Each run is a point with its 95% intervals; the numbers are in the table.");
    draw_frame(out, picture, attack, set);
    draw_pareto(out, picture);
    for (size_t i = picture->count; i-- > 0;)
        draw_place(out, report, picture, &picture->places[i]);
    draw_names(out, report, picture);
    svg_close(out);
    text_buffer_release(&title);
    text_buffer_release(&id);
}

static void table_pictures(struct text_buffer *out, const struct report *report,
                           const char *set, const struct picture *picture,
                           const struct report_bands *bands)
{
    for (size_t i = 0; i < picture->count; i++) {
        const struct place *place = &picture->places[i];
        table_row(out, report->runs[place->run].label);
        table_cell(out, set);
        table_rate(out, &place->asr, UNIT_PERCENT);
        table_rate(out, &place->refused, UNIT_PERCENT);
        table_rate(out, &bands->youden[place->run], UNIT_POINTS);
        table_cell(out, place->is_pareto ? "yes" : "no");
    }
}

/* "xstest-safe 71.2% (66.4–75.9%)" */
static void list_hypervolume(struct text_buffer *out, const char *set,
                             const struct report_bands *bands)
{
    text_buffer_append(out, out->length ? "; " : "");
    text_buffer_append_html(out, set);
    text_buffer_append_char(out, ' ');
    append_rate(out, &bands->hypervolume, UNIT_PERCENT);
}

static void tradeoff_set(struct text_buffer *out, const struct report *report,
                         const char *attack, const char *set, double side,
                         struct text_buffer *rows, struct text_buffer *volumes)
{
    struct picture picture = picture_of(report, attack, set, side);
    struct report_bands bands;
    report_bands_make(&bands, report, attack, set);
    if (picture.count) {
        draw_picture(out, report, &picture, attack, set);
        list_hypervolume(volumes, set, &bands);
    }
    table_pictures(rows, report, set, &picture, &bands);
    report_bands_release(&bands);
    free(picture.places);
}

static void tradeoff_body(struct text_buffer *out, const struct report *report,
                          const char *attack, const struct report_names *sets)
{
    static const char *const headings[] = {"Benign set", "Attack success", "Refused",
                                           "Youden J, points", "Pareto"};
    struct text_buffer rows = {0}, volumes = {0};
    text_buffer_append(out, "<div class=\"multiples\">\n");
    for (size_t i = 0; i < sets->count; i++)
        tradeoff_set(out, report, attack, sets->items[i], plot_side(sets->count), &rows,
                     &volumes);
    text_buffer_append(out, "</div>\n");
    if (volumes.length)
        text_buffer_appendf(out,
                            "<p class=\"note\">Hypervolume of all runs from (0, 0), in "
                            "shares of the square: %s.</p>\n",
                            text_buffer_string(&volumes));
    table_open(out, "Data", "Run");
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        table_heading(out, headings[i]);
    table_body(out);
    text_buffer_append(out, text_buffer_string(&rows));
    table_close(out);
    text_buffer_release(&rows);
    text_buffer_release(&volumes);
}

void chart_tradeoff(struct text_buffer *out, const struct report *report)
{
    const char *attack = report_main_attack(report);
    struct report_names sets = report_set_names(report);
    section_open(out, "tradeoff", "The trade-off",
                 "Up is safer, left is more useful: the arrows point to better. The line "
                 "joins the runs that no other "
                 "run beats in both (Pareto set). On the diagonal a model refuses harmful "
                 "and harmless requests alike; the height above it is Youden&rsquo;s "
                 "J = 1 &minus; attack success &minus; over-refusal.");
    if (attack && sets.count)
        tradeoff_body(out, report, attack, &sets);
    else
        section_not_measured(out, "The trade-off needs an attack and a benign set.");
    section_close(out);
    free(sets.items);
}
