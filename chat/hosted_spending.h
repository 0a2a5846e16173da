#ifndef HOLDFAST_CHAT_HOSTED_SPENDING_H
#define HOLDFAST_CHAT_HOSTED_SPENDING_H

#include "chat/hosted_options.h"
#include "chat/service.h"

/*
 * What was sent and billed, and what may still be: a request reserves its guessed prompt
 * and the longest reply before it is sent, and settles with what the service counted.
 */
struct tokens {
    int64_t prompt;
    int64_t reply;
};

struct spending {
    int64_t requests;
    struct tokens spent;
    struct tokens reserved;
    double cost_spent; /* at the prices of whoever spent it */
    double cost_reserved;
};

double tokens_cost(const struct hosted_options *options, struct tokens tokens);

/* STATUS_LIMIT, naming the ceiling, if one more request might pass it. */
enum status spending_check(const struct spending *spending,
                           const struct hosted_options *options, struct tokens tokens,
                           struct error *error);
void spending_reserve(struct spending *spending, const struct hosted_options *options,
                      struct tokens tokens);
void spending_settle(struct spending *spending, const struct hosted_options *options,
                     struct tokens reserved, struct tokens billed);

#endif
