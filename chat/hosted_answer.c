#include "base/log.h"
#include "base/memory.h"
#include "chat/answer_cache.h"
#include "chat/chat_kind.h"
#include "chat/hosted.h"

#include <stdlib.h>
#include <string.h>

/* A prompt on its way to a reply: fresh -> under way -> (waiting -> under way ->)* done. */
struct job {
    struct chat_prompt *prompt;
    int64_t tries;
    unsigned quirks;  /* that it was last sent with */
    bool unconnected; /* nobody was there the last time */
    double ready_seconds;
    struct tokens reserved;
    struct random random;
    char key[SHA256_HEX_BYTES];
    char reason[TRY_REASON_BYTES]; /* of the last failure */
};

struct job_list {
    struct job **items;
    size_t count;
};

/*
 * One call of chat_answer(). Jobs that used up their tries on a service that is busy or out
 * of reach are `doubtful` until another job succeeds. If DOUBT_LIMIT of them end so in a
 * row, the service is down, and that is no outcome of theirs; nor is it at the end of the
 * call, where nobody was there for one of them, or the service (a server that still loads
 * its model) has never replied to anything. Who found nobody there, and whom another job's
 * success proves wrong, starts over: it was never asked. Any other fault that stays is the
 * prompt's own.
 */
enum { DOUBT_LIMIT = 20 };
struct answering {
    struct hosted *hosted;
    struct job *jobs;
    size_t count;
    size_t fresh; /* the first job that was never taken */
    struct job_list waiting;
    struct job_list doubtful;
    struct transfer **under_way;
    size_t under_way_count;
    chat_done *done;
    void *context;
    double start_seconds;
    struct error *error;
    enum status status; /* why nothing new is sent: what is under way may still end well */
    bool held;          /* a ceiling waits for what is under way to settle */
    bool refused;       /* done() wants no more */
};

static void stop(struct answering *answering, const struct error *why)
{
    if (answering->status)
        return;
    answering->status = why->status;
    *answering->error = *why;
}

static void report(struct answering *answering, struct chat_prompt *prompt)
{
    struct error failure = {0};
    prompt->milliseconds = 1e3 * (clock_seconds() - answering->start_seconds);
    if (answering->refused || !answering->done ||
        answering->done(answering->context, prompt, &failure) == STATUS_OK)
        return;
    answering->refused = true;
    answering->status = failure.status;
    *answering->error = failure;
}

static void job_fail(struct answering *answering, struct job *job)
{
    struct text_buffer text = {0};
    text_buffer_append(&text, job->reason);
    if (job->tries > 1)
        text_buffer_appendf(&text, " (tried %lld times)", (long long)job->tries);
    job->prompt->result = CHAT_FAILED;
    job->prompt->text = text_buffer_detach(&text);
    report(answering, job->prompt);
}

static void job_wait(struct answering *answering, struct job *job, double seconds)
{
    job->ready_seconds = clock_seconds() + seconds;
    answering->waiting.items[answering->waiting.count++] = job;
}

/* The service is there: what is still doubtful was its own fault, or never asked. */
static void doubts_settle(struct answering *answering)
{
    for (size_t i = 0; i < answering->doubtful.count; i++) {
        struct job *job = answering->doubtful.items[i];
        if (job->unconnected) {
            job->tries = 0;
            job_wait(answering, job, 0);
        } else {
            job_fail(answering, job);
        }
    }
    answering->doubtful.count = 0;
}

static void stop_out_of_reach(struct answering *answering, const struct job *job)
{
    const struct hosted *hosted = answering->hosted;
    struct error why = {0};
    error_set(&why, STATUS_IO, "%s cannot be reached%s: %s; %s", hosted->target.url,
              hosted->ever_replied ? " any more" : "", job->reason,
              hosted->ever_replied ? "start the server again"
                                   : "is the server running, and the URL right?");
    stop(answering, &why);
}

/* Nothing is left to ask that could say more about the service. */
static void doubts_end(struct answering *answering)
{
    const struct hosted *hosted = answering->hosted;
    struct error why = {0};
    for (size_t i = 0; i < answering->doubtful.count && !answering->status; i++)
        if (answering->doubtful.items[i]->unconnected)
            stop_out_of_reach(answering, answering->doubtful.items[i]);
    if (!answering->status && !hosted->ever_replied && answering->doubtful.count > 0) {
        error_set(&why, STATUS_IO,
                  "%s: nothing was answered, at last with: %s; try again when the service "
                  "is ready, or with more --retries",
                  hosted->target.url, answering->doubtful.items[0]->reason);
        stop(answering, &why);
    }
    if (!answering->status)
        doubts_settle(answering);
}

