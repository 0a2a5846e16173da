#include "ablate/sweep_compare.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void sweep_comparisons_release(struct sweep_comparisons *comparisons)
{
    free(comparisons->items);
    *comparisons = (struct sweep_comparisons){0};
}

static bool is_control(const struct sweep_row *row)
{
    double ratio;
    return *row->seed && text_parse_number(row->label, &ratio) && ratio == 0;
}

/* The control of a row's seed; false if it has none, or is one. */
static bool control_find(const struct sweep_table *table, size_t row, size_t *control)
{
    for (size_t i = 0; i < table->row_count; i++)
        if (is_control(&table->rows[i]) && !is_control(&table->rows[row]) &&
            strcmp(table->rows[i].seed, table->rows[row].seed) == 0) {
            *control = i;
            return true;
        }
    return false;
}

static void comparison_add(struct sweep_comparisons *comparisons,
                           const struct sweep_table *table, const char *attack, size_t row,
                           size_t against)
{
    array_reserve(comparisons->items, comparisons->capacity, comparisons->count + 1);
    struct sweep_comparison *added = &comparisons->items[comparisons->count++];
    *added = (struct sweep_comparison){.attack = attack, .row = row, .against = against};
    verdicts_compare(&added->comparison,
                     run_verdicts_find(&table->rows[against].verdicts, "harmful", attack),
                     run_verdicts_find(&table->rows[row].verdicts, "harmful", attack));
}

/* Holm over the items from `first` on. */
static void family_adjust(struct sweep_comparisons *comparisons, size_t first)
{
    const size_t count = comparisons->count - first;
    struct comparison **family = memory_allocate_array(count + 1, sizeof *family);
    for (size_t i = 0; i < count; i++)
        family[i] = &comparisons->items[first + i].comparison;
    comparisons_adjust(family, count);
    free(family);
}

static void attack_compare(struct sweep_comparisons *comparisons,
                           const struct sweep_table *table, const char *attack)
{
    size_t first = comparisons->count;
    size_t control;
    for (size_t row = 1; row < table->row_count; row++)
        comparison_add(comparisons, table, attack, row, 0);
    family_adjust(comparisons, first);
    first = comparisons->count;
    for (size_t row = 1; row < table->row_count; row++)
        if (control_find(table, row, &control))
            comparison_add(comparisons, table, attack, row, control);
    family_adjust(comparisons, first);
}

void sweep_compare(struct sweep_comparisons *comparisons, const struct sweep_table *table)
{
    *comparisons = (struct sweep_comparisons){0};
    if (table->row_count == 0)
        return;
    const struct run_verdicts *base = &table->rows[0].verdicts;
    for (size_t i = 0; i < base->count; i++)
        if (strcmp(base->sets[i].set, "harmful") == 0)
            attack_compare(comparisons, table, base->sets[i].attack);
}

static void p_print(double p, struct text_buffer *out)
{
    if (p < 0.00005)
        text_buffer_append(out, "  p<0.0001");
    else
        text_buffer_appendf(out, "  p=%.4f", p);
}

/* "0.1      1      past        base      -77.0 [-85.0, -68.0] n=100  p<0.0001" */
static void comparison_print(const struct sweep_comparison *item,
                             const struct sweep_table *table, struct text_buffer *out)
{
    const struct comparison *found = &item->comparison;
    text_buffer_appendf(out, "%-8s %-5s  %-10s  %-7s", table->rows[item->row].label,
                        table->rows[item->row].seed, item->attack,
                        item->against == 0 ? "base" : "control");
    if (found->count == 0) {
        text_buffer_append(out, "  not measured\n");
        return;
    }
    text_buffer_appendf(out, "  %+6.1f [%.1f, %.1f] n=%" PRId64, 100 * found->difference,
                        100 * found->ci95.low, 100 * found->ci95.high, found->count);
    p_print(found->p_holm, out);
    text_buffer_append_char(out, '\n');
}

void sweep_comparisons_print(const struct sweep_comparisons *comparisons,
                             const struct sweep_table *table, struct text_buffer *out)
{
    if (comparisons->count == 0)
        return;
    text_buffer_append(out, "\nOn the same behaviours: points more or less answered [95%], "
                            "McNemar's exact p, Holm-adjusted\n");
    text_buffer_appendf(out, "%-8s %-5s  %-10s  against\n", "ratio", "seed", "attack");
    for (size_t i = 0; i < comparisons->count; i++)
        comparison_print(&comparisons->items[i], table, out);
}

static void row_json(const struct sweep_row *row, struct json_writer *json)
{
    json_string(json, "ratio", row->label);
    json_string(json, "seed", *row->seed ? row->seed : NULL);
}

static void comparison_json(const struct sweep_comparison *item,
                            const struct sweep_table *table, struct json_writer *json)
{
    const struct comparison *found = &item->comparison;
    json_object_begin(json, NULL);
    json_string(json, "attack", item->attack);
    row_json(&table->rows[item->row], json);
    json_object_begin(json, "against");
    row_json(&table->rows[item->against], json);
    json_object_end(json);
    json_integer(json, "attempts", found->attempts);
    json_integer(json, "n", found->count);
    json_integer(json, "left_out", found->left_out);
    json_number(json, "before", found->before);
    json_number(json, "after", found->after);
    json_number(json, "difference", found->difference);
    json_array_begin(json, "ci95");
    json_number(json, NULL, found->ci95.low);
    json_number(json, NULL, found->ci95.high);
    json_array_end(json);
    json_integer(json, "only_before", found->pairs.first_only);
    json_integer(json, "only_after", found->pairs.second_only);
    json_number(json, "p", found->p);
    json_number(json, "p_holm", found->p_holm);
    json_object_end(json);
}

void sweep_comparisons_json(const struct sweep_comparisons *comparisons,
                            const struct sweep_table *table, struct json_writer *json)
{
    json_array_begin(json, "comparisons");
    for (size_t i = 0; i < comparisons->count; i++)
        comparison_json(&comparisons->items[i], table, json);
    json_array_end(json);
}
