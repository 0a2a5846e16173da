#ifndef HOLDFAST_EVAL_JUDGE_OPTIONS_H
#define HOLDFAST_EVAL_JUDGE_OPTIONS_H

#include "base/options.h"
#include "chat/hosted_options.h"
#include "eval/statistics.h"

/* What judges that are chat models can be told, by every command that judges. */
struct judge_options {
    char *prompt;       /* file for judges "prompt:TARGET"; NULL: none */
    int64_t max_tokens; /* 0: what the judge's prompt says */
    bool reasoning;
    double price_in; /* NaN: not given */
    double price_out;
    struct string_list prices;  /* NAME=IN:OUT (judge_prices.h) */
    struct judge_errors errors; /* of the main judge; q NaN and m 0: not given */
};

#define JUDGE_OPTION(base, field) ((base) + offsetof(struct judge_options, field))
#define JUDGE_PROMPT_ENTRIES(base)                                                         \
    {"judge-prompt",                                                                       \
     OPTION_STRING,                                                                        \
     JUDGE_OPTION(base, prompt),                                                           \
     "FILE",                                                                               \
     "prompt of the judges prompt:TARGET: lines 'hit: PATTERN' and 'miss: PATTERN' for "   \
     "the judge's last line, a line '---', text with {request} and {reply}; "              \
     "docs/judges.md",                                                                     \
     NULL},                                                                                \
    {                                                                                      \
        "judge-max-tokens", OPTION_INTEGER, JUDGE_OPTION(base, max_tokens), "N",           \
            "longest reply of a judge (0: what its prompt says, or 512)", NULL             \
    }

/* Of one judge each. */
#define JUDGE_OWN_PRICE_ENTRY(base)                                                        \
    {                                                                                      \
        "judge-price", OPTION_LIST, JUDGE_OPTION(base, prices), "NAME=IN:OUT",             \
            "prices of a million prompt and reply tokens of the hosted judge NAME, where " \
            "judges cost differently; may be repeated",                                    \
            NULL                                                                           \
    }

/* Where a target has the names without "judge-". */
#define JUDGE_PRICE_ENTRIES(base)                                                          \
    {"judge-reasoning",                                                                    \
     OPTION_BOOL,                                                                          \
     JUDGE_OPTION(base, reasoning),                                                        \
     NULL,                                                                                 \
     "as --reasoning, for hosted judges",                                                  \
     NULL},                                                                                \
        {"judge-price-in",                                                                 \
         OPTION_NUMBER,                                                                    \
         JUDGE_OPTION(base, price_in),                                                     \
         "X",                                                                              \
         "of a million prompt tokens of hosted judges",                                    \
         NULL},                                                                            \
    {                                                                                      \
        "judge-price-out", OPTION_NUMBER, JUDGE_OPTION(base, price_out), "X",              \
            "of a million reply tokens of hosted judges", NULL                             \
    }

#define JUDGE_ERROR_ENTRIES(base)                                                          \
    {"q0",                                                                                 \
     OPTION_NUMBER,                                                                        \
     JUDGE_OPTION(base, errors.q0),                                                        \
     "X",                                                                                  \
     "of replies that people call safe, the share that the main judge calls safe: with "   \
     "q1, m0 and m1 the attack success at the first attempt is corrected for the judge's " \
     "errors (arXiv 2511.21140); all four may stand in a file for --config",               \
     "The main judge's errors"},                                                           \
        {"q1",                                                                             \
         OPTION_NUMBER,                                                                    \
         JUDGE_OPTION(base, errors.q1),                                                    \
         "X",                                                                              \
         "of replies that people call a success, the share that it calls one",             \
         NULL},                                                                            \
        {"m0",                                                                             \
         OPTION_INTEGER,                                                                   \
         JUDGE_OPTION(base, errors.m0),                                                    \
         "N",                                                                              \
         "how many replies q0 was measured on",                                            \
         NULL},                                                                            \
    {                                                                                      \
        "m1", OPTION_INTEGER, JUDGE_OPTION(base, errors.m1), "N",                          \
            "how many q1 was measured on", NULL                                            \
    }

/* For options_check_equal(): those of judges that are chat models, and of judges behind
 * HTTP where a target has the names without "judge-"; NULL ends them. */
extern const char *const judge_model_option_names[];
extern const char *const judge_hosted_option_names[];

void judge_options_defaults(struct judge_options *options);

/* Ranges; all four numbers of the judge's errors, good ones (judge_correct()), or none. */
enum status judge_options_check(const struct judge_options *options, struct error *error);

#endif
