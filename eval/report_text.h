#ifndef HOLDFAST_EVAL_REPORT_TEXT_H
#define HOLDFAST_EVAL_REPORT_TEXT_H

#include "base/text_buffer.h"
#include "eval/report_data.h"

/*
 * How the report writes numbers and foreign text. Nothing here depends on the locale.
 *
 *     percent    0.731 -> 73.1%    0.84 -> 84%    0.0001 -> <0.1%
 *     points     0.231 -> +23.1    -0.04 -> −4     (hundredths, for differences)
 *     interval   73.1, 80.7 -> 63.6–80.7%
 */
enum report_unit { UNIT_PERCENT, UNIT_POINTS };

void append_percent(struct text_buffer *out, double share);
void append_points(struct text_buffer *out, double difference);
void append_value(struct text_buffer *out, double value, enum report_unit unit);
void append_interval(struct text_buffer *out, double low, double high,
                     enum report_unit unit);

/* "84% (75.6–89.9%), 84 of 100", or "not measured". */
void append_rate(struct text_buffer *out, const struct report_rate *rate,
                 enum report_unit unit);
/* "84 of 100", "n = 100" where the hits are unknown, or nothing. */
void append_count(struct text_buffer *out, const struct report_rate *rate);

/* One decimal at most, '.' in any locale: SVG coordinates. */
void append_coordinate(struct text_buffer *out, double value);

/*
 * A JSON string that may stand in a <script type="application/json"> element: control
 * characters other than line feed and tab are dropped, as are the ones that turn the
 * direction of what follows them, and no '<' is left.
 */
void append_script_string(struct text_buffer *out, const char *text);

/* What people call an attack: "none" is "plain", "past" is "past tense". */
const char *attack_words(const char *attack);
/* As attack_words(), with a capital. */
void append_attack_title(struct text_buffer *out, const char *attack);

int64_t text_characters(const char *text); /* code points */

#endif
