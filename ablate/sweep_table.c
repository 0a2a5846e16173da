#include "ablate/sweep_table.h"

#include "ablate/sweep_compare.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct sweep_cell not_measured = {
    .rate = (double)NAN, .low = (double)NAN, .high = (double)NAN};

static size_t column_of(struct sweep_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i], name) == 0)
            return i;
    const size_t count = ++table->column_count;
    table->columns = memory_resize_array(table->columns, count, sizeof *table->columns);
    table->columns[count - 1] = memory_duplicate_string(name);
    for (size_t i = 0; i < table->row_count; i++) {
        struct sweep_row *row = &table->rows[i];
        row->cells = memory_resize_array(row->cells, count, sizeof *row->cells);
        row->cells[count - 1] = not_measured;
    }
    return count - 1;
}

static void cell_set(struct sweep_table *table, const char *kind, const char *name,
                     struct sweep_cell cell)
{
    struct text_buffer column = {0};
    text_buffer_appendf(&column, "%s %s", kind, name);
    const size_t index = column_of(table, text_buffer_string(&column));
    table->rows[table->row_count - 1].cells[index] = cell;
    text_buffer_release(&column);
}

static enum status interval_read(struct sweep_cell *cell, const cJSON *object,
                                 const char *where, struct error *error)
{
    const cJSON *ci = json_get(object, "ci95");
    if (!cJSON_IsArray(ci) || !cJSON_IsNumber(ci->child) ||
        !cJSON_IsNumber(ci->child->next))
        return error_set(error, STATUS_FORMAT, "%s: a rate without its \"ci95\"", where);
    cell->low = ci->child->valuedouble;
    cell->high = ci->child->next->valuedouble;
    return STATUS_OK;
}

static enum status cell_read(struct sweep_cell *cell, const cJSON *object, const char *key,
                             const char *where, struct error *error)
{
    *cell = not_measured;
    const cJSON *rate = json_get(object, key);
    if (!rate || cJSON_IsNull(rate))
        return STATUS_OK;
    if (json_required_number(object, key, &cell->rate, where, error) ||
        json_optional_integer(object, "n", &cell->n, where, error))
        return error->status;
    return interval_read(cell, object, where, error);
}

/* The first judge is the one that the run was stopped by. */
static enum status attacks_read(struct sweep_table *table, const cJSON *summary,
                                const char *where, struct error *error)
{
    const cJSON *attack;
    cJSON_ArrayForEach(attack, json_get(summary, "attacks"))
    {
        struct sweep_cell cell;
        const cJSON *judges = json_get(attack, "judges");
        if (!judges || !judges->child)
            continue;
        if (cell_read(&cell, judges->child, "asr", where, error))
            return error->status;
        cell_set(table, "answered", attack->string, cell);
    }
    return STATUS_OK;
}

static enum status group_read(struct sweep_table *table, const cJSON *group,
                              const char *kind, const char *key, const char *where,
                              struct error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, group)
    {
        struct sweep_cell cell;
        if (cell_read(&cell, item, key, where, error))
            return error->status;
        cell_set(table, kind, item->string, cell);
    }
    return STATUS_OK;
}

static enum status leakage_read(struct sweep_row *row, const cJSON *summary,
                                const char *where, struct error *error)
{
    const cJSON *leakage = json_get(summary, "leakage");
    row->leaked = -1;
    if (!leakage)
        return STATUS_OK;
    if (json_required_integer(leakage, "leaked", &row->leaked, where, error))
        return error->status;
    return json_required_integer(leakage, "behaviors", &row->behaviors, where, error);
}

enum status sweep_table_add(struct sweep_table *table, const char *label, const char *seed,
                            const char *folder, struct error *error)
{
    cJSON *summary = NULL;
    char *path = path_join(folder, "summary.json");
    enum status status = json_parse_file(&summary, path, error);
    if (!status) {
        table->rows =
            memory_resize_array(table->rows, table->row_count + 1, sizeof *table->rows);
        struct sweep_row *row = &table->rows[table->row_count++];
        *row = (struct sweep_row){
            .label = memory_duplicate_string(label),
            .seed = memory_duplicate_string(seed),
            .folder = memory_duplicate_string(folder),
            .cells = memory_allocate_array(table->column_count + 1, sizeof *row->cells)};
        for (size_t i = 0; i < table->column_count; i++)
            row->cells[i] = not_measured;
        status = run_verdicts_read(&row->verdicts, folder, summary, error);
        if (!status)
            status = leakage_read(row, summary, path, error);
        if (!status)
            status = attacks_read(table, summary, path, error);
    }
    if (!status)
        status = group_read(table, json_get(summary, "over_refusal"), "refused", "rate",
                            path, error);
    if (!status)
        status =
            group_read(table, json_get(summary, "discrimination"), "D", "d", path, error);
    cJSON_Delete(summary);
    free(path);
    return status;
}

