#ifndef HOLDFAST_TESTS_BROWSER_H
#define HOLDFAST_TESTS_BROWSER_H

#include "base/error.h"
#include "base/json.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * A headless Chromium that a test drives over the DevTools protocol, through a pair of
 * pipes (--remote-debugging-pipe): messages are JSON, each ended by a zero byte. No port is
 * opened. What the page does meanwhile is counted:
 *
 *     complaints   exceptions, console errors, broken Content-Security-Policy, dialogs
 *     requests     URLs that were asked for, the page's own file excepted
 *
 * Source: chromedevtools.github.io/devtools-protocol.
 */
struct browser {
    pid_t process;
    int input;  /* to the browser */
    int output; /* from it */
    char *profile;
    char *session;
    int64_t last_id;
    bool loaded;
    struct text_buffer bytes;      /* read and not yet taken */
    struct text_buffer complaints; /* a line each */
    struct text_buffer requests;   /* a line each */
};

/* The chromium of this machine, or NULL; to be freed. $CHROMIUM goes before PATH. */
char *browser_find(void);

/* On an error nothing is left to close. */
enum status browser_open(struct browser *browser, const char *program, struct error *error);
void browser_close(struct browser *browser);

/* The result of a method, to be freed; `parameters` is taken over (NULL: none). A method
 * that fails or takes longer than a minute ends the test. */
cJSON *browser_call(struct browser *browser, const char *method, cJSON *parameters);

/* Opens a file and waits for its load event; complaints and requests are forgotten. */
void browser_visit(struct browser *browser, const char *path);

/* What an expression of JavaScript gives (a promise is awaited), to be freed. */
cJSON *browser_evaluate(struct browser *browser, const char *expression);
double browser_number(struct browser *browser, const char *expression);
bool browser_truth(struct browser *browser, const char *expression);
char *browser_string(struct browser *browser, const char *expression);

/* A viewport in CSS pixels; "light" or "dark", of "screen" or "print". */
void browser_viewport(struct browser *browser, int width, int height);
void browser_media(struct browser *browser, const char *media, const char *scheme);

/* Bytes of the page as PDF; a picture of the whole page (PNG) into a file. */
void browser_print(struct browser *browser, struct text_buffer *pdf);
void browser_picture(struct browser *browser, const char *path);

#endif
