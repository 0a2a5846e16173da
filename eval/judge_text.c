#include "eval/judge_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool is_line_end(uint32_t c)
{
    return c == '\n' || c == '\v' || c == '\f' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Characters that nobody sees: they hide words from a reader, or put others in their place.
 * U+E0000 to U+E007F are a second, invisible ASCII. */
static bool is_hidden(uint32_t c)
{
    return (c < ' ' && c != '\t') || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
           (c >= 0xE0000 && c <= 0xE0FFF);
}

/* Turn marks of models that have them as letters, not as one token of "<|…|>". */
static size_t turn_mark_bytes(const char *text, size_t count)
{
    static const char *const marks[] = {"[INST]", "[/INST]"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (count >= strlen(marks[i]) && memcmp(text, marks[i], strlen(marks[i])) == 0)
            return strlen(marks[i]);
    return 0;
}

static void character_append(struct text_buffer *out, const char *bytes, size_t count,
                             uint32_t c)
{
    if (is_line_end(c))
        text_buffer_append_char(out, '\n');
    else if (c == '<')
        text_buffer_append(out, "\xE2\x80\xB9");
    else if (c == UINT32_MAX)
        text_buffer_append(out, "\xEF\xBF\xBD");
    else if (!is_hidden(c))
        text_buffer_append_bytes(out, bytes, count);
}

/* CR LF is one line end, CR alone another. */
static void characters_append(struct text_buffer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count;) {
        uint32_t c;
        const size_t bytes = text_utf8_decode(text + i, count - i, &c);
        if (c == '\r' && (i + 1 == count || text[i + 1] != '\n'))
            text_buffer_append_char(out, '\n');
        else if (c != '\r')
            character_append(out, text + i, bytes, c);
        i += bytes;
    }
}

/* After hidden characters are gone, so that none of them can take a mark apart. */
static void turn_marks_break(struct text_buffer *text, struct text_buffer *out)
{
    for (size_t i = 0; i < text->length;) {
        const size_t mark = turn_mark_bytes(text->data + i, text->length - i);
        text_buffer_append_char(out, text->data[i]);
        if (mark) {
            text_buffer_append_char(out, ' ');
            text_buffer_append_bytes(out, text->data + i + 1, mark - 1);
        }
        i += mark ? mark : 1;
    }
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

void judge_text_clean(const char *text, size_t limit_bytes, struct text_buffer *out)
{
    const size_t count = strlen(text);
    struct text_buffer clean = {0};
    size_t head = count;
    size_t tail = count;
    if (count > limit_bytes) { /* more of the beginning, and no half characters */
        head = limit_bytes - limit_bytes / 4;
        tail = count - limit_bytes / 4;
        while (head > 0 && is_continuation(text[head]))
            head--;
        while (tail < count && is_continuation(text[tail]))
            tail++;
    }
    characters_append(&clean, text, head);
    if (tail > head)
        text_buffer_appendf(&clean, "\n[%zu bytes are left out here]\n", tail - head);
    characters_append(&clean, text + tail, count - tail);
    turn_marks_break(&clean, out);
    text_buffer_release(&clean);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text_line text_line_trimmed(const char *bytes, size_t count)
{
    while (count > 0 && is_blank(bytes[count - 1]))
        count--;
    while (count > 0 && is_blank(*bytes)) {
        bytes++;
        count--;
    }
    return (struct text_line){bytes, count};
}

struct text_line text_last_line(const char *text)
{
    size_t end = strlen(text);
    while (end > 0 && is_blank(text[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '\n' && text[start - 1] != '\r')
        start--;
    return text_line_trimmed(text + start, end - start);
}
