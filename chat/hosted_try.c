#include "chat/hosted_try.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t on_bytes(char *bytes, size_t one, size_t count, void *context)
{
    struct transfer *transfer = context;
    (void)one; /* always 1 */
    if (transfer->answer.length + count > ANSWER_LIMIT_BYTES) {
        transfer->too_large = true;
        return 0;
    }
    text_buffer_append_bytes(&transfer->answer, bytes, count);
    return count;
}

struct transfer *transfer_create(const struct service_target *target,
                                 struct curl_slist *headers, double timeout_seconds)
{
    struct transfer *transfer = memory_allocate(sizeof *transfer);
    CURL *easy = curl_easy_init();
    CHECK(easy);
    transfer->easy = easy;
    curl_easy_setopt(easy, CURLOPT_URL, target->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "holdfast");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl unpacks */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(1e3 * timeout_seconds));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(1e3 * (timeout_seconds < 15 ? timeout_seconds : 15)));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (target->loopback) /* what a proxy would take for its own machine */
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return;
    curl_easy_cleanup(transfer->easy);
    text_buffer_release(&transfer->body);
    text_buffer_release(&transfer->answer);
    free(transfer);
}

void transfer_prepare(struct transfer *transfer)
{
    text_buffer_clear(&transfer->answer);
    transfer->too_large = false;
    transfer->words[0] = '\0';
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS,
                     text_buffer_string(&transfer->body));
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)transfer->body.length);
}

static void reason_set(struct try_end *end, enum try_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void reason_set(struct try_end *end, enum try_result result, const char *format, ...)
{
    va_list arguments;
    struct text_buffer text = {0};
    end->result = result;
    va_start(arguments, format);
    text_buffer_append_v(&text, format, arguments);
    va_end(arguments);
    printable_copy(end->reason, sizeof end->reason, text_buffer_string(&text));
    text_buffer_release(&text);
}

/* Services quote keys in their errors, and we cut texts: blot from the key's first
 * characters to the end of the word. */
static void key_blot(char *text, const char *key)
{
    enum { RECOGNISED_BYTES = 8 };
    char start[RECOGNISED_BYTES + 1] = "";
    if (!key || !*key)
        return;
    strncpy(start, key, RECOGNISED_BYTES);
    for (char *at = strstr(text, start); at; at = strstr(at, start))
        for (; *at && *at != ' '; at++)
            *at = '*';
}

/* In a reply only the whole of a key that is too long to stand there by chance: some
 * servers repeat a request's headers. */
static void reply_blot(char *text, const char *key)
{
    enum { CHANCELESS_BYTES = 12 };
    const size_t count = key ? strlen(key) : 0;
    if (count < CHANCELESS_BYTES)
        return;
    for (char *at = strstr(text, key); at; at = strstr(at, key))
        memset(at, '*', count);
}

static bool code_is_fatal(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
}

static void transport_judge(const struct transfer *transfer, CURLcode code,
                            struct try_end *end)
{
    const char *words = transfer->words[0] ? transfer->words : curl_easy_strerror(code);
    end->signal = PACING_FAULT;
    end->unconnected = code == CURLE_COULDNT_CONNECT ||
                       code == CURLE_COULDNT_RESOLVE_HOST ||
                       code == CURLE_COULDNT_RESOLVE_PROXY;
    end->maybe_billed = !end->unconnected && !code_is_fatal(code);
    if (transfer->too_large)
        reason_set(end, TRY_FAILED, "the answer is longer than %d MiB",
                   ANSWER_LIMIT_BYTES >> 20);
    else
        reason_set(end, code_is_fatal(code) ? TRY_FATAL : TRY_AGAIN, "%s", words);
}

static bool content_is_json(const struct transfer *transfer, const char **type)
{
    *type = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, type);
    return !*type || strncasecmp(*type, "application/json", 16) == 0;
}

