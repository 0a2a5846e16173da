#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Drops a character that vsnprintf() cut in the middle. */
static void cut_at_character(char *message)
{
    size_t end = strlen(message);
    size_t start = end;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    const unsigned char lead = (unsigned char)message[start - 1];
    const size_t expected = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (end - (start - 1) < expected)
        message[start - 1] = '\0';
}

/* Appends at `*length`, which stays at most ERROR_MESSAGE_BYTES - 1. */
static void append_v(char *message, size_t *length, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void append_v(char *message, size_t *length, const char *format, va_list arguments)
{
    const size_t room = ERROR_MESSAGE_BYTES - *length;
    const int wanted = vsnprintf(message + *length, room, format, arguments);
    if (wanted < 0)
        message[*length] = '\0';
    else if ((size_t)wanted >= room)
        cut_at_character(message);
    *length += strlen(message + *length);
}

static void append(char *message, size_t *length, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void append(char *message, size_t *length, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_v(message, length, format, arguments);
    va_end(arguments);
}

/* All messages are built aside first: an argument may be error->message itself. */
static void store(struct error *error, enum status status, const char *message)
{
    error->status = status;
    memcpy(error->message, message, strlen(message) + 1);
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    if (!error)
        return status;
    char message[ERROR_MESSAGE_BYTES];
    size_t length = 0;
    va_list arguments;
    va_start(arguments, format);
    append_v(message, &length, format, arguments);
    va_end(arguments);
    store(error, status, message);
    return status;
}

/* What to do about an error of the system whose own words do not say it. */
static const char *errno_remedy(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return "; free some space there and try again";
    case EFBIG:
        return "; raise `ulimit -f`, or write to another file system";
    case EMFILE:
        return "; raise `ulimit -n`";
    case EROFS:
        return "; write somewhere else";
    default:
        return "";
    }
}

enum status error_set_errno(struct error *error, int errno_value, const char *format, ...)
{
    const enum status status = STATUS_IO;
    if (!error)
        return status;
    char message[ERROR_MESSAGE_BYTES];
    char text[128];
    size_t length = 0;
    va_list arguments;
    va_start(arguments, format);
    append_v(message, &length, format, arguments);
    va_end(arguments);
    append(message, &length, ": %s%s", strerror_r(errno_value, text, sizeof text),
           errno_remedy(errno_value));
    store(error, status, message);
    return status;
}

enum status error_prefix(struct error *error, const char *format, ...)
{
    if (!error)
        return STATUS_IO;
    char message[ERROR_MESSAGE_BYTES];
    size_t length = 0;
    va_list arguments;
    va_start(arguments, format);
    append_v(message, &length, format, arguments);
    va_end(arguments);
    append(message, &length, ": %s", error->message);
    store(error, error->status, message);
    return error->status;
}

const char *status_words(enum status status)
{
    static const char *const words[] = {
#define STATUS_WORDS(name, text) [STATUS_##name] = text,
        STATUS_LIST(STATUS_WORDS)
#undef STATUS_WORDS
    };
    const size_t index = (size_t)status;
    return index < sizeof words / sizeof *words ? words[index] : "unknown status";
}

int status_exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_USAGE:
        return 2;
    case STATUS_UNMEASURED:
        return 3;
    case STATUS_GATE:
        return 100;
    default:
        return 1;
    }
}

void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: bug in holdfast: CHECK(%s) failed\n", file, line, expression);
    abort();
}
