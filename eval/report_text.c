#include "eval/report_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* |tenths| as a decimal with at most one digit after the point. */
static void append_tenths(struct text_buffer *out, long tenths)
{
    if (tenths % 10 == 0)
        text_buffer_appendf(out, "%ld", tenths / 10);
    else
        text_buffer_appendf(out, "%ld.%ld", tenths / 10, tenths % 10);
}

static long tenths_of_percent(double share)
{
    return lround(fabs(share) * 1000);
}

/* A share that is neither nothing nor all is never rounded to either. */
void append_percent(struct text_buffer *out, double share)
{
    const long tenths = tenths_of_percent(share);
    if (tenths == 0 && share > 1e-9) {
        text_buffer_append(out, "<0.1%");
    } else if (tenths == 1000 && share < 1 - 1e-9) {
        text_buffer_append(out, ">99.9%");
    } else {
        append_tenths(out, tenths);
        text_buffer_append_char(out, '%');
    }
}

static void append_signed(struct text_buffer *out, double difference)
{
    const long tenths = tenths_of_percent(difference);
    if (tenths)
        text_buffer_append(out, difference < 0 ? "−" : "+");
    append_tenths(out, tenths);
}

void append_points(struct text_buffer *out, double difference)
{
    append_signed(out, difference);
}

void append_value(struct text_buffer *out, double value, enum report_unit unit)
{
    if (unit == UNIT_PERCENT)
        append_percent(out, value);
    else
        append_points(out, value);
}

void append_interval(struct text_buffer *out, double low, double high,
                     enum report_unit unit)
{
    if (unit == UNIT_PERCENT) {
        append_tenths(out, tenths_of_percent(low));
        text_buffer_append(out, "–");
        append_tenths(out, tenths_of_percent(high));
        text_buffer_append_char(out, '%');
    } else {
        append_signed(out, low);
        text_buffer_append(out, " to ");
        append_signed(out, high);
    }
}

void append_count(struct text_buffer *out, const struct report_rate *rate)
{
    if (rate->hits >= 0 && rate->count >= 0)
        text_buffer_appendf(out, "%" PRId64 " of %" PRId64, rate->hits, rate->count);
    else if (rate->count >= 0)
        text_buffer_appendf(out, "n = %" PRId64, rate->count);
    if (rate->count >= 0 && rate->other_count > 0)
        text_buffer_appendf(out, ", %" PRId64, rate->other_count);
}

void append_rate(struct text_buffer *out, const struct report_rate *rate,
                 enum report_unit unit)
{
    if (!rate->measured) {
        text_buffer_append(out, "not measured");
        return;
    }
    append_value(out, rate->value, unit);
    if (rate->has_interval) {
        text_buffer_append(out, " (");
        append_interval(out, rate->low, rate->high, unit);
        text_buffer_append(out, ")");
    }
    if (rate->count >= 0)
        text_buffer_append(out, ", ");
    append_count(out, rate);
}

void append_coordinate(struct text_buffer *out, double value)
{
    const long tenths = lround(value * 10);
    if (tenths < 0)
        text_buffer_append_char(out, '-');
    append_tenths(out, labs(tenths));
}

static void append_kept(struct text_buffer *out, const char *text, size_t count)
{
    for (size_t at = 0; at < count;) {
        uint32_t c;
        const size_t length = text_utf8_decode(text + at, count - at, &c);
        if (!text_is_hidden(c))
            text_buffer_append_bytes(out, text + at, length);
        at += length;
    }
}

void append_script_string(struct text_buffer *out, const char *text)
{
    struct text_buffer kept = {0}, quoted = {0};
    append_kept(&kept, text, strlen(text));
    text_buffer_append_json(&quoted, text_buffer_string(&kept), kept.length);
    const char *rest = text_buffer_string(&quoted);
    for (const char *sign; (sign = strchr(rest, '<')); rest = sign + 1) {
        text_buffer_append_bytes(out, rest, (size_t)(sign - rest));
        text_buffer_append(out, "\\u003c");
    }
    text_buffer_append(out, rest);
    text_buffer_release(&quoted);
    text_buffer_release(&kept);
}

const char *attack_words(const char *attack)
{
    if (!strcmp(attack, "none"))
        return "plain";
    if (!strcmp(attack, "past"))
        return "past tense";
    return strcmp(attack, "future") ? attack : "future tense";
}

void append_attack_title(struct text_buffer *out, const char *attack)
{
    char words[128] = {0};
    strncpy(words, attack_words(attack), sizeof words - 1);
    if (words[0] >= 'a' && words[0] <= 'z')
        words[0] = (char)(words[0] - 'a' + 'A');
    text_buffer_append_html(out, words);
}

int64_t text_characters(const char *text)
{
    int64_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}
