#include "chat/hosted_spending.h"

double tokens_cost(const struct hosted_options *options, struct tokens tokens)
{
    return 1e-6 * (options->price_in * (double)tokens.prompt +
                   options->price_out * (double)tokens.reply);
}

enum status spending_check(const struct spending *spending,
                           const struct hosted_options *options, struct tokens tokens,
                           struct error *error)
{
    const struct tokens all = {
        spending->spent.prompt + spending->reserved.prompt + tokens.prompt,
        spending->spent.reply + spending->reserved.reply + tokens.reply};
    static const char rest[] = "what was answered is kept; raise it to go on";
    if (options->max_requests > 0 && spending->requests >= options->max_requests)
        return error_set(error, STATUS_LIMIT, "--max-requests %lld is reached: %s",
                         (long long)options->max_requests, rest);
    if (options->max_total_tokens > 0 && all.prompt + all.reply > options->max_total_tokens)
        return error_set(
            error, STATUS_LIMIT,
            "--max-total-tokens %lld might be passed by the next request, "
            "after %lld: %s",
            (long long)options->max_total_tokens,
            (long long)spending->spent.prompt + (long long)spending->spent.reply, rest);
    if (options->max_cost > 0 &&
        spending->cost_spent + spending->cost_reserved + tokens_cost(options, tokens) >
            options->max_cost)
        return error_set(error, STATUS_LIMIT,
                         "--max-cost %g might be passed by the next request, after %.4f: "
                         "%s",
                         options->max_cost, spending->cost_spent, rest);
    return STATUS_OK;
}

void spending_reserve(struct spending *spending, const struct hosted_options *options,
                      struct tokens tokens)
{
    spending->requests++;
    spending->reserved.prompt += tokens.prompt;
    spending->reserved.reply += tokens.reply;
    spending->cost_reserved += tokens_cost(options, tokens);
}

void spending_settle(struct spending *spending, const struct hosted_options *options,
                     struct tokens reserved, struct tokens billed)
{
    spending->reserved.prompt -= reserved.prompt;
    spending->reserved.reply -= reserved.reply;
    spending->cost_reserved -= tokens_cost(options, reserved);
    spending->spent.prompt += billed.prompt;
    spending->spent.reply += billed.reply;
    spending->cost_spent += tokens_cost(options, billed);
}
