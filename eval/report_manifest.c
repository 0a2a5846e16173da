#include "base/file.h"
#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_page.h"

#include <stdlib.h>
#include <string.h>

/* A JSON tree as lines: "options.seed" -> "1", "sources.0.sha256" -> "ab12…". */
struct line {
    char *key;
    char *value;
};
struct lines {
    struct line *items;
    size_t count;
    size_t capacity;
};

static void lines_add(struct lines *lines, const char *key, const char *value)
{
    array_reserve(lines->items, lines->capacity, lines->count + 1);
    lines->items[lines->count++] =
        (struct line){memory_duplicate_string(key), memory_duplicate_string(value)};
}

static void lines_release(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].key);
        free(lines->items[i].value);
    }
    free(lines->items);
}

static const char *lines_find(const struct lines *lines, const char *key)
{
    for (size_t i = 0; i < lines->count; i++)
        if (!strcmp(lines->items[i].key, key))
            return lines->items[i].value;
    return NULL;
}

/* Appends "- item" of a YAML list to the value of its key. */
static void lines_extend(struct lines *lines, const char *item)
{
    if (!lines->count)
        return;
    struct line *last = &lines->items[lines->count - 1];
    struct text_buffer value = {0};
    text_buffer_appendf(&value, "%s%s%s", last->value, *last->value ? ", " : "", item);
    free(last->value);
    last->value = text_buffer_detach(&value);
}

/* A config.yaml that is stored as text: a line for each key at its top level. */
static void flatten_yaml(struct lines *lines, const char *key, const char *yaml)
{
    struct line_reader reader = {.data = yaml, .bytes = strlen(yaml)};
    while (line_next(&reader)) {
        char *text = memory_duplicate_bytes(reader.line, reader.line_bytes);
        char *colon = strchr(text, ':');
        const char *item = text + strspn(text, " -");
        if (item > text) {
            lines_extend(lines, item);
        } else if (colon) {
            struct text_buffer path = {0};
            *colon = '\0';
            text_buffer_appendf(&path, "%s.%s", key, text);
            lines_add(lines, text_buffer_string(&path), colon + 1 + strspn(colon + 1, " "));
            text_buffer_release(&path);
        }
        free(text);
    }
}

static void flatten_scalar(struct lines *lines, const char *key, const cJSON *value)
{
    struct text_buffer text = {0};
    if (cJSON_IsNumber(value))
        text_buffer_append_number(&text, value->valuedouble);
    const char *words = cJSON_IsString(value)   ? value->valuestring
                        : cJSON_IsNumber(value) ? text_buffer_string(&text)
                        : cJSON_IsTrue(value)   ? "yes"
                        : cJSON_IsFalse(value)  ? "no"
                                                : "–";
    lines_add(lines, key, words);
    text_buffer_release(&text);
}

static bool is_scalar_list(const cJSON *value)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, value)
    {
        if (cJSON_IsObject(item) || cJSON_IsArray(item))
            return false;
    }
    return cJSON_IsArray(value);
}

/* ["none","past"] as "none, past". */
static void flatten_list(struct lines *lines, const char *key, const cJSON *list)
{
    const cJSON *item;
    struct lines items = {0};
    lines_add(lines, key, "");
    cJSON_ArrayForEach(item, list) flatten_scalar(&items, "", item);
    for (size_t i = 0; i < items.count; i++)
        lines_extend(lines, items.items[i].value);
    lines_release(&items);
}

static void flatten(struct lines *lines, const char *key, const cJSON *value)
{
    const cJSON *item;
    size_t index = 0;
    if (cJSON_IsString(value) && strchr(value->valuestring, '\n')) {
        flatten_yaml(lines, key, value->valuestring);
        return;
    }
    if (is_scalar_list(value)) {
        flatten_list(lines, key, value);
        return;
    }
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value)) {
        flatten_scalar(lines, key, value);
        return;
    }
    cJSON_ArrayForEach(item, value)
    {
        struct text_buffer path = {0};
        text_buffer_appendf(&path, "%s%s", key, *key ? "." : "");
        if (item->string)
            text_buffer_append(&path, item->string);
        else
            text_buffer_appendf(&path, "%zu", index);
        flatten(lines, text_buffer_string(&path), item);
        text_buffer_release(&path);
        index++;
    }
}

