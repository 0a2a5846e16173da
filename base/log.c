#include "base/log.h"

#include "base/text_buffer.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double live_interval_seconds = 0.1;
static const double plain_interval_seconds = 10.0;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_quiet;
static bool live_line_shown; /* the cursor stands behind a progress line */

double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void log_quiet(bool quiet)
{
    is_quiet = quiet;
}

static bool is_terminal(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* https://no-color.org: any value but the empty one forbids colour. */
static bool is_coloured(void)
{
    const char *no_color = getenv("NO_COLOR");
    return is_terminal() && !(no_color && *no_color);
}

static size_t terminal_columns(void)
{
    enum { USUAL = 80 };
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return USUAL;
}

/* One write for a whole line, so that lines of several processes do not mix. */
static void write_line(const char *prefix, const char *colour, const char *format,
                       va_list arguments) __attribute__((format(printf, 3, 0)));
static void write_line(const char *prefix, const char *colour, const char *format,
                       va_list arguments)
{
    struct text_buffer line = {0};
    const bool coloured = *prefix && is_coloured();
    text_buffer_appendf(&line, "%s%s%s", coloured ? colour : "", prefix,
                        coloured ? "\033[0m" : "");
    text_buffer_append_v(&line, format, arguments);
    text_buffer_append_char(&line, '\n');
    pthread_mutex_lock(&lock);
    if (live_line_shown)
        fputs("\r\033[K", stderr);
    live_line_shown = false;
    fwrite(line.data, 1, line.length, stderr);
    pthread_mutex_unlock(&lock);
    text_buffer_release(&line);
}

void log_info(const char *format, ...)
{
    va_list arguments;
    if (is_quiet)
        return;
    va_start(arguments, format);
    write_line("", "", format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line("warning: ", "\033[33m", format, arguments);
    va_end(arguments);
}

void log_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line("error: ", "\033[1;31m", format, arguments);
    va_end(arguments);
}

void progress_begin(struct progress *progress, const char *what, int64_t first,
                    int64_t total)
{
    *progress = (struct progress){
        .what = what,
        .total = total,
        .first = first,
        .start_seconds = clock_seconds(),
        .live = is_terminal(),
    };
}

/* "42s", "3m05s", "2h07m", "4d03h": two units are enough. */
static void append_duration(struct text_buffer *out, double seconds)
{
    const long long whole = seconds < 1e12 ? (long long)(seconds + 0.5) : 0;
    if (whole < 60)
        text_buffer_appendf(out, "%llds", whole);
    else if (whole < 3600)
        text_buffer_appendf(out, "%lldm%02llds", whole / 60, whole % 60);
    else if (whole < 86400)
        text_buffer_appendf(out, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
    else
        text_buffer_appendf(out, "%lldd%02lldh", whole / 86400, whole / 3600 % 24);
}

/* Done so far in this run tells the speed; what was done before it (resume) does not. */
static void append_time_left(struct text_buffer *out, const struct progress *progress,
                             int64_t done, double now)
{
    const double elapsed = now - progress->start_seconds;
    const double speed = (double)(done - progress->first) / (elapsed > 0 ? elapsed : 1e-9);
    if (done >= progress->total) {
        text_buffer_append(out, ", took ");
        append_duration(out, elapsed);
    } else if (speed > 0) {
        text_buffer_append(out, ", ");
        append_duration(out, (double)(progress->total - done) / speed);
        text_buffer_append(out, " left");
    }
}

void progress_describe(struct text_buffer *out, const struct progress *progress,
                       int64_t done, double now_seconds)
{
    text_buffer_appendf(out, "%s %lld", progress->what, (long long)done);
    if (progress->total <= 0)
        return;
    const double percent = floor(100.0 * (double)done / (double)progress->total);
    text_buffer_appendf(out, "/%lld %.0f%%", (long long)progress->total, percent);
    append_time_left(out, progress, done, now_seconds);
}

/* Cuts to `columns` characters, so that a live line never wraps. */
static void cut(struct text_buffer *line, size_t columns)
{
    size_t at = 0;
    uint32_t ignored;
    for (size_t i = 0; i < columns && at < line->length; i++)
        at += text_utf8_decode(line->data + at, line->length - at, &ignored);
    if (at < line->length)
        line->data[line->length = at] = '\0';
}

static void show(struct progress *progress, double now)
{
    pthread_mutex_lock(&lock);
    if (progress->live)
        fprintf(stderr, "\r\033[K%s", progress->line);
    else
        fprintf(stderr, "%s\n", progress->line);
    live_line_shown = progress->live;
    pthread_mutex_unlock(&lock);
    progress->last_seconds = now;
    progress->shown = true;
}

void progress_update(struct progress *progress, int64_t done, const char *format, ...)
{
    const double now = clock_seconds();
    const double interval = progress->live ? live_interval_seconds : plain_interval_seconds;
    struct text_buffer line = {0};
    va_list arguments;
    if (is_quiet)
        return;
    progress_describe(&line, progress, done, now);
    const size_t described = line.length;
    text_buffer_append(&line, "  ");
    va_start(arguments, format);
    text_buffer_append_v(&line, format, arguments);
    va_end(arguments);
    if (line.length == described + 2) /* no words of its own */
        cut(&line, described);
    cut(&line, progress->live ? terminal_columns() - 1 : PROGRESS_LINE_BYTES / 4 - 1);
    snprintf(progress->line, sizeof progress->line, "%s", line.data);
    text_buffer_release(&line);
    progress->shown = false;
    if (progress->last_seconds <= 0 || now - progress->last_seconds >= interval)
        show(progress, now);
}

void progress_end(struct progress *progress)
{
    if (is_quiet || progress->line[0] == '\0')
        return;
    if (!progress->shown)
        show(progress, clock_seconds());
    pthread_mutex_lock(&lock);
    if (live_line_shown)
        fputc('\n', stderr);
    live_line_shown = false;
    pthread_mutex_unlock(&lock);
    progress->line[0] = '\0';
}
