#include "eval/gate.h"

#include "base/file.h"

#include <math.h>
#include <string.h>

/* Text for an attribute: XML 1.0 allows neither control characters nor U+FFFE, U+FFFF. */
static void append_xml(struct text_buffer *out, const char *text)
{
    struct text_buffer allowed = {0};
    const size_t count = strlen(text);
    for (size_t at = 0; at < count;) {
        uint32_t c;
        const size_t length = text_utf8_decode(text + at, count - at, &c);
        if (c == '\n' || c == '\t')
            text_buffer_append_char(&allowed, ' '); /* as a reader would take it */
        else if (c == 0xfffe || c == 0xffff)
            text_buffer_append(&allowed, "\xef\xbf\xbd");
        else
            text_buffer_append_bytes(&allowed, text + at, length);
        at += length;
    }
    text_buffer_append_html(out, text_buffer_string(&allowed));
    text_buffer_release(&allowed);
}

/* What a suite says of its cases, before it names them. */
struct junit {
    struct text_buffer cases;
    int tests;
    int failures;
    int errors;
};

/* `message` is NULL where the case passed. */
static void case_add(struct junit *junit, const char *name, bool is_failure,
                     const char *message)
{
    struct text_buffer *out = &junit->cases;
    junit->tests++;
    text_buffer_append(out, "  <testcase classname=\"holdfast\" name=\"");
    append_xml(out, name);
    text_buffer_append(out, "\"");
    if (message) {
        *(is_failure ? &junit->failures : &junit->errors) += 1;
        text_buffer_appendf(out, "><%s message=\"", is_failure ? "failure" : "error");
        append_xml(out, message);
        text_buffer_append(out, "\"/></testcase>\n");
    } else {
        text_buffer_append(out, "/>\n");
    }
}

static void gate_add(struct junit *junit, const char *gate, const struct summary *summary)
{
    double value;
    struct text_buffer name = {0};
    struct text_buffer message = {0};
    const enum gate_result result = gate_judge(gate, summary, &value);
    text_buffer_appendf(&name, "fail-if %s", gate);
    text_buffer_appendf(&message, "it is %.4f", value);
    case_add(junit, text_buffer_string(&name), result == GATE_BROKEN,
             result == GATE_HOLDS    ? NULL
             : result == GATE_BROKEN ? text_buffer_string(&message)
                                     : "not measured");
    text_buffer_release(&message);
    text_buffer_release(&name);
}

void gates_print_junit(const struct string_list *gates, const struct summary *summary,
                       const char *unscored, struct text_buffer *out)
{
    struct junit junit = {0};
    case_add(&junit, "scored", false, unscored);
    for (size_t i = 0; i < gates->count; i++)
        gate_add(&junit, gates->items[i], summary);
    text_buffer_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                            " <testsuite name=\"");
    append_xml(out, summary->model);
    text_buffer_appendf(out, "\" tests=\"%d\" failures=\"%d\" errors=\"%d\">\n%s",
                        junit.tests, junit.failures, junit.errors,
                        text_buffer_string(&junit.cases));
    text_buffer_append(out, " </testsuite>\n</testsuites>\n");
    text_buffer_release(&junit.cases);
}

enum status gates_conclude(const struct string_list *gates, const struct summary *summary,
                           const char *junit, const char *unscored, struct error *error)
{
    if (junit) {
        struct text_buffer xml = {0};
        gates_print_junit(gates, summary, unscored, &xml);
        const enum status status = file_write_all(junit, xml.data, xml.length, error);
        text_buffer_release(&xml);
        if (status)
            return status;
    }
    if (unscored)
        return error_set(error, STATUS_UNMEASURED, "%s", unscored);
    return gates_check(gates, summary, error);
}
