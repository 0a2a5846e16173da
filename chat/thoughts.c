#include "chat/thoughts.h"

#include "base/text_buffer.h"

#include <string.h>

static const struct {
    const char *begin;
    const char *end;
} tags[] = {
    {"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"[THINK]", "[/THINK]"}};

static const char blanks[] = " \t\r\n";

/* Behind an end tag without a beginning; NULL: there is none. */
static const char *after_bare_end(const char *text, const char *begin, const char *end)
{
    const char *at = strstr(text, end);
    const char *opened = strstr(text, begin);
    if (!at || (opened && opened < at))
        return NULL;
    const char *after = at + strlen(end);
    const char *rest = after + strspn(after, " \t\r");
    return *rest == '\n' || *rest == '\0' ? after : NULL;
}

const char *reply_after_thoughts(const char *text)
{
    const char *start = text + strspn(text, blanks);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        const bool opened = text_starts_with(start, tags[i].begin);
        const char *end = opened ? strstr(start, tags[i].end) : NULL;
        const char *reply = opened
                                ? (end ? end + strlen(tags[i].end) : start + strlen(start))
                                : after_bare_end(start, tags[i].begin, tags[i].end);
        if (reply)
            return reply + strspn(reply, blanks);
    }
    return text;
}

const char *thoughts_opened_by(const char *prompt)
{
    size_t count = strlen(prompt);
    while (count > 0 && strchr(blanks, prompt[count - 1]))
        count--;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        const size_t bytes = strlen(tags[i].begin);
        if (count >= bytes && memcmp(prompt + count - bytes, tags[i].begin, bytes) == 0)
            return tags[i].begin;
    }
    return NULL;
}
