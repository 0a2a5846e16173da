#include "chat/hosted_options.h"

#include <math.h>

const char *const hosted_option_names[] = {
    "concurrency",      "timeout",       "retries",  "max-requests",
    "max-total-tokens", "max-cost",      "price-in", "price-out",
    "reasoning",        "insecure-http", "cache",    NULL};

void hosted_options_defaults(struct hosted_options *options)
{
    *options =
        (struct hosted_options){.concurrency = 16, .timeout_seconds = 120, .retries = 5};
}

static bool is_amount(double value)
{
    return isfinite(value) && value >= 0;
}

enum status hosted_options_check(const struct hosted_options *options, struct error *error)
{
    enum { CONCURRENCY_LIMIT = 512, RETRY_LIMIT = 100, TIMEOUT_LIMIT_SECONDS = 86400 };
    if (options->concurrency < 1 || options->concurrency > CONCURRENCY_LIMIT)
        return error_set(error, STATUS_USAGE, "--concurrency lies in 1 to %d",
                         (int)CONCURRENCY_LIMIT);
    if (options->retries < 0 || options->retries > RETRY_LIMIT)
        return error_set(error, STATUS_USAGE, "--retries lies in 0 to %d",
                         (int)RETRY_LIMIT);
    if (!(options->timeout_seconds >= 0.01) ||
        !(options->timeout_seconds <= TIMEOUT_LIMIT_SECONDS))
        return error_set(error, STATUS_USAGE, "--timeout lies in 0.01 to %d seconds",
                         (int)TIMEOUT_LIMIT_SECONDS);
    if (options->max_requests < 0 || options->max_total_tokens < 0 ||
        !is_amount(options->max_cost) || !is_amount(options->price_in) ||
        !is_amount(options->price_out))
        return error_set(error, STATUS_USAGE,
                         "--max-requests, --max-total-tokens, --max-cost, --price-in and "
                         "--price-out must not be negative");
    if (options->max_cost > 0 && !(options->price_in > 0 && options->price_out > 0))
        return error_set(error, STATUS_USAGE,
                         "--max-cost needs --price-in and --price-out, the service's "
                         "prices of a million tokens");
    return STATUS_OK;
}