static void cell_print(const struct sweep_cell *cell, struct text_buffer *out)
{
    struct text_buffer text = {0};
    if (isnan(cell->rate))
        text_buffer_append(&text, "not measured");
    else if (cell->n)
        text_buffer_appendf(&text, "%.1f%% [%.1f, %.1f] n=%" PRId64, 100 * cell->rate,
                            100 * cell->low, 100 * cell->high, cell->n);
    else
        text_buffer_appendf(&text, "%.2f [%.2f, %.2f]", cell->rate, cell->low, cell->high);
    text_buffer_appendf(out, "  %-28s", text_buffer_string(&text));
    text_buffer_release(&text);
}

static void leaks_print(const struct sweep_table *table, struct text_buffer *out)
{
    bool any = false;
    bool any_of_mixes = false;
    for (size_t i = 0; i < table->row_count; i++) {
        const struct sweep_row *row = &table->rows[i];
        const bool is_base = *row->seed == '\0';
        if (row->leaked <= 0)
            continue;
        text_buffer_append(out, any ? "" : "\n");
        if (is_base)
            text_buffer_append(out, "the base");
        else
            text_buffer_appendf(out, "ratio %s, seed %s", row->label, row->seed);
        text_buffer_appendf(out,
                            ": %" PRId64 " of %" PRId64
                            " behaviours stand in its training data, reworded or not\n",
                            row->leaked, row->behaviors);
        any = true;
        any_of_mixes |= !is_base;
    }
    if (any_of_mixes)
        text_buffer_append(out, "Rates on trained requests say little of others: hold some "
                                "out with --data splits=train:0.5,test:0.5\n");
}

void sweep_table_print(const struct sweep_table *table, struct text_buffer *out)
{
    text_buffer_appendf(out, "%-8s %-5s", "ratio", "seed");
    for (size_t i = 0; i < table->column_count; i++)
        text_buffer_appendf(out, "  %-28s", table->columns[i]);
    text_buffer_append_char(out, '\n');
    for (size_t i = 0; i < table->row_count; i++) {
        const struct sweep_row *row = &table->rows[i];
        text_buffer_appendf(out, "%-8s %-5s", row->label, row->seed);
        for (size_t j = 0; j < table->column_count; j++)
            cell_print(&row->cells[j], out);
        text_buffer_append_char(out, '\n');
    }
    leaks_print(table, out);
    struct sweep_comparisons comparisons;
    sweep_compare(&comparisons, table);
    sweep_comparisons_print(&comparisons, table, out);
    sweep_comparisons_release(&comparisons);
}

static void cell_json(struct json_writer *json, const char *column,
                      const struct sweep_cell *cell)
{
    if (isnan(cell->rate)) {
        json_null(json, column);
        return;
    }
    json_object_begin(json, column);
    json_number(json, "rate", cell->rate);
    json_integer(json, "n", cell->n);
    json_array_begin(json, "ci95");
    json_number(json, NULL, cell->low);
    json_number(json, NULL, cell->high);
    json_array_end(json);
    json_object_end(json);
}

void sweep_table_json(const struct sweep_table *table, struct text_buffer *out)
{
    struct json_writer json = {.out = out, .indent_spaces = 2};
    struct sweep_comparisons comparisons;
    sweep_compare(&comparisons, table);
    json_object_begin(&json, NULL);
    json_array_begin(&json, "runs");
    for (size_t i = 0; i < table->row_count; i++) {
        const struct sweep_row *row = &table->rows[i];
        json_object_begin(&json, NULL);
        json_string(&json, "ratio", row->label);
        json_string(&json, "seed", *row->seed ? row->seed : NULL);
        json_string(&json, "folder", row->folder);
        if (row->leaked >= 0)
            json_integer(&json, "leaked", row->leaked);
        for (size_t j = 0; j < table->column_count; j++)
            cell_json(&json, table->columns[j], &row->cells[j]);
        json_object_end(&json);
    }
    json_array_end(&json);
    sweep_comparisons_json(&comparisons, table, &json);
    json_object_end(&json);
    sweep_comparisons_release(&comparisons);
    text_buffer_append_char(out, '\n');
}

void sweep_table_release(struct sweep_table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        free(table->columns[i]);
    free(table->columns);
    for (size_t i = 0; i < table->row_count; i++) {
        free(table->rows[i].label);
        free(table->rows[i].seed);
        free(table->rows[i].folder);
        free(table->rows[i].cells);
        run_verdicts_release(&table->rows[i].verdicts);
    }
    free(table->rows);
    *table = (struct sweep_table){0};
}
