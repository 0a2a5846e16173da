#ifndef HOLDFAST_EVAL_SAME_REPLIES_H
#define HOLDFAST_EVAL_SAME_REPLIES_H

#include "eval/attempts.h"

/*
 * Which attempts hold the same request and, word for word, the same reply: a hardened model
 * says one sentence thousands of times, and no judge need be paid for it twice.
 */
struct same_replies {
    size_t *first; /* [count] of each attempt, the first one that is the same; may be it */
    size_t count;
    size_t first_capacity;
    size_t *slots; /* hash table of firsts, as their number + 1; 0 is free */
    size_t slot_count;
};

/* Takes in what was added to the list. */
void same_replies_update(struct same_replies *same, const struct attempt_list *list);
void same_replies_release(struct same_replies *same);

#endif
