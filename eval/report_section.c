/* Sections and tables: what the report's figures share besides drawing. */

#include "eval/report_chart.h"

#include <inttypes.h>

void section_open(struct text_buffer *out, const char *id, const char *title,
                  const char *note)
{
    text_buffer_appendf(out,
                        "<section class=\"figure\" aria-labelledby=\"%s-h\">\n"
                        "<h2 id=\"%s-h\">%s</h2>\n<p class=\"note\">%s</p>\n",
                        id, id, title, note);
}

void section_close(struct text_buffer *out)
{
    text_buffer_append(out, "</section>\n");
}

void section_not_measured(struct text_buffer *out, const char *why)
{
    text_buffer_append(out, "<p class=\"missing\"><strong>Not measured.</strong> ");
    text_buffer_append_html(out, why);
    text_buffer_append(out, "</p>\n");
}

void table_open(struct text_buffer *out, const char *summary, const char *first_heading)
{
    text_buffer_append(out, "<details class=\"data\"><summary>");
    text_buffer_append_html(out, summary);
    text_buffer_append(out, "</summary><div class=\"scroll\"><table><thead><tr>");
    table_heading(out, first_heading);
}

void table_heading(struct text_buffer *out, const char *heading)
{
    text_buffer_append(out, "<th scope=\"col\">");
    text_buffer_append_html(out, heading);
    text_buffer_append(out, "</th>");
}

void table_body(struct text_buffer *out)
{
    text_buffer_append(out, "</tr></thead><tbody>");
}

/* The end tag of a table row may be left out in HTML. */
void table_row(struct text_buffer *out, const char *heading)
{
    text_buffer_append(out, "\n<tr><th scope=\"row\">");
    text_buffer_append_html(out, heading);
    text_buffer_append(out, "</th>");
}

void table_cell(struct text_buffer *out, const char *text)
{
    text_buffer_append(out, "<td>");
    text_buffer_append_html(out, text);
    text_buffer_append(out, "</td>");
}

void table_rate(struct text_buffer *out, const struct report_rate *rate,
                enum report_unit unit)
{
    text_buffer_append(out, "<td>");
    append_rate(out, rate, unit);
    text_buffer_append(out, "</td>");
}

void table_integer(struct text_buffer *out, int64_t value)
{
    if (value < 0)
        table_cell(out, "not measured");
    else
        text_buffer_appendf(out, "<td>%" PRId64 "</td>", value);
}

void table_close(struct text_buffer *out)
{
    text_buffer_append(out, "</tbody></table></div></details>\n");
}