static void job_doubt(struct answering *answering, struct job *job, bool unconnected)
{
    const struct hosted *hosted = answering->hosted;
    struct error why = {0};
    job->unconnected = unconnected;
    answering->doubtful.items[answering->doubtful.count++] = job;
    if (hosted->ever_replied && answering->doubtful.count < DOUBT_LIMIT)
        return;
    if (unconnected)
        stop_out_of_reach(answering, job);
    else if (answering->doubtful.count >= DOUBT_LIMIT)
        error_set(&why, STATUS_IO,
                  "%s: %d requests in a row failed in all their tries, the last one with: "
                  "%s; try again later, or with a lower --concurrency",
                  hosted->target.url, (int)DOUBT_LIMIT, job->reason);
    if (why.status)
        stop(answering, &why);
}

static int64_t believable(int64_t counted, int64_t guess)
{
    enum { TOKENS_LIMIT = 1 << 30 };
    return counted >= 0 && counted <= TOKENS_LIMIT ? counted : guess;
}

static void job_reply(struct answering *answering, struct job *job, struct try_end *end)
{
    struct hosted *hosted = answering->hosted;
    struct error why = {0};
    job->prompt->result = end->reply.result;
    job->prompt->text = end->reply.text;
    job->prompt->prompt_tokens =
        end->reply.prompt_tokens > 0 ? end->reply.prompt_tokens : 0;
    job->prompt->reply_tokens = end->reply.reply_tokens > 0 ? end->reply.reply_tokens : 0;
    hosted->ever_replied = true;
    if (hosted->options.cache &&
        answer_cache_store(hosted->options.cache, job->key, job->prompt, &why))
        stop(answering, &why);
    doubts_settle(answering);
    report(answering, job->prompt);
}

static const char *quirk_words(unsigned quirk)
{
    switch (quirk) {
    case QUIRK_COMPLETION_TOKENS:
        return "wants max_completion_tokens in place of max_tokens";
    case QUIRK_NO_TEMPERATURE:
        return "takes no temperature: replies are drawn at its own";
    case QUIRK_NO_TOP_P:
        return "takes no top_p: replies are drawn with its own";
    case QUIRK_NO_SEED:
        return "takes no seed: replies will differ from run to run";
    default:
        return "has no system role: the system text goes in front of the request";
    }
}

/* Others were under way with the same fault when the first one told of it. */
static void job_adapt(struct answering *answering, struct job *job, unsigned quirk)
{
    struct hosted *hosted = answering->hosted;
    if (job->quirks & quirk) {
        job_fail(answering, job);
        return;
    }
    if (!(hosted->quirks & quirk))
        log_warning("%s %s", hosted->target.model, quirk_words(quirk));
    hosted->quirks |= quirk;
    job->tries--;
    job_wait(answering, job, 0);
}

/* Who cannot be reached, or asked for silence, is left alone by all. */
static void service_leave_alone(struct hosted *hosted, const struct job *job,
                                double seconds)
{
    enum { WORTH_TELLING_SECONDS = 10 };
    const double now = clock_seconds();
    const double before = hosted->pacing.pause_until_seconds;
    pacing_pause(&hosted->pacing, now, seconds);
    const double after = hosted->pacing.pause_until_seconds;
    if (after - now >= WORTH_TELLING_SECONDS && after - before >= WORTH_TELLING_SECONDS)
        log_info("%s is left alone for %.0f s: %s", hosted->target.model, after - now,
                 job->reason);
}

static void job_retry(struct answering *answering, struct job *job,
                      const struct try_end *end)
{
    const struct hosted *hosted = answering->hosted;
    const double wait = backoff_seconds(job->tries, end->retry_after_seconds, &job->random);
    if (end->unconnected || end->retry_after_seconds > 0)
        service_leave_alone(answering->hosted, job,
                            end->unconnected ? wait : end->retry_after_seconds);
    if (job->tries <= hosted->options.retries)
        job_wait(answering, job, wait);
    else if (end->unconnected || end->signal == PACING_BUSY)
        job_doubt(answering, job, end->unconnected);
    else
        job_fail(answering, job);
}

/* Misdirected before anything went well: URL, model's name or rights are wrong. */
static void job_give_up(struct answering *answering, struct job *job, bool misdirected)
{
    const struct hosted *hosted = answering->hosted;
    struct error why = {0};
    if (!misdirected || hosted->ever_replied) {
        job_fail(answering, job);
        return;
    }
    error_set(&why, STATUS_IO, "%s, model '%s': %s", hosted->target.url,
              hosted->target.model, job->reason);
    stop(answering, &why);
}

