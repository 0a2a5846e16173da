/* The figures made of dots with intervals: success by tense, over-refusal, D. */

#include "base/memory.h"
#include "eval/report_chart.h"

#include <stdlib.h>

static void panel_title(struct text_buffer *title, const char *attack, const char *what)
{
    text_buffer_clear(title);
    append_attack_title(title, attack);
    text_buffer_append(title, what);
}

static void add_asr(struct panels *panels, const struct report *report, const char *attack,
                    const char *what)
{
    struct text_buffer title = {0};
    panel_title(&title, attack, what);
    panels_add(panels, report, text_buffer_string(&title), "harmful requests answered",
               UNIT_PERCENT);
    for (size_t run = 0; run < report->count; run++)
        panels->items[panels->count - 1].rates[run] =
            report_asr(&report->runs[run], attack);
    text_buffer_release(&title);
}

/* A line for every judge but the main one, where there are several. */
static void judges_table(struct text_buffer *out, const struct report *report,
                         const struct report_names *attacks)
{
    bool several = false;
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < report->runs[run].attack_count; i++)
            several = several || report->runs[run].attacks[i].judge_count > 1;
    if (!several)
        return;
    table_open(out, "Every judge", "Run");
    table_heading(out, "Attack");
    table_heading(out, "Judge");
    table_heading(out, "Attack success");
    table_body(out);
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < attacks->count; i++) {
            const struct report_attack *attack =
                report_attack(&report->runs[run], attacks->items[i]);
            for (size_t j = 0; attack && j < attack->judge_count; j++) {
                table_row(out, report->runs[run].label);
                table_cell(out, attack_words(attack->name));
                table_cell(out, attack->judges[j].name);
                table_rate(out, &attack->judges[j].asr, UNIT_PERCENT);
            }
        }
    table_close(out);
}

void chart_tense(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_attack_names(report);
    struct panels panels = {.id = "tense", .title = "Attack success rate by tense"};
    for (size_t i = 0; i < attacks.count; i++)
        add_asr(&panels, report, attacks.items[i], "");
    section_open(
        out, "tense", "Attack success by tense",
        "Share of harmful requests that were answered. Further left is safer. Bars "
        "are 95% intervals; a dotted bar spans the worst cases where some attempts "
        "have no verdict; the dashed line is the first run.");
    if (panels.count) {
        panels_draw(out, report, &panels);
        panels_table(out, report, &panels);
        judges_table(out, report, &attacks);
    } else {
        section_not_measured(out, "No attack was run.");
    }
    section_close(out);
    panels_release(&panels);
    free(attacks.items);
}

void chart_refusal(struct text_buffer *out, const struct report *report)
{
    struct report_names sets = report_set_names(report);
    struct panels panels = {.id = "refusal", .title = "Over-refusal by benign set"};
    for (size_t i = 0; i < sets.count; i++) {
        panels_add(&panels, report, sets.items[i], "harmless requests refused",
                   UNIT_PERCENT);
        for (size_t run = 0; run < report->count; run++)
            panels.items[i].rates[run] = report_refused(&report->runs[run], sets.items[i]);
    }
    section_open(out, "refusal", "Over-refusal",
                 "Share of harmless requests that were refused: what the defence costs. "
                 "Further left is better.");
    if (panels.count) {
        panels_draw(out, report, &panels);
        panels_table(out, report, &panels);
    } else {
        section_not_measured(out, "No benign set was given (holdfast eval --benign FILE).");
    }
    section_close(out);
    panels_release(&panels);
    free(sets.items);
}

static struct report_rate *rates_allocate(const struct report *report)
{
    return memory_allocate_array(report->count, sizeof(struct report_rate));
}

/* Refusals of harmful and benign requests as a bar between them, then D itself. */
static void add_discrimination(struct panels *panels, const struct report *report,
                               const char *attack)
{
    struct text_buffer title = {0};
    panel_title(&title, attack, ": refused, benign to harmful");
    panels_add(panels, report, text_buffer_string(&title), "requests refused",
               UNIT_PERCENT);
    panel_title(&title, attack, ": discrimination D");
    panels_add(panels, report, text_buffer_string(&title), "points between the two",
               UNIT_POINTS);
    struct panel *refused = &panels->items[panels->count - 2];
    struct panel *d = &panels->items[panels->count - 1];
    refused->from = rates_allocate(report);
    for (size_t run = 0; run < report->count; run++) {
        const struct report_discrimination *found =
            report_discrimination(&report->runs[run], attack);
        if (!found)
            continue;
        refused->rates[run] = found->harmful_refused;
        refused->from[run] = found->benign_refused;
        d->rates[run] = found->d;
    }
    text_buffer_release(&title);
}

static void discrimination_table(struct text_buffer *out, const struct report *report,
                                 const struct report_names *attacks)
{
    static const char *const headings[] = {"Attack", "Attack success", "Harmful refused",
                                           "Benign refused", "D, points"};
    table_open(out, "Data", "Run");
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        table_heading(out, headings[i]);
    table_body(out);
    for (size_t i = 0; i < attacks->count; i++)
        for (size_t run = 0; run < report->count; run++) {
            const struct report_discrimination *found =
                report_discrimination(&report->runs[run], attacks->items[i]);
            const struct report_rate asr =
                report_asr(&report->runs[run], attacks->items[i]);
            const struct report_discrimination none = {0};
            table_row(out, report->runs[run].label);
            table_cell(out, attack_words(attacks->items[i]));
            table_rate(out, &asr, UNIT_PERCENT);
            table_rate(out, found ? &found->harmful_refused : &none.harmful_refused,
                       UNIT_PERCENT);
            table_rate(out, found ? &found->benign_refused : &none.benign_refused,
                       UNIT_PERCENT);
            table_rate(out, found ? &found->d : &none.d, UNIT_POINTS);
        }
    table_close(out);
}

void chart_discrimination(struct text_buffer *out, const struct report *report)
{
    struct report_names attacks = report_discrimination_names(report);
    struct panels panels = {.id = "discrimination",
                            .title = "Discrimination beside attack success"};
    for (size_t i = 0; i < attacks.count; i++) {
        add_asr(&panels, report, attacks.items[i], ": attack success");
        add_discrimination(&panels, report, attacks.items[i]);
    }
    section_open(out, "discrimination", "Discrimination",
                 "D = harmful requests refused &minus; benign requests of the same form "
                 "refused, in points. A model that refuses every past-tense question has "
                 "an attack success of 0% and a D of 0: it learned the form, not the harm. "
                 "Long bars are good.");
    if (panels.count) {
        panels_draw(out, report, &panels);
        discrimination_table(out, report, &attacks);
    } else {
        section_not_measured(out, "D needs a benign set in the tense of the attack.");
    }
    section_close(out);
    panels_release(&panels);
    free(attacks.items);
}
