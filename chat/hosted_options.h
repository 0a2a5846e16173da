#ifndef HOLDFAST_CHAT_HOSTED_OPTIONS_H
#define HOLDFAST_CHAT_HOSTED_OPTIONS_H

#include "base/options.h"

/*
 * What a model behind HTTP can be told, the same for every command that talks to one. The
 * key is no option: it comes from the environment alone (OPENAI_API_KEY,
 * ANTHROPIC_API_KEY, or a host's own: service.h), so that no config, manifest or process
 * list holds it.
 *
 * Ceilings hold for one run of the command. A request is only sent if they hold even where
 * its reply is as long as it may be; one whose fate is unknown (a timeout) counts in full.
 */
struct spending;
struct hosted_options {
    int64_t concurrency; /* requests under way at most */
    double timeout_seconds;
    int64_t retries;
    int64_t max_requests;     /* 0: no ceiling */
    int64_t max_total_tokens; /* of prompts and replies; 0: no ceiling */
    double max_cost;          /* in the prices' currency; 0: no ceiling */
    double price_in;          /* a million tokens */
    double price_out;
    bool reasoning;
    bool insecure_http;
    char *cache;              /* folder; NULL: none */
    struct spending *account; /* no option: what several services spend together, for the
                                 ceilings; borrowed; NULL: each alone */
};

/* The rows of an option table; `base` is the offset of the struct in the settings. */
#define HOSTED_OPTION(base, field) ((base) + offsetof(struct hosted_options, field))
#define HOSTED_OPTION_ENTRIES(base)                                                        \
    {"concurrency",                                                                        \
     OPTION_INTEGER,                                                                       \
     HOSTED_OPTION(base, concurrency),                                                     \
     "N",                                                                                  \
     "requests under way at most; fewer while the service is busy",                        \
     "Hosted models"},                                                                     \
        {"timeout",                                                                        \
         OPTION_NUMBER,                                                                    \
         HOSTED_OPTION(base, timeout_seconds),                                             \
         "SECONDS",                                                                        \
         "longest wait for one reply",                                                     \
         NULL},                                                                            \
        {"retries",                                                                        \
         OPTION_INTEGER,                                                                   \
         HOSTED_OPTION(base, retries),                                                     \
         "N",                                                                              \
         "times a failed request is sent again before it counts as an error",              \
         NULL},                                                                            \
        {"max-requests",                                                                   \
         OPTION_INTEGER,                                                                   \
         HOSTED_OPTION(base, max_requests),                                                \
         "N",                                                                              \
         "stop before more requests than this, retries included (0: no ceiling)",          \
         NULL},                                                                            \
        {"max-total-tokens",                                                               \
         OPTION_INTEGER,                                                                   \
         HOSTED_OPTION(base, max_total_tokens),                                            \
         "N",                                                                              \
         "stop before prompts and replies hold more tokens (0: no ceiling)",               \
         NULL},                                                                            \
        {"max-cost",                                                                       \
         OPTION_NUMBER,                                                                    \
         HOSTED_OPTION(base, max_cost),                                                    \
         "X",                                                                              \
         "stop before it costs more (0: no ceiling); needs the prices",                    \
         NULL},                                                                            \
        {"price-in",                                                                       \
         OPTION_NUMBER,                                                                    \
         HOSTED_OPTION(base, price_in),                                                    \
         "X",                                                                              \
         "of a million prompt tokens",                                                     \
         NULL},                                                                            \
        {"price-out",                                                                      \
         OPTION_NUMBER,                                                                    \
         HOSTED_OPTION(base, price_out),                                                   \
         "X",                                                                              \
         "of a million reply tokens",                                                      \
         NULL},                                                                            \
        {"reasoning",                                                                      \
         OPTION_BOOL,                                                                      \
         HOSTED_OPTION(base, reasoning),                                                   \
         NULL,                                                                             \
         "max_completion_tokens, no system role and no sampling settings, as reasoning "   \
         "models want it",                                                                 \
         NULL},                                                                            \
        {"insecure-http",                                                                  \
         OPTION_BOOL,                                                                      \
         HOSTED_OPTION(base, insecure_http),                                               \
         NULL,                                                                             \
         "allow http:// beyond this machine: key and prompts travel in clear",             \
         NULL},                                                                            \
    {                                                                                      \
        "cache", OPTION_STRING, HOSTED_OPTION(base, cache), "DIR",                         \
            "keep every answer there, and pay for none twice", NULL                        \
    }

/* Their names, for options_check_equal() where no model behind HTTP is asked; NULL ends
 * them. */
extern const char *const hosted_option_names[];

void hosted_options_defaults(struct hosted_options *options);
enum status hosted_options_check(const struct hosted_options *options, struct error *error);

#endif
