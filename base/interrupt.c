#include "base/interrupt.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNAL_COUNT = sizeof signals / sizeof *signals, HINT_BYTES = 1024 };

static char hint[HINT_BYTES];
static int depth; /* of commands within commands */

/* Only what a signal handler may call. SA_RESETHAND has put the default back. */
static void on_signal(int number)
{
    const char *next = hint;
    size_t left = strlen(hint);
    while (left > 0) {
        const ssize_t put = write(STDERR_FILENO, next, left);
        if (put <= 0)
            break;
        next += put;
        left -= (size_t)put;
    }
    raise(number);
}

void interrupt_hint(const char *format, ...)
{
    if (depth++ > 0)
        return;
    va_list arguments;
    /* The terminal shows ^C, or a line of progress stands there. */
    int length = snprintf(hint, sizeof hint, "\ninterrupted; ");
    va_start(arguments, format);
    vsnprintf(hint + length, sizeof hint - (size_t)length - 1, format, arguments);
    va_end(arguments);
    strcat(hint, "\n");
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
        struct sigaction before;
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}

void interrupt_clear(void)
{
    if (--depth > 0)
        return;
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        struct sigaction before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == on_signal)
            signal(signals[i], SIG_DFL);
    }
}
