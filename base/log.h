#ifndef HOLDFAST_BASE_LOG_H
#define HOLDFAST_BASE_LOG_H

#include "base/text_buffer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Words for people, on stderr; stdout is for data only. Colour only on a terminal and
 * only without NO_COLOR.
 */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_quiet(bool quiet); /* --quiet: only warnings and errors */

/*
 * Progress with time left. Live (rewritten in place, at most ten times a second) on a
 * terminal; elsewhere a plain line at most every 10 seconds, and a last one.
 *
 *     struct progress progress;
 *     progress_begin(&progress, "train", first_step, total_steps);
 *     progress_update(&progress, step, "loss %.3f", loss);
 *     progress_end(&progress);
 */
enum { PROGRESS_LINE_BYTES = 1024 };
struct progress {
    const char *what;
    int64_t total;
    int64_t first; /* value at begin, for resumed work */
    double start_seconds;
    double last_seconds;
    bool live;
    bool shown;                     /* `line` is on the screen */
    char line[PROGRESS_LINE_BYTES]; /* the last update, for progress_end() */
};
void progress_begin(struct progress *progress, const char *what, int64_t first,
                    int64_t total);
void progress_update(struct progress *progress, int64_t done, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void progress_end(struct progress *progress);

/* "train 30/100 30%, 2m05s left": what an update shows before its own words. */
void progress_describe(struct text_buffer *out, const struct progress *progress,
                       int64_t done, double now_seconds);

double clock_seconds(void); /* monotonic */

#endif
