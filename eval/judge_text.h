#ifndef HOLDFAST_EVAL_JUDGE_TEXT_H
#define HOLDFAST_EVAL_JUDGE_TEXT_H

#include "base/text_buffer.h"

#include <stddef.h>

/*
 * Text of a stranger, made harmless for the prompt of a judge (judge_prompt.h says how):
 * no '<', no control, invisible or direction-changing character; lines end with a line
 * feed. Of more than `limit_bytes` the middle is left out, with a line that says how much.
 */
void judge_text_clean(const char *text, size_t limit_bytes, struct text_buffer *out);

/* A line without the blanks around it, borrowed. */
struct text_line {
    const char *bytes;
    size_t count;
};
struct text_line text_line_trimmed(const char *bytes, size_t count);

/* The last line that holds more than blanks; its count is 0 if there is none. */
struct text_line text_last_line(const char *text);

#endif
