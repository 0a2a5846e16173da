#ifndef HOLDFAST_EVAL_JUDGE_PRICES_H
#define HOLDFAST_EVAL_JUDGE_PRICES_H

#include "chat/hosted_options.h"
#include "eval/judge_options.h"

/*
 * What a million tokens of one hosted judge costs: what --judge-price NAME=IN:OUT says of
 * it, else --judge-price-in and --judge-price-out, NaN where nobody says.
 */
struct judge_prices {
    double in;
    double out;
};
struct judge_prices judge_prices_of(const struct judge_options *options, const char *name);

/* Every NAME=IN:OUT is well formed, and NAME is one of the judges, once. */
enum status judge_prices_check(const struct judge_options *options,
                               const char *const *names, size_t count, struct error *error);

/* Prices with which a ceiling on cost means something where the target has none of its own:
 * those of a judge that costs something. Others are left as they are. */
void judge_prices_stand_in(struct hosted_options *hosted,
                           const struct judge_options *options);

#endif