static void answer_judge(const struct service *service, struct transfer *transfer,
                         struct try_end *end)
{
    struct error error = {0};
    const char *type;
    end->signal = PACING_GOOD;
    end->result = TRY_REPLIED;
    service_answer_mend(transfer->answer.data, transfer->answer.length);
    if (!content_is_json(transfer, &type))
        reason_set(end, TRY_AGAIN, "the answer is %.60s, not application/json", type);
    else if (service_reply_parse(service,
                                 transfer->answer.data ? transfer->answer.data : "",
                                 transfer->answer.length, &end->reply, &error))
        reason_set(end, TRY_AGAIN, "%s", error.message);
    if (end->result == TRY_REPLIED)
        return;
    end->signal = PACING_FAULT;
    end->maybe_billed = true;
}

/* 400 and 422: the request is not taken. */
static void rejection_judge(long status, const struct service_failure *failure,
                            struct try_end *end)
{
    end->quirk = service_failure_quirk(failure);
    if (service_failure_is_filter(failure)) {
        reason_set(end, TRY_REPLIED, "HTTP %ld %s: %s", status, failure->code,
                   failure->message);
        end->reply = (struct service_reply){.result = CHAT_FILTERED,
                                            .text = memory_duplicate_string(end->reason)};
        return;
    }
    end->misdirected = service_failure_is_no_model(failure);
    reason_set(end, end->quirk ? TRY_ADAPT : TRY_FAILED, "HTTP %ld%s%s", status,
               *failure->message ? ": " : "", failure->message);
}

static bool status_is_passing(long status)
{
    return status == 408 || status == 409 || status == 425 || status == 429 ||
           (status >= 500 && status <= 599 && status != 501 && status != 505);
}

static void failure_judge(const struct transfer *transfer, long status, const char *wanted,
                          const char *key_variable, struct try_end *end)
{
    struct service_failure failure;
    curl_off_t retry_after = 0; /* libcurl reads both seconds and dates */
    service_failure_parse(transfer->answer.data, transfer->answer.length, &failure);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    end->retry_after_seconds = retry_after > 0 ? (double)retry_after : 0;
    end->signal = PACING_GOOD;
    end->misdirected = status == 403 || status == 404 || status == 405;
    if (status == 401)
        reason_set(end, TRY_FATAL, "HTTP 401: the service %s %s", wanted, key_variable);
    else if (status == 402 || service_failure_is_quota(&failure))
        reason_set(end, TRY_FATAL, "HTTP %ld: the account is used up: %s", status,
                   failure.message);
    else if (end->misdirected)
        reason_set(end, TRY_FAILED, "HTTP %ld%s%s", status, *failure.message ? ": " : "",
                   failure.message);
    else if (status >= 300 && status < 400)
        reason_set(end, TRY_FATAL,
                   "HTTP %ld: the service answers with a redirect, which is not followed; "
                   "give the URL it leads to",
                   status);
    else if (status_is_passing(status))
        reason_set(end, TRY_AGAIN, "HTTP %ld%s%s", status, *failure.message ? ": " : "",
                   failure.message);
    else
        rejection_judge(status, &failure, end);
    if (end->result == TRY_AGAIN)
        end->signal =
            status == 429 || status == 503 || status == 529 ? PACING_BUSY : PACING_FAULT;
}

void try_judge(const struct service *service, struct transfer *transfer, CURLcode code,
               const char *key, const char *key_variable, struct try_end *end)
{
    const bool has_key = key && *key;
    long status = 0;
    *end = (struct try_end){.result = TRY_FAILED};
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK)
        transport_judge(transfer, code, end);
    else if (status == 200)
        answer_judge(service, transfer, end);
    else
        failure_judge(transfer, status,
                      has_key ? "does not take the key; check" : "wants a key; set",
                      key_variable, end);
    key_blot(end->reason, key);
    if (end->result == TRY_REPLIED && end->reply.result == CHAT_FILTERED)
        key_blot(end->reply.text, key);
    else if (end->result == TRY_REPLIED)
        reply_blot(end->reply.text, key);
}
