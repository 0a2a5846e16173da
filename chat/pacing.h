#ifndef HOLDFAST_CHAT_PACING_H
#define HOLDFAST_CHAT_PACING_H

#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * How many requests may be under way at once, and how long to wait before one is sent
 * again. No clock and no network in here.
 *
 * The limit moves after each window of as many ends as the limit was. An end counts 0 if it
 * was good, 1 for a fault (500, reset, timeout, half an answer), 2 if the service said that
 * it is busy (429, 503, 529). Over half of the window: the limit halves. Up to 0.3: it
 * grows, doubling until it was first halved, then by an eighth. Between: it stays. So a
 * fault now and then costs no throughput, and a storm of 429 is met within a few requests.
 */
enum pacing_signal { PACING_GOOD, PACING_FAULT, PACING_BUSY };

struct pacing {
    int64_t limit;
    int64_t maximum;
    bool halved; /* at least once */
    int64_t ends;
    int64_t weight;
    double pause_until_seconds; /* of the caller's clock; nothing new is sent before */
};

void pacing_init(struct pacing *pacing, int64_t maximum);
void pacing_note(struct pacing *pacing, enum pacing_signal signal);

/* The service asked for this many seconds of silence at `now_seconds`. */
void pacing_pause(struct pacing *pacing, double now_seconds, double seconds);

/*
 * Seconds before try number `tries` + 1: half a second doubled each time, at most 30, times
 * a random number in [0.5, 1); never less than what the service asked for, which itself
 * counts up to RETRY_AFTER_LIMIT_SECONDS.
 */
enum { RETRY_AFTER_LIMIT_SECONDS = 300 };
double backoff_seconds(int64_t tries, double retry_after_seconds, struct random *random);

#endif
