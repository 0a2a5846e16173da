#include "eval/judge_options.h"

#include <math.h>

const char *const judge_model_option_names[] = {"judge-max-tokens", NULL};
const char *const judge_hosted_option_names[] = {"judge-reasoning", "judge-price-in",
                                                 "judge-price-out", NULL};

void judge_options_defaults(struct judge_options *options)
{
    const double unknown = (double)NAN;
    *options = (struct judge_options){.price_in = unknown,
                                      .price_out = unknown,
                                      .errors = {.q0 = unknown, .q1 = unknown}};
}

static enum status errors_check(const struct judge_errors *errors, struct error *error)
{
    struct corrected_rate corrected;
    const int given =
        !isnan(errors->q0) + !isnan(errors->q1) + (errors->m0 != 0) + (errors->m1 != 0);
    if (given == 0)
        return STATUS_OK;
    if (given < 4)
        return error_set(error, STATUS_USAGE,
                         "--q0, --q1, --m0 and --m1 are needed together: the judge's "
                         "errors and the numbers of replies they were measured on");
    return judge_correct(&corrected, (double)NAN, 0, errors, error);
}

static bool is_price(double value)
{
    return isnan(value) || (isfinite(value) && value >= 0);
}

enum status judge_options_check(const struct judge_options *options, struct error *error)
{
    enum { TOKENS_LIMIT = 1 << 20 };
    if (options->max_tokens < 0 || options->max_tokens > TOKENS_LIMIT)
        return error_set(error, STATUS_USAGE, "--judge-max-tokens lies in 0 to %d",
                         (int)TOKENS_LIMIT);
    if (!is_price(options->price_in) || !is_price(options->price_out))
        return error_set(error, STATUS_USAGE,
                         "--judge-price-in and --judge-price-out must not be negative");
    return errors_check(&options->errors, error);
}
