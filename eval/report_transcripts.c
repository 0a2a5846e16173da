#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "eval/report_chart.h"
#include "eval/report_page.h"
#include "eval/report_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *string_of(const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* One field of a row: null where the attempt does not have it. */
static void append_string(struct text_buffer *out, const char *text)
{
    if (text)
        append_script_string(out, text);
    else
        text_buffer_append(out, "null");
}

static void append_number(struct text_buffer *out, const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    if (cJSON_IsNumber(value))
        text_buffer_append_number(out, value->valuedouble);
    else
        text_buffer_append(out, "null");
}

/* design.md has {"jailbroken": true}; a "verdict" in words goes before it. */
static const char *verdict_of(const cJSON *judge)
{
    const char *verdict = string_of(judge, "verdict");
    if (verdict)
        return verdict;
    const cJSON *jailbroken = json_get(judge, "jailbroken");
    return cJSON_IsTrue(jailbroken)    ? "complied"
           : cJSON_IsFalse(jailbroken) ? "refused"
                                       : NULL;
}

static void append_judges(struct text_buffer *out, const cJSON *attempt)
{
    const cJSON *found = json_get(attempt, "judges"), *judge;
    const cJSON *judges = cJSON_IsObject(found) ? found : NULL;
    const char *comma = "";
    text_buffer_append_char(out, '[');
    cJSON_ArrayForEach(judge, judges)
    {
        text_buffer_appendf(out, "%s[", comma);
        append_string(out, judge->string);
        text_buffer_append_char(out, ',');
        append_string(out, verdict_of(judge));
        text_buffer_append_char(out, ']');
        comma = ",";
    }
    text_buffer_append_char(out, ']');
}

static void append_row(struct text_buffer *out, const cJSON *attempt)
{
    static const char *const first[] = {"set", "attack"};
    static const char *const second[] = {"behavior", "category", "request"};
    const char *request = string_of(attempt, "request");
    const char *prompt = string_of(attempt, "prompt");
    text_buffer_append_char(out, '[');
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        append_string(out, string_of(attempt, first[i]));
        text_buffer_append_char(out, ',');
    }
    append_number(out, attempt, "index");
    text_buffer_append_char(out, ',');
    append_number(out, attempt, "attempt");
    for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
        text_buffer_append_char(out, ',');
        append_string(out, string_of(attempt, second[i]));
    }
    text_buffer_append_char(out, ',');
    append_string(out, prompt && request && !strcmp(prompt, request) ? NULL : prompt);
    text_buffer_append_char(out, ',');
    append_string(out, string_of(attempt, "response"));
    text_buffer_append_char(out, ',');
    append_string(out, string_of(attempt, "outcome"));
    text_buffer_append_char(out, ',');
    append_judges(out, attempt);
    text_buffer_append_char(out, ',');
    append_number(out, attempt, "tokens");
    text_buffer_appendf(out, ",%d,", cJSON_IsTrue(json_get(attempt, "truncated")) ? 1 : 0);
    append_string(out, string_of(attempt, "error"));
    text_buffer_append_char(out, ']');
}

static enum status append_line(struct text_buffer *out, const struct line_reader *lines,
                               const char *path, const char *comma, struct error *error)
{
    struct text_buffer where = {0};
    cJSON *attempt = NULL;
    text_buffer_appendf(&where, "%s:%" PRId64, path, lines->number);
    enum status status = json_parse_line(&attempt, lines->line, lines->line_bytes,
                                         text_buffer_string(&where), error);
    if (!status && !cJSON_IsObject(attempt))
        status = error_set(error, STATUS_FORMAT, "%s: an attempt must be a JSON object",
                           text_buffer_string(&where));
    if (!status) {
        text_buffer_append(out, comma);
        append_row(out, attempt);
    }
    cJSON_Delete(attempt);
    text_buffer_release(&where);
    return status;
}

/*
 * Browsers take one text of megabytes in slowly: rows are put in elements of about this
 * size.
 */
enum { BLOCK_BYTES = 1 << 17 };

static void block_open(struct text_buffer *out, size_t run)
{
    text_buffer_appendf(out,
                        "<script type=\"application/json\" class=\"rows\" "
                        "data-run=\"%zu\">[",
                        run);
}

static void block_close(struct text_buffer *out)
{
    text_buffer_append(out, "]</script>\n");
}

