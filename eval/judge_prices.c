#include "eval/judge_prices.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A finite number that is not negative, up to `end`. */
static bool amount_read(double *value, const char *text, char end)
{
    char *rest;
    errno = 0;
    *value = strtod(text, &rest);
    return rest != text && *rest == end && !errno && isfinite(*value) && *value >= 0;
}

static bool pair_read(struct judge_prices *prices, const char *text)
{
    const char *colon = strchr(text, ':');
    return colon && amount_read(&prices->in, text, ':') &&
           amount_read(&prices->out, colon + 1, '\0');
}

static bool item_is_of(const char *item, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(item, name, length) == 0 && item[length] == '=';
}

struct judge_prices judge_prices_of(const struct judge_options *options, const char *name)
{
    struct judge_prices prices = {options->price_in, options->price_out};
    for (size_t i = 0; i < options->prices.count; i++)
        if (item_is_of(options->prices.items[i], name))
            pair_read(&prices, options->prices.items[i] + strlen(name) + 1);
    return prices;
}

static enum status name_check(const char *item, const char *const *names, size_t count,
                              struct error *error)
{
    struct text_buffer known = {0};
    bool is_known = false;
    for (size_t i = 0; i < count; i++) {
        is_known = is_known || item_is_of(item, names[i]);
        text_buffer_appendf(&known, "%s%s", i ? ", " : "", names[i]);
    }
    if (!is_known)
        error_set(error, STATUS_USAGE, "--judge-price %s: there is no such judge: %.300s",
                  item, text_buffer_string(&known));
    text_buffer_release(&known);
    return is_known ? STATUS_OK : STATUS_USAGE;
}

enum status judge_prices_check(const struct judge_options *options,
                               const char *const *names, size_t count, struct error *error)
{
    for (size_t i = 0; i < options->prices.count; i++) {
        struct judge_prices prices;
        const char *item = options->prices.items[i];
        const char *equals = strchr(item, '=');
        if (!equals || !pair_read(&prices, equals + 1))
            return error_set(error, STATUS_USAGE,
                             "--judge-price %s: it is NAME=IN:OUT, a judge's name and the "
                             "prices of a million prompt and reply tokens, e.g. "
                             "rating=2.5:10",
                             item);
        if (name_check(item, names, count, error))
            return error->status;
        for (size_t j = 0; j < i; j++)
            if (strncmp(item, options->prices.items[j], (size_t)(equals - item) + 1) == 0)
                return error_set(error, STATUS_USAGE, "--judge-price names '%.*s' twice",
                                 (int)(equals - item), item);
    }
    return STATUS_OK;
}

void judge_prices_stand_in(struct hosted_options *hosted,
                           const struct judge_options *options)
{
    struct judge_prices prices = {options->price_in, options->price_out};
    for (size_t i = 0; i < options->prices.count; i++) {
        const char *equals = strchr(options->prices.items[i], '=');
        if (!(prices.in > 0 && prices.out > 0) && equals)
            pair_read(&prices, equals + 1);
    }
    if (!(prices.in > 0 && prices.out > 0))
        return;
    hosted->price_in = prices.in;
    hosted->price_out = prices.out;
}
