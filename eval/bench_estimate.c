/* What judges would be asked at most, for a dry run. */
#include "eval/bench.h"

#include <math.h>
#include <string.h>

static int64_t discriminated_count(const struct bench *bench,
                                   const struct string_list *attacks)
{
    int64_t count = 0;
    for (size_t i = 0; bench->discriminated && i < bench->discriminated->count; i++)
        for (size_t a = 0; a < attacks->count; a++)
            count += strcmp(bench->discriminated->items[i], attacks->items[a]) == 0;
    return count;
}

/* How often this judge may see a reply to one harmful request. */
static int64_t harmful_count(const struct bench *bench, const struct seat *seat,
                             const struct string_list *attacks, int64_t attempts)
{
    const int64_t all = (int64_t)attacks->count * attempts;
    if (seat == bench->seats || seat == bench->confirm)
        return all;
    if (seat < bench->seats + bench->listed_count)
        return bench->stops_early ? (int64_t)attacks->count : all;
    return discriminated_count(bench, attacks);
}

void bench_estimate(const struct bench *bench, const char *request, bool harmful,
                    const struct string_list *attacks, int64_t attempts,
                    int64_t reply_tokens, struct judge_estimate estimates[JUDGE_LIMIT])
{
    for (size_t i = 0; i < bench->count; i++) {
        const struct seat *seat = &bench->seats[i];
        struct text_buffer text = {0};
        if (seat->spec.rule)
            continue;
        judge_prompt_render(&seat->spec.prompt, request, "", &text);
        const struct message message = {.role = "user",
                                        .content = text_buffer_string(&text)};
        const struct chat_prompt prompt = {.messages = &message, .message_count = 1};
        const int64_t count = harmful ? harmful_count(bench, seat, attacks, attempts)
                                      : seat == bench->refusal;
        estimates[i].requests += count;
        estimates[i].tokens.prompt +=
            count * (service_tokens_guess(&prompt) + reply_tokens);
        estimates[i].tokens.reply += count * bench_token_limit(bench, seat);
        text_buffer_release(&text);
    }
}

double bench_estimate_print(const struct bench *bench,
                            const struct judge_estimate estimates[JUDGE_LIMIT],
                            struct text_buffer *out)
{
    double sum = 0;
    for (size_t i = 0; i < bench->count; i++) {
        const struct seat *seat = &bench->seats[i];
        if (seat->spec.rule)
            continue;
        text_buffer_appendf(out,
                            "judge %s: %lld requests at most, about %lld prompt and %lld "
                            "reply tokens at most",
                            seat->spec.name, (long long)estimates[i].requests,
                            (long long)estimates[i].tokens.prompt,
                            (long long)estimates[i].tokens.reply);
        if (chat_is_hosted(seat->spec.target)) {
            const struct judge_prices own =
                judge_prices_of(bench->options, seat->spec.name);
            const struct hosted_options prices = {.price_in = own.in, .price_out = own.out};
            const double cost = tokens_cost(&prices, estimates[i].tokens);
            sum += cost;
            if (isnan(cost))
                text_buffer_append(out, "; cost unknown without --judge-price-in and "
                                        "--judge-price-out, or --judge-price");
            else
                text_buffer_appendf(out, "; cost %.4f at most, retries apart", cost);
        }
        text_buffer_append_char(out, '\n');
    }
    return sum;
}