static enum status append_rows(struct text_buffer *out, size_t run, const char *path,
                               const struct file_map *map, struct error *error)
{
    struct line_reader lines = {.data = (const char *)map->data, .bytes = map->bytes};
    const char *comma = "\n";
    size_t start = out->length;
    block_open(out, run);
    while (line_next(&lines)) {
        const bool is_torn =
            lines.offset == map->bytes && map->data[map->bytes - 1] != '\n';
        if (is_torn || line_is_blank(&lines))
            continue;
        if (out->length - start > BLOCK_BYTES) {
            block_close(out);
            start = out->length;
            block_open(out, run);
            comma = "\n";
        }
        if (append_line(out, &lines, path, comma, error))
            return error->status;
        comma = ",\n";
    }
    block_close(out);
    return STATUS_OK;
}

static enum status append_attempts(struct text_buffer *out, const struct report *report,
                                   size_t run, struct error *error)
{
    char *path = path_join(report->runs[run].path, "attempts.jsonl");
    struct file_map map = {0};
    enum status status = STATUS_OK;
    if (file_exists(path)) {
        status = file_map(&map, path, error);
        if (!status) {
            status = append_rows(out, run, path, &map, error);
            file_unmap(&map);
        }
    }
    free(path);
    return status;
}

static bool attempts_stored(const struct report_run *run)
{
    char *path = path_join(run->path, "attempts.jsonl");
    const bool stored = file_exists(path);
    free(path);
    return stored;
}

static enum status append_data(struct text_buffer *out, const struct report *report,
                               struct error *error)
{
    enum status status = STATUS_OK;
    text_buffer_append(out, "<script type=\"application/json\" id=\"attempts-data\">\n"
                            "{\"runs\":[");
    for (size_t run = 0; run < report->count; run++) {
        text_buffer_append(out, run ? "," : "");
        append_script_string(out, report->runs[run].label);
    }
    text_buffer_appendf(out, "],\n\"after\":%zu,\"stored\":[", report->after);
    for (size_t run = 0; run < report->count; run++)
        text_buffer_appendf(out, "%s%s", run ? "," : "",
                            attempts_stored(&report->runs[run]) ? "true" : "false");
    text_buffer_append(out, "]}\n</script>\n");
    for (size_t run = 0; !status && run < report->count; run++)
        status = append_attempts(out, report, run, error);
    return status;
}

/* What the script fills and shows; hidden without it. */
static const char frame[] =
    "<noscript><p class=\"missing\">The transcripts need JavaScript; everything above does "
    "not.</p></noscript>\n"
    "<div id=\"browser\" hidden>\n"
    "<form id=\"filters\" role=\"search\" aria-label=\"Filter the transcripts\">\n"
    "<label>Left run <select id=\"left\"></select></label>\n"
    "<label>Left outcome <select id=\"left-outcome\"></select></label>\n"
    "<label>Right run <select id=\"right\"></select></label>\n"
    "<label>Right outcome <select id=\"right-outcome\"></select></label>\n"
    "<label>Set <select id=\"set\"></select></label>\n"
    "<label>Attack <select id=\"attack\"></select></label>\n"
    "<label>Category <select id=\"category\"></select></label>\n"
    "<label>Sort by <select id=\"sort\"></select></label>\n"
    "<label class=\"wide\">Search <input id=\"search\" type=\"search\" "
    "autocomplete=\"off\" placeholder=\"words in requests and replies\"></label>\n"
    "</form>\n"
    "<div class=\"pager\"><p id=\"found\" role=\"status\"></p>"
    "<button type=\"button\" id=\"open-all\">Open all on this page</button>"
    "<button type=\"button\" id=\"previous\">Previous</button>"
    "<button type=\"button\" id=\"next\">Next</button></div>\n"
    "<div id=\"cases\"></div>\n"
    "</div>\n";

enum status transcripts(struct text_buffer *out, const struct report *report,
                        struct error *error)
{
    bool any = false;
    section_open(out, "transcripts", "Transcripts",
                 "The same request, attack and attempt side by side. Harmful requests and "
                 "replies stay folded until you open them.");
    for (size_t run = 0; run < report->count; run++)
        any = any || attempts_stored(&report->runs[run]);
    enum status status = STATUS_OK;
    if (any) {
        text_buffer_append(out, frame);
        status = append_data(out, report, error);
    } else {
        section_not_measured(out, "No attempts are stored beside the summaries.");
    }
    section_close(out);
    return status;
}
