#ifndef HOLDFAST_CHAT_HOSTED_TRY_H
#define HOLDFAST_CHAT_HOSTED_TRY_H

#include "chat/pacing.h"
#include "chat/service.h"

#include <curl/curl.h>

/*
 * One request and what became of it. A transfer is a libcurl handle with its buffers, used
 * again and again; redirects are not followed, TLS is verified, an answer is read up to
 * ANSWER_LIMIT_BYTES.
 */
enum { ANSWER_LIMIT_BYTES = 8 << 20 };

struct transfer {
    CURL *easy;
    struct text_buffer body;
    struct text_buffer answer;
    bool too_large;
    char words[CURL_ERROR_SIZE];
    void *job; /* the caller's own */
};

struct transfer *transfer_create(const struct service_target *target,
                                 struct curl_slist *headers, double timeout_seconds);
void transfer_free(struct transfer *transfer);
/* Ready for `transfer->body` as it is now. */
void transfer_prepare(struct transfer *transfer);

enum try_result {
    TRY_REPLIED, /* `reply` is set */
    TRY_AGAIN,   /* it may go well another time */
    TRY_ADAPT,   /* the service does not take something: `quirk` */
    TRY_FAILED,  /* this prompt will never do */
    TRY_FATAL    /* no prompt will do until somebody acts */
};

enum { TRY_REASON_BYTES = 480 };
struct try_end {
    enum try_result result;
    enum pacing_signal signal;
    struct service_reply reply;
    unsigned quirk;
    double retry_after_seconds; /* 0: not said */
    bool maybe_billed;          /* nobody knows whether the service worked for it */
    bool unconnected;           /* the service was not even reached */
    bool misdirected;           /* no such URL or model, or no right to it */
    char reason[TRY_REASON_BYTES];
};

/* `key` (NULL: none), of the variable `key_variable`, is blotted out of the reason and the
 * reply. */
void try_judge(const struct service *service, struct transfer *transfer, CURLcode code,
               const char *key, const char *key_variable, struct try_end *end);

#endif
