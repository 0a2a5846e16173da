#ifndef HOLDFAST_BASE_PROCESS_GROUP_MEETING_H
#define HOLDFAST_BASE_PROCESS_GROUP_MEETING_H

#include "base/process_group_internal.h"
#include "base/reception.h"

/* How a group comes together: what rank 0 does (process_group_first.c), and what all do
 * (process_group_open.c, which says how it goes). */

/* Seconds: for rank 0 to answer, which does nothing else; and for those who come too late
 * to be told why all must end. */
static const double answer_seconds = 15.0, tell_seconds = 15.0;

/* In place of the length of words: the table follows. */
#define TABLE_MARK UINT32_MAX

struct member {
    int32_t port;
    char host[HELLO_HOST_BYTES];
    char boot[HELLO_BOOT_BYTES];
    char address[LAUNCH_ADDRESS_BYTES];
};

/* What is needed until all have come. */
struct meeting {
    struct process_group *group;
    const struct launch *launch;
    struct hello own;
    struct member *table; /* [size] */
    bool *told;           /* [size]: has come, or been told why all must end */
    int strays;           /* told too, and of no number or another one's */
    int more;             /* ranks that there are besides, as others say */
    struct reception reception;
    double deadline;
    double say_gap;
};

/* Says it, and when to say something next. */
void meeting_say(struct meeting *meeting, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool meeting_say_is_due(const struct meeting *meeting);

/* Until somebody has said hello, or `until`; an error where somebody is lost. */
enum status meeting_wait(struct meeting *meeting, struct visitor *visitor, double until,
                         struct error *error);
/* Sends a visitor away with words. */
void visitor_refuse(struct visitor *visitor, const char *words);

/* Of rank 0: all come, and get the table; where that fails all are told why. */
enum status meeting_first(struct meeting *meeting, struct error *error);
/* Rank 0 must end: those who have come hear it now, the rest as they come in `seconds`. */
void meeting_tell(struct meeting *meeting, const char *words, double seconds);

static inline double earlier(double a, double b)
{
    return a < b ? a : b;
}

#endif