static void tokens_settle(struct answering *answering, const struct job *job,
                          const struct try_end *end)
{
    struct tokens billed = {0};
    if (end->result == TRY_REPLIED) {
        billed.prompt = believable(end->reply.prompt_tokens, job->reserved.prompt);
        billed.reply = believable(end->reply.reply_tokens, job->reserved.reply);
    } else if (end->maybe_billed) {
        billed = job->reserved;
    }
    struct hosted *hosted = answering->hosted;
    spending_settle(&hosted->spending, &hosted->options, job->reserved, billed);
    if (hosted->options.account)
        spending_settle(hosted->options.account, &hosted->options, job->reserved, billed);
}

static void job_end(struct answering *answering, struct job *job, struct try_end *end)
{
    struct error why = {0};
    tokens_settle(answering, job, end);
    pacing_note(&answering->hosted->pacing, end->signal);
    memcpy(job->reason, end->reason, sizeof job->reason);
    switch (end->result) {
    case TRY_REPLIED:
        job_reply(answering, job, end);
        break;
    case TRY_AGAIN:
        job_retry(answering, job, end);
        break;
    case TRY_ADAPT:
        job_adapt(answering, job, end->quirk);
        break;
    case TRY_FAILED:
        job_give_up(answering, job, end->misdirected);
        break;
    case TRY_FATAL:
        error_set(&why, STATUS_IO, "%s: %s", answering->hosted->target.url, job->reason);
        stop(answering, &why);
        break;
    }
}

static void transfer_leave(struct answering *answering, struct transfer *transfer)
{
    struct hosted *hosted = answering->hosted;
    curl_multi_remove_handle(hosted->multi, transfer->easy);
    for (size_t i = 0; i < answering->under_way_count; i++) {
        if (answering->under_way[i] != transfer)
            continue;
        answering->under_way[i] = answering->under_way[--answering->under_way_count];
        break;
    }
    hosted->idle[hosted->idle_count++] = transfer;
}

static void job_send(struct answering *answering, struct job *job)
{
    struct hosted *hosted = answering->hosted;
    struct transfer *transfer = hosted->idle_count > 0
                                    ? hosted->idle[--hosted->idle_count]
                                    : transfer_create(&hosted->target, hosted->headers,
                                                      hosted->options.timeout_seconds);
    job->tries++;
    job->quirks = hosted->quirks;
    spending_reserve(&hosted->spending, &hosted->options, job->reserved);
    if (hosted->options.account)
        spending_reserve(hosted->options.account, &hosted->options, job->reserved);
    text_buffer_clear(&transfer->body);
    service_body(hosted->service, hosted->target.model, job->prompt, job->quirks,
                 &transfer->body);
    transfer->job = job;
    transfer_prepare(transfer);
    answering->under_way[answering->under_way_count++] = transfer;
    const CURLMcode code = curl_multi_add_handle(hosted->multi, transfer->easy);
    CHECK(code == CURLM_OK);
}

static bool job_from_cache(struct answering *answering, struct job *job)
{
    struct hosted *hosted = answering->hosted;
    if (job->tries > 0 || !hosted->options.cache ||
        !answer_cache_find(hosted->options.cache, job->key, job->prompt))
        return false;
    hosted->cached++;
    report(answering, job->prompt);
    return true;
}

/* The next job to send: a waiting one that is due, the longest due first, else a fresh
 * one; NULL if none is. */
static struct job *job_next(const struct answering *answering, double now_seconds,
                            size_t *waiting_index)
{
    const struct job_list *waiting = &answering->waiting;
    struct job *best = NULL;
    for (size_t i = 0; i < waiting->count; i++) {
        if (waiting->items[i]->ready_seconds > now_seconds ||
            (best && best->ready_seconds <= waiting->items[i]->ready_seconds))
            continue;
        best = waiting->items[i];
        *waiting_index = i;
    }
    if (!best && answering->fresh < answering->count)
        best = &answering->jobs[answering->fresh];
    return best;
}

static void job_take(struct answering *answering, const struct job *job,
                     size_t waiting_index)
{
    struct job_list *waiting = &answering->waiting;
    if (answering->fresh < answering->count && job == &answering->jobs[answering->fresh])
        answering->fresh++;
    else
        waiting->items[waiting_index] = waiting->items[--waiting->count];
}

/* Sends what may be sent now. A ceiling stops it; what is under way first settles, for it
 * may cost less than was reserved. */
