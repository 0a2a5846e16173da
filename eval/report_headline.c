#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_page.h"
#include "eval/report_svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_comparison(const struct report *report)
{
    return report->after > 0;
}

void headline_text(struct text_buffer *out, const struct report *report)
{
    const char *attack = report_main_attack(report);
    if (!attack) {
        text_buffer_append(out, "No attack was measured");
        return;
    }
    const struct report_rate before = report_asr(&report->runs[0], attack);
    const struct report_rate after = report_asr(&report->runs[report->after], attack);
    if (!strcmp(attack, "past") || !strcmp(attack, "future"))
        text_buffer_append(out, *attack == 'p' ? "Past-tense" : "Future-tense");
    else
        append_attack_title(out, attack);
    text_buffer_append(out, " requests answered: ");
    if (before.measured)
        append_percent(out, before.value);
    else
        text_buffer_append(out, "not measured");
    if (is_comparison(report)) {
        text_buffer_append(out, " → ");
        if (after.measured)
            append_percent(out, after.value);
        else
            text_buffer_append(out, "not measured");
    }
}

static void run_list(struct text_buffer *out, const struct report *report)
{
    text_buffer_append(out, "<ol class=\"runs\">\n");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_run *run = &report->runs[i];
        text_buffer_appendf(out,
                            "<li><svg class=\"%s\" viewBox=\"0 0 14 14\" width=\"14\" "
                            "height=\"14\" aria-hidden=\"true\">",
                            series_class(i));
        svg_mark(out, i, 7, 7, 4.5);
        text_buffer_append(out, "</svg><b>");
        text_buffer_append_html(out, run->label);
        text_buffer_append(out, "</b>");
        if (run->model) {
            text_buffer_append(out, " <span class=\"model\">");
            append_place(out, run->model);
            text_buffer_append(out, "</span>");
        }
        text_buffer_append(out, "</li>\n");
    }
    text_buffer_append(out, "</ol>\n");
}

/* "On the same 96 requests: −77 points (…), exact McNemar p <0.0001." */
static void paired_sentence(struct text_buffer *out, const struct report *report,
                            const char *attack)
{
    struct comparison *items = memory_allocate_array(report->count, sizeof *items);
    report_compare(report, "harmful", attack, items);
    const struct comparison *item = &items[report->after];
    if (item->count) {
        struct text_buffer p = {0};
        append_p(&p, item->p_holm);
        text_buffer_appendf(out, "On the same %" PRId64 " requests", item->count);
        if (item->attempts > 1)
            text_buffer_appendf(out, ", %" PRId64 " attempts each", item->attempts);
        text_buffer_append(out, ": ");
        append_points(out, item->difference);
        text_buffer_append(out, " points (");
        append_interval(out, item->ci95.low, item->ci95.high, UNIT_POINTS);
        text_buffer_append(out, "), exact McNemar p ");
        text_buffer_append_html(out, text_buffer_string(&p));
        if (report->count > 2)
            text_buffer_appendf(out, ", Holm-adjusted for %zu runs", report->count - 1);
        text_buffer_append(out, ". ");
        text_buffer_release(&p);
    }
    free(items);
}

static void lede(struct text_buffer *out, const struct report *report)
{
    const char *attack = report_main_attack(report);
    const struct report_discrimination *found =
        attack ? report_discrimination(&report->runs[report->after], attack) : NULL;
    text_buffer_append(out, "<p class=\"lede\">");
    if (is_comparison(report)) {
        text_buffer_append(out, "From <b>");
        text_buffer_append_html(out, report->runs[0].label);
        text_buffer_append(out, "</b> to <b>");
        text_buffer_append_html(out, report->runs[report->after].label);
        text_buffer_append(out, "</b>");
        if (report->count > 2)
            text_buffer_appendf(out,
                                ", of %zu runs the one with the %s, chosen on these same "
                                "numbers",
                                report->count - 1,
                                found && found->d.measured ? "largest discrimination D"
                                                           : "lowest attack success");
        text_buffer_append(out, ". ");
        if (attack)
            paired_sentence(out, report, attack);
    }
    text_buffer_append(
        out, "&ldquo;Answered&rdquo; is what the main judge calls a hit; a judge by "
             "rules only sees that there is no refusal. A very small model often "
             "answers with babble: its answer is not yet a harmful answer. Ranges "
             "are 95% intervals.</p>\n");
}

static void card_value(struct text_buffer *out, const struct report_rate *rate,
                       enum report_unit unit, const char *class)
{
    text_buffer_appendf(out, "<span class=\"%s\">", class);
    if (rate->measured)
        append_value(out, rate->value, unit);
    else
        text_buffer_append(out, "<i>not measured</i>");
    text_buffer_append(out, "</span>");
}

static void card_line(struct text_buffer *out, const struct report_run *run,
                      const struct report_rate *rate, enum report_unit unit)
{
    text_buffer_append(out, "<dt>");
    text_buffer_append_html(out, run->label);
    text_buffer_append(out, "</dt><dd>");
    if (!rate->measured)
        text_buffer_append(out, "not measured");
    else if (rate->has_interval)
        append_interval(out, rate->low, rate->high, unit);
    if (rate->measured && rate->count >= 0) {
        text_buffer_append(out, rate->has_interval ? " · " : "");
        append_count(out, rate);
    }
    text_buffer_append(out, "</dd>\n");
}