static struct lines lines_of(const struct report_run *run)
{
    struct lines lines = {0};
    const cJSON *outcomes = cJSON_GetObjectItemCaseSensitive(run->summary, "outcomes");
    if (run->manifest)
        flatten(&lines, "", run->manifest);
    if (outcomes &&
        (!run->manifest || !cJSON_GetObjectItemCaseSensitive(run->manifest, "outcomes")))
        flatten(&lines, "outcomes", outcomes);
    return lines;
}

/* Where a path may begin: not within "and/or" or "https://…". */
static bool is_path_start(const char *text, const char *at)
{
    return *at == '/' && at[1] && !strchr("/ \t", at[1]) &&
           (at == text || strchr(" \t\"',=[", at[-1]));
}

void append_place(struct text_buffer *out, const char *text)
{
    struct text_buffer shown = {0};
    for (const char *at = text; *at;) {
        const size_t bytes = strcspn(at, " \t\"',]");
        if (!is_path_start(text, at)) {
            text_buffer_append_char(&shown, *at++);
            continue;
        }
        const char *name = at + bytes;
        while (name > at + 1 && (name[-1] != '/' || name == at + bytes))
            name--;
        text_buffer_append(&shown, "…/");
        text_buffer_append_bytes(&shown, name, (size_t)(at + bytes - name));
        at += bytes;
    }
    text_buffer_append_html(out, text_buffer_string(&shown));
    text_buffer_release(&shown);
}

static bool all_equal(const struct lines *lines, size_t count, const char *key)
{
    const char *first = lines_find(&lines[0], key);
    for (size_t i = 1; i < count; i++) {
        const char *other = lines_find(&lines[i], key);
        if (!first || !other || strcmp(first, other) != 0)
            return false;
    }
    return true;
}

static void manifest_row(struct text_buffer *out, const struct lines *lines, size_t count,
                         const char *key)
{
    text_buffer_appendf(out, "\n<tr%s><th scope=\"row\">",
                        all_equal(lines, count, key) ? "" : " class=\"differs\"");
    text_buffer_append_html(out, key);
    text_buffer_append(out, "</th>");
    for (size_t i = 0; i < count; i++) {
        const char *value = lines_find(&lines[i], key);
        text_buffer_append(out, "<td>");
        append_place(out, value ? value : "–");
        text_buffer_append(out, "</td>");
    }
}

static void manifest_table(struct text_buffer *out, const struct report *report,
                           const struct lines *lines)
{
    struct report_names keys = {0};
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < lines[run].count; i++)
            report_names_add(&keys, lines[run].items[i].key);
    text_buffer_append(out, "<div class=\"manifest\">");
    table_open(out, "Options, seeds, hashes, counts", "Key");
    for (size_t run = 0; run < report->count; run++)
        table_heading(out, report->runs[run].label);
    table_body(out);
    for (size_t i = 0; i < keys.count; i++)
        manifest_row(out, lines, report->count, keys.items[i]);
    table_close(out);
    text_buffer_append(out, "</div>\n");
    free(keys.items);
}

void manifests(struct text_buffer *out, const struct report *report)
{
    struct lines *lines = memory_allocate_array(report->count, sizeof *lines);
    bool missing = false;
    section_open(out, "manifest", "Manifest",
                 "How the runs were made. Rows in which the runs differ are marked.");
    for (size_t run = 0; run < report->count; run++) {
        lines[run] = lines_of(&report->runs[run]);
        missing = missing || !report->runs[run].manifest;
    }
    if (missing)
        text_buffer_append(out,
                           "<p class=\"missing\">A run without manifest.json shows only "
                           "its outcome counts.</p>\n");
    manifest_table(out, report, lines);
    section_close(out);
    for (size_t run = 0; run < report->count; run++)
        lines_release(&lines[run]);
    free(lines);
}
