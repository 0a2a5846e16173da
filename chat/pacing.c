#include "chat/pacing.h"

enum { FIRST_LIMIT = 4 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void pacing_init(struct pacing *pacing, int64_t maximum)
{
    *pacing = (struct pacing){.limit = smaller(FIRST_LIMIT, maximum), .maximum = maximum};
}

static void window_end(struct pacing *pacing)
{
    const double share = (double)pacing->weight / (double)pacing->ends;
    if (share > 0.5) {
        pacing->limit = pacing->limit > 1 ? pacing->limit / 2 : 1;
        pacing->halved = true;
    } else if (share <= 0.3) {
        const int64_t step = pacing->halved ? 1 + pacing->limit / 8 : pacing->limit;
        pacing->limit = smaller(pacing->limit + step, pacing->maximum);
    }
    pacing->ends = 0;
    pacing->weight = 0;
}

void pacing_note(struct pacing *pacing, enum pacing_signal signal)
{
    pacing->ends++;
    pacing->weight += signal == PACING_BUSY ? 2 : signal == PACING_FAULT;
    if (pacing->ends >= pacing->limit)
        window_end(pacing);
}

void pacing_pause(struct pacing *pacing, double now_seconds, double seconds)
{
    const double wait =
        seconds < RETRY_AFTER_LIMIT_SECONDS ? seconds : RETRY_AFTER_LIMIT_SECONDS;
    if (now_seconds + wait > pacing->pause_until_seconds)
        pacing->pause_until_seconds = now_seconds + wait;
}

double backoff_seconds(int64_t tries, double retry_after_seconds, struct random *random)
{
    double wait = 0.5;
    for (int64_t i = 1; i < tries && wait < 30; i++)
        wait *= 2;
    if (wait > 30)
        wait = 30;
    wait *= 0.5 + 0.5 * random_double(random);
    if (retry_after_seconds > RETRY_AFTER_LIMIT_SECONDS)
        retry_after_seconds = RETRY_AFTER_LIMIT_SECONDS;
    return wait > retry_after_seconds ? wait : retry_after_seconds;
}
