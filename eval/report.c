#include "eval/report.h"

#include "base/file.h"
#include "eval/report_chart.h"
#include "eval/report_data.h"
#include "eval/report_page.h"
#include "eval/report_style.h"

#include <string.h>

static void append_pieces(struct text_buffer *out, const char *const *pieces)
{
    for (; *pieces; pieces++)
        text_buffer_append(out, *pieces);
}

static unsigned hex_digit(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* 'sha256-…' of the joined pieces, in base64, as Content-Security-Policy wants it. */
static void append_hash_source(struct text_buffer *out, const char *const *pieces)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { HASH_BYTES = (SHA256_HEX_BYTES - 1) / 2 };
    char hex[SHA256_HEX_BYTES];
    unsigned char hash[HASH_BYTES + 1] = {0}; /* a multiple of three */
    struct text_buffer text = {0};
    append_pieces(&text, pieces);
    bytes_sha256(hex, text_buffer_string(&text), text.length);
    text_buffer_release(&text);
    for (size_t i = 0; i < HASH_BYTES; i++)
        hash[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    text_buffer_append(out, "'sha256-");
    for (size_t i = 0; i < sizeof hash; i += 3) {
        const unsigned bits =
            (unsigned)hash[i] << 16 | (unsigned)hash[i + 1] << 8 | hash[i + 2];
        for (int shift = 18; shift >= (i + 3 == sizeof hash ? 6 : 0); shift -= 6)
            text_buffer_append_char(out, digits[bits >> shift & 63]);
    }
    text_buffer_append(out, "='");
}

/* Nothing may be fetched, and no script or style but the page's own may run. */
static void append_head(struct text_buffer *out, const struct report *report)
{
    text_buffer_append(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                            "<meta charset=\"utf-8\">\n"
                            "<meta http-equiv=\"Content-Security-Policy\" "
                            "content=\"default-src 'none'; style-src ");
    append_hash_source(out, report_style);
    text_buffer_append(out, "; script-src ");
    append_hash_source(out, report_script);
    text_buffer_append(out, "; base-uri 'none'; form-action 'none'\">\n"
                            "<meta name=\"viewport\" content=\"width=device-width, "
                            "initial-scale=1\">\n"
                            "<meta name=\"referrer\" content=\"no-referrer\">\n"
                            "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    headline_text(out, report);
    text_buffer_append(out, " · holdfast</title>\n<style>");
    append_pieces(out, report_style);
    text_buffer_append(out, "</style>\n</head>\n");
}

static enum status append_page(struct text_buffer *out, const struct report *report,
                               struct error *error)
{
    append_head(out, report);
    text_buffer_append(out, "<body>\n<main>\n");
    headline(out, report);
    chart_tense(out, report);
    chart_paired(out, report);
    chart_tradeoff(out, report);
    chart_discrimination(out, report);
    chart_refusal(out, report);
    chart_attempts(out, report);
    chart_category(out, report);
    chart_outcome(out, report);
    chart_agreement(out, report);
    table_leakage(out, report);
    const enum status status = transcripts(out, report, error);
    manifests(out, report);
    text_buffer_append(out, "</main>\n<script>");
    append_pieces(out, report_script);
    text_buffer_append(out, "</script>\n</body>\n</html>\n");
    return status;
}

enum status report_write(const char *const *runs, size_t count, const char *path,
                         struct error *error)
{
    struct report report;
    struct text_buffer page = {0};
    if (report_open(&report, runs, count, error))
        return error->status;
    enum status status = append_page(&page, &report, error);
    if (!status)
        status = file_write_all(path, page.data, page.length, error);
    text_buffer_release(&page);
    report_close(&report);
    return status;
}