static void jobs_start(struct answering *answering)
{
    struct hosted *hosted = answering->hosted;
    answering->held = false;
    while (!answering->status &&
           (int64_t)answering->under_way_count < hosted->pacing.limit) {
        const double now = clock_seconds();
        struct error ceiling = {0};
        size_t waiting_index = 0;
        struct job *job = now < hosted->pacing.pause_until_seconds
                              ? NULL
                              : job_next(answering, now, &waiting_index);
        if (!job)
            return;
        if (job_from_cache(answering, job)) {
            job_take(answering, job, waiting_index);
            continue;
        }
        const struct spending *account =
            hosted->options.account ? hosted->options.account : &hosted->spending;
        if (spending_check(account, &hosted->options, job->reserved, &ceiling)) {
            answering->held = answering->under_way_count > 0;
            if (!answering->held)
                stop(answering, &ceiling);
            return;
        }
        job_take(answering, job, waiting_index);
        job_send(answering, job);
    }
}

static void jobs_collect(struct answering *answering)
{
    struct hosted *hosted = answering->hosted;
    int left;
    for (CURLMsg *message = curl_multi_info_read(hosted->multi, &left);
         message && !answering->refused;
         message = curl_multi_info_read(hosted->multi, &left)) {
        struct transfer *transfer = NULL;
        struct try_end end;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        try_judge(hosted->service, transfer, code, hosted->key, hosted->key_variable, &end);
        transfer_leave(answering, transfer);
        job_end(answering, transfer->job, &end);
    }
}

/* How long nothing can happen unless the network does something. */
static int quiet_ms(const struct answering *answering)
{
    const struct pacing *pacing = &answering->hosted->pacing;
    const double now = clock_seconds();
    double until = now + 1;
    if (answering->status || answering->held ||
        (int64_t)answering->under_way_count >= pacing->limit)
        return 1000;
    for (size_t i = 0; i < answering->waiting.count; i++)
        if (answering->waiting.items[i]->ready_seconds < until)
            until = answering->waiting.items[i]->ready_seconds;
    if (answering->fresh < answering->count)
        until = now;
    if (until < pacing->pause_until_seconds)
        until =
            pacing->pause_until_seconds < now + 1 ? pacing->pause_until_seconds : now + 1;
    return until > now ? 1 + (int)(1e3 * (until - now)) : 0;
}

static bool is_over(const struct answering *answering)
{
    if (answering->refused)
        return true;
    if (answering->under_way_count > 0)
        return false;
    return answering->status ||
           (answering->fresh == answering->count && answering->waiting.count == 0);
}

static void jobs_run(struct answering *answering)
{
    CURLM *multi = answering->hosted->multi;
    for (jobs_start(answering); !is_over(answering); jobs_start(answering)) {
        int running;
        CURLMcode code = curl_multi_perform(multi, &running);
        CHECK(code == CURLM_OK);
        jobs_collect(answering);
        if (is_over(answering))
            break;
        code = curl_multi_poll(multi, NULL, 0, quiet_ms(answering), NULL);
        CHECK(code == CURLM_OK);
    }
    while (answering->under_way_count > 0)
        transfer_leave(answering, answering->under_way[0]);
    if (!answering->status)
        doubts_end(answering);
}

static void jobs_make(struct answering *answering, struct chat_prompt *prompts)
{
    for (size_t i = 0; i < answering->count; i++) {
        struct job *job = &answering->jobs[i];
        struct chat_prompt *prompt = &prompts[i];
        prompt->text = NULL;
        prompt->prompt_tokens = 0;
        prompt->reply_tokens = 0;
        job->prompt = prompt;
        job->reserved = (struct tokens){.prompt = service_tokens_guess(prompt),
                                        .reply = prompt->token_limit};
        job->random = random_stream(prompt->seed, ~prompt->stream);
        hosted_cache_key(answering->hosted, prompt, job->key);
    }
}

enum status hosted_answer(struct chat *chat, struct chat_prompt *prompts, size_t count,
                          chat_done *done, void *context, struct error *error)
{
    struct hosted *hosted = chat->state;
    struct answering answering = {
        .hosted = hosted,
        .jobs = memory_allocate_array(count, sizeof *answering.jobs),
        .count = count,
        .waiting.items = memory_allocate_array(count, sizeof(struct job *)),
        .doubtful.items = memory_allocate_array(count, sizeof(struct job *)),
        .under_way = memory_allocate_array((size_t)hosted->options.concurrency,
                                           sizeof(struct transfer *)),
        .done = done,
        .context = context,
        .start_seconds = clock_seconds(),
        .error = error,
    };
    jobs_make(&answering, prompts);
    jobs_run(&answering);
    free(answering.jobs);
    free(answering.waiting.items);
    free(answering.doubtful.items);
    free(answering.under_way);
    return answering.status;
}