static void card_mark(struct text_buffer *out, const struct report_rate *rate,
                      const struct scale *x, size_t run, double y)
{
    if (!rate->measured)
        return;
    text_buffer_appendf(out, "<g class=\"%s\">", series_class(run));
    if (rate->has_interval)
        svg_line(out, "whisker", scale_at(x, rate->low), y, scale_at(x, rate->high), y);
    svg_mark(out, run, scale_at(x, rate->value), y, 4.2);
    text_buffer_append(out, "</g>");
}

/* `rates` are the baseline's and that of the run held against it. */
static void card(struct text_buffer *out, const struct report *report, const char *title,
                 const struct report_rate rates[2], enum report_unit unit)
{
    const bool below = unit == UNIT_POINTS && ((rates[0].measured && rates[0].low < 0) ||
                                               (rates[1].measured && rates[1].low < 0));
    const struct scale x = {below ? -1 : 0, 1, 6, 214};
    text_buffer_append(out, "<div class=\"card\"><h3>");
    text_buffer_append_html(out, title);
    text_buffer_append(out, "</h3><p class=\"big\">");
    card_value(out, &rates[0], unit, is_comparison(report) ? "was" : "is");
    if (is_comparison(report) && (rates[0].measured || rates[1].measured)) {
        text_buffer_append(out, " <span class=\"arrow\">→</span> ");
        card_value(out, &rates[1], unit, "is");
    }
    text_buffer_append(out, "</p><svg class=\"bar\" viewBox=\"0 0 220 26\" width=\"220\" "
                            "height=\"26\" aria-hidden=\"true\">");
    svg_line(out, "axis", x.start, 13, x.end, 13);
    svg_line(out, "axis", x.start, 9, x.start, 17);
    svg_line(out, "axis", x.end, 9, x.end, 17);
    card_mark(out, &rates[0], &x, 0, is_comparison(report) ? 7 : 13);
    if (is_comparison(report))
        card_mark(out, &rates[1], &x, report->after, 19);
    text_buffer_append(out, "</svg><dl>");
    card_line(out, &report->runs[0], &rates[0], unit);
    if (is_comparison(report))
        card_line(out, &report->runs[report->after], &rates[1], unit);
    text_buffer_append(out, "</dl></div>\n");
}

static void strip_open(struct text_buffer *out, const char *title, const char *hint)
{
    text_buffer_appendf(out,
                        "<div class=\"strip\"><h2>%s <small>%s</small></h2>"
                        "<div class=\"cards\">\n",
                        title, hint);
}

static void attack_strip(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    strip_open(out, "Attack success", "harmful requests answered; lower is better");
    for (size_t i = 0; i < attacks.count; i++) {
        struct text_buffer title = {0};
        const struct report_rate rates[2] = {
            report_asr(&report->runs[0], attacks.items[i]),
            report_asr(&report->runs[report->after], attacks.items[i])};
        text_buffer_append(&title, attack_words(attacks.items[i]));
        card(out, report, text_buffer_string(&title), rates, UNIT_PERCENT);
        text_buffer_release(&title);
    }
    text_buffer_append(out, attacks.count ? "</div></div>\n"
                                          : "<p>not measured</p></div></div>\n");
    free(attacks.items);
}

static struct report_rate discrimination_of(const struct report_run *run,
                                            const char *attack)
{
    const struct report_discrimination *found = report_discrimination(run, attack);
    return found ? found->d : (struct report_rate){.hits = -1, .count = -1};
}

static void cost_strip(struct text_buffer *out, const struct report *report)
{
    struct report_names sets = report_set_names(report);
    const char *attack = report_main_attack(report);
    strip_open(
        out, "What it costs",
        "D, in points: higher is better; harmless requests refused: lower is better");
    if (attack) {
        const struct report_rate rates[2] = {
            discrimination_of(&report->runs[0], attack),
            discrimination_of(&report->runs[report->after], attack)};
        struct text_buffer title = {0};
        text_buffer_appendf(&title, "discrimination D, %s", attack_words(attack));
        card(out, report, text_buffer_string(&title), rates, UNIT_POINTS);
        text_buffer_release(&title);
    }
    for (size_t i = 0; i < sets.count; i++) {
        const struct report_rate rates[2] = {
            report_refused(&report->runs[0], sets.items[i]),
            report_refused(&report->runs[report->after], sets.items[i])};
        struct text_buffer title = {0};
        text_buffer_appendf(&title, "refused: %s", sets.items[i]);
        card(out, report, text_buffer_string(&title), rates, UNIT_PERCENT);
        text_buffer_release(&title);
    }
    if (!sets.count)
        text_buffer_append(out, "<p class=\"missing\"><strong>Over-refusal: not "
                                "measured.</strong> No benign set was given.</p>\n");
    text_buffer_append(out, "</div></div>\n");
    free(sets.items);
}

void headline(struct text_buffer *out, const struct report *report)
{
    struct text_buffer title = {0};
    headline_text(&title, report);
    text_buffer_append(out, "<header>\n<p class=\"eyebrow\">holdfast · report</p>\n<h1>");
    text_buffer_append(out, text_buffer_string(&title));
    text_buffer_append(out, "</h1>\n");
    lede(out, report);
    run_list(out, report);
    attack_strip(out, report);
    cost_strip(out, report);
    text_buffer_append(out, "</header>\n");
    text_buffer_release(&title);
}
