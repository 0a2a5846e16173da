#ifndef HOLDFAST_TESTS_FAULT_SERVER_H
#define HOLDFAST_TESTS_FAULT_SERVER_H

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/server/judge_replies.h"
#include "tests/server/reformulator_replies.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/*
 * A server that speaks as OpenAI's and Anthropic's do, on 127.0.0.1 alone, and fails as it
 * is told: the last message may hold "fault:NAME" (always) or "fault:NAME:COUNT" (the first
 * COUNT tries of this very body). A share `rate` of all other bodies meets one fault of
 * `passing`, once or twice. Otherwise it answers, or refuses, as the body's hash has it:
 * the same body gets the same reply, in any order and from any process. A model called
 * "judge-…" judges (judge_replies.h) and heeds no "fault:"; "tense-…" rewords requests
 * (reformulator_replies.h) and heeds none either.
 */
enum { FAULT_BODY_LIMIT = 1 << 16 };

struct fault_tally {
    uint64_t hash; /* 0: free */
    int tries;
};

struct fault_server {
    struct MHD_Daemon *daemon;
    uint16_t port;
    double rate;
    int log_descriptor; /* "HASH WHAT" for each request; -1: none */
    const char *key;    /* what Authorization must hold; NULL: anything */
    pthread_mutex_t lock;
    struct fault_tally tallies[FAULT_BODY_LIMIT];
    int requests;
    int under_way;
    int under_way_most;
};

/* One request that is coming in. */
struct fault_request {
    struct text_buffer body;
};

struct fault_words {
    char *bytes;
    size_t count;
    size_t breaks_at; /* the connection ends there; 0: it does not */
    int pause_ms;     /* before each piece */
};

static const char *const fault_passing[] = {"429",       "429date", "500",    "503",
                                            "reset",     "close",   "half",   "type",
                                            "nochoices", "slow",    "partial"};
enum { FAULT_PASSING_COUNT = sizeof fault_passing / sizeof *fault_passing };

static inline int fault_try(struct fault_server *server, uint64_t hash)
{
    int tries = 0;
    pthread_mutex_lock(&server->lock);
    server->requests++;
    for (size_t i = hash % FAULT_BODY_LIMIT, k = 0; k < FAULT_BODY_LIMIT;
         i = (i + 1) % FAULT_BODY_LIMIT, k++) {
        struct fault_tally *tally = &server->tallies[i];
        if (tally->hash && tally->hash != hash)
            continue;
        tally->hash = hash;
        tries = ++tally->tries;
        break;
    }
    pthread_mutex_unlock(&server->lock);
    return tries;
}

/* The fault that try number `tries` of this body meets, "" if none. */
static inline void fault_choose(const struct fault_server *server, const char *text,
                                uint64_t hash, int tries, char name[32])
{
    int count = 0;
    const char *mark = strstr(text, "fault:");
    name[0] = '\0';
    if (mark) {
        const int fields = sscanf(mark, "fault:%31[a-z0-9]:%d", name, &count);
        if (fields == 2 && tries > count)
            name[0] = '\0';
        return;
    }
    struct random random = random_stream(7, hash);
    if (random_double(&random) >= server->rate)
        return;
    count = 1 + (int)random_below(&random, 2);
    if (tries <= count)
        strcpy(name, fault_passing[random_below(&random, FAULT_PASSING_COUNT)]);
}

static inline ssize_t fault_read(void *context, uint64_t position, char *out, size_t limit)
{
    const struct fault_words *words = context;
    if (words->pause_ms)
        usleep(1000 * (useconds_t)words->pause_ms);
    if (position >= words->count)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (words->breaks_at && position >= words->breaks_at)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const size_t end = words->breaks_at ? words->breaks_at : words->count;
    size_t step = end - (size_t)position;
    if (words->pause_ms && step > words->count / 3 + 1)
        step = words->count / 3 + 1;
    step = step < limit ? step : limit;
    memcpy(out, words->bytes + position, step);
    return (ssize_t)step;
}

static inline void fault_words_free(void *context)
{
    struct fault_words *words = context;
    free(words->bytes);
    free(words);
}

static inline struct MHD_Response *fault_response(char *text, size_t breaks_at,
                                                  int pause_ms)
{
    struct fault_words *words = memory_allocate(sizeof *words);
    *words = (struct fault_words){text, strlen(text), breaks_at, pause_ms};
    return MHD_create_response_from_callback(words->count, 4096, fault_read, words,
                                             fault_words_free);
}

static inline enum MHD_Result fault_send(struct MHD_Connection *connection, unsigned status,
                                         struct MHD_Response *response, const char *type)
{
    if (type)
        MHD_add_response_header(response, "Content-Type", type);
    const enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static inline char *fault_error_text(const char *message, const char *code,
                                     const char *param)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_object_begin(&json, "error");
    json_string(&json, "message", message);
    json_string(&json, "type", "invalid_request_error");
    json_string(&json, "code", code);
    json_string(&json, "param", param);
    json_object_end(&json);
    json_object_end(&json);
    return text_buffer_detach(&text);
}

static inline enum MHD_Result fault_send_error(struct MHD_Connection *connection,
                                               unsigned status, const char *message,
                                               const char *code, const char *param,
                                               const char *retry_after)
{
    struct MHD_Response *response =
        fault_response(fault_error_text(message, code, param), 0, 0);
    if (retry_after)
        MHD_add_response_header(response, "Retry-After", retry_after);
    return fault_send(connection, status, response, "application/json");
}

/* A date some seconds from now, as HTTP writes it. */
static inline const char *fault_date(char *out, size_t bytes, int seconds)
{
    const time_t then = time(NULL) + seconds;
    struct tm parts;
    gmtime_r(&then, &parts);
    strftime(out, bytes, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return out;
}

static inline char *fault_openai_text(const char *reply, const char *finish,
                                      const char *refusal, bool choices, size_t tokens)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_string(&json, "object", "chat.completion");
    json_array_begin(&json, "choices");
    if (choices) {
        json_object_begin(&json, NULL);
        json_integer(&json, "index", 0);
        json_object_begin(&json, "message");
        json_string(&json, "role", "assistant");
        json_string(&json, "content", reply);
        json_string(&json, "refusal", refusal);
        json_object_end(&json);
        json_string(&json, "finish_reason", finish);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_begin(&json, "usage");
    json_integer(&json, "prompt_tokens", (int64_t)tokens);
    json_integer(&json, "completion_tokens", 10);
    json_object_end(&json);
    json_object_end(&json);
    return text_buffer_detach(&text);
}

static inline char *fault_anthropic_text(const char *reply, const char *finish,
                                         bool choices, size_t tokens)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    const bool length = strcmp(finish, "length") == 0;
    json_object_begin(&json, NULL);
    json_string(&json, "type", "message");
    if (choices) {
        json_array_begin(&json, "content");
        json_object_begin(&json, NULL);
        json_string(&json, "type", "text");
        json_string(&json, "text", reply ? reply : "");
        json_object_end(&json);
        json_array_end(&json);
    }
    json_string(&json, "stop_reason",
                length                                  ? "max_tokens"
                : strcmp(finish, "content_filter") == 0 ? "refusal"
                                                        : "end_turn");
    json_object_begin(&json, "usage");
    json_integer(&json, "input_tokens", (int64_t)tokens);
    json_integer(&json, "output_tokens", 10);
    json_object_end(&json);
    json_object_end(&json);
    return text_buffer_detach(&text);
}

static inline void fault_reset(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static inline bool fault_is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* Faults that are no answer of status 200. */
static inline bool fault_rejects(struct MHD_Connection *connection, const char *name,
                                 const char *body, enum MHD_Result *result)
{
    char date[64];
    if (fault_is(name, "429"))
        *result = fault_send_error(connection, 429, "slow down", "rate_limit", NULL, "0");
    else if (fault_is(name, "429wait"))
        *result = fault_send_error(connection, 429, "slow down", "rate_limit", NULL, "1");
    else if (fault_is(name, "429date"))
        *result = fault_send_error(connection, 429, "slow down", "rate_limit", NULL,
                                   fault_date(date, sizeof date, 0));
    else if (fault_is(name, "429later"))
        *result = fault_send_error(connection, 429, "slow down", "rate_limit", NULL,
                                   fault_date(date, sizeof date, 2));
    else if (fault_is(name, "quota"))
        *result = fault_send_error(connection, 429, "no money left", "insufficient_quota",
                                   NULL, NULL);
    else if (fault_is(name, "400"))
        *result =
            fault_send_error(connection, 400, "bad\nthing \x1b[31mhere", NULL, NULL, NULL);
    else if (fault_is(name, "404"))
        *result = fault_send_error(connection, 404, "no such model", NULL, NULL, NULL);
    else if (fault_is(name, "model"))
        *result = fault_send_error(connection, 400, "model 'm' not found",
                                   "invalid_request_error", NULL, NULL);
    else if (fault_is(name, "filter400"))
        *result =
            fault_send_error(connection, 400, "flagged", "content_filter", NULL, NULL);
    else if (fault_is(name, "tokens") && strstr(body, "\"max_tokens\""))
        *result = fault_send_error(connection, 400,
                                   "Unsupported parameter: 'max_tokens' is not supported "
                                   "with this model. Use 'max_completion_tokens' instead.",
                                   "unsupported_parameter", "max_tokens", NULL);
    else if (fault_is(name, "temperature") && strstr(body, "\"temperature\""))
        *result = fault_send_error(connection, 400, "Unsupported value: 'temperature'",
                                   "unsupported_value", "temperature", NULL);
    else if (fault_is(name, "system") && strstr(body, "\"system\""))
        *result = fault_send_error(connection, 400, "System role not supported", NULL, NULL,
                                   NULL);
    else if (fault_is(name, "redirect")) {
        struct MHD_Response *response = fault_response(memory_duplicate_string("{}"), 0, 0);
        MHD_add_response_header(response, "Location", "http://127.0.0.1:1/");
        *result = fault_send(connection, 307, response, "application/json");
    } else if (strlen(name) == 3 && name[0] == '5')
        *result =
            fault_send_error(connection, (unsigned)atoi(name), "broken", NULL, NULL, NULL);
    else
        return false;
    return true;
}

/* Packed though nobody asked for it, as some proxies do. */
static inline struct MHD_Response *fault_packed(char *text)
{
    uLongf bytes = compressBound((uLong)strlen(text));
    unsigned char *packed = memory_allocate(bytes);
    CHECK(compress(packed, &bytes, (const Bytef *)text, (uLong)strlen(text)) == Z_OK);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, packed, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Encoding", "deflate");
    free(text);
    return response;
}

static inline enum MHD_Result fault_answer(struct MHD_Connection *connection,
                                           const char *url, const char *name,
                                           const char *body, uint64_t hash,
                                           const char *said)
{
    char words[96];
    const char *reply = words;
    const char *finish = "stop";
    const char *refusal = NULL;
    const char *type = "application/json; charset=utf-8";
    snprintf(words, sizeof words,
             hash % 3 ? "Sure. Step one of plan %llx is easy."
                      : "I'm sorry, but I can't help with that (%llx).",
             (unsigned long long)hash);
    if (said)
        reply = said;
    if (fault_is(name, "empty"))
        reply = " \n";
    if (fault_is(name, "thinks"))
        reply = "<think>I'm sorry, should I say that?</think>\n\nSure, it is easy.";
    if (fault_is(name, "length") || fault_is(name, "filter") || fault_is(name, "refusal"))
        reply = NULL;
    if (fault_is(name, "length") || fault_is(name, "cut"))
        finish = "length";
    if (fault_is(name, "filter"))
        finish = "content_filter";
    if (fault_is(name, "refusal"))
        refusal = "No.";
    if (fault_is(name, "type"))
        type = "text/html";
    const bool choices = !fault_is(name, "nochoices");
    char *text = strstr(url, "/messages")
                     ? fault_anthropic_text(reply, finish, choices, strlen(body) / 4)
                     : fault_openai_text(reply, finish, refusal, choices, strlen(body) / 4);
    if (fault_is(name, "half"))
        text[strlen(text) / 2] = '\0';
    if (fault_is(name, "huge")) {
        free(text);
        text = memory_allocate((9 << 20) + 1);
        memset(text, ' ', 9 << 20);
    }
    if (fault_is(name, "packed"))
        return fault_send(connection, 200, fault_packed(text), type);
    const int pause_ms = fault_is(name, "slow") ? 60 : fault_is(name, "hang") ? 700 : 0;
    const size_t breaks_at = fault_is(name, "partial") ? strlen(text) / 2 : 0;
    return fault_send(connection, 200, fault_response(text, breaks_at, pause_ms), type);
}

static inline char *fault_model(const char *body)
{
    cJSON *object = NULL;
    const char *model = "";
    if (json_parse(&object, body, strlen(body), "body", NULL) == STATUS_OK)
        json_optional_string(object, "model", &model, "body", NULL);
    char *copy = memory_duplicate_string(model);
    cJSON_Delete(object);
    return copy;
}

/* The content of the last message; the whole body if there is none. */
static inline char *fault_last_text(const char *body)
{
    cJSON *object = NULL;
    const cJSON *message;
    const char *text = body;
    if (json_parse(&object, body, strlen(body), "body", NULL) == STATUS_OK) {
        cJSON_ArrayForEach(message, json_get(object, "messages"))
        {
            const cJSON *content = json_get(message, "content");
            text = cJSON_IsString(content) ? content->valuestring : text;
        }
    }
    char *copy = memory_duplicate_string(text);
    cJSON_Delete(object);
    return copy;
}

static inline bool fault_key_missing(const struct fault_server *server,
                                     struct MHD_Connection *connection,
                                     enum MHD_Result *result)
{
    const char *given =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    struct text_buffer words = {0};
    if (!server->key || (given && strstr(given, server->key)))
        return false;
    text_buffer_appendf(&words, "wrong key %s", given ? given : "(none)");
    *result =
        fault_send_error(connection, 401, text_buffer_string(&words), NULL, NULL, NULL);
    text_buffer_release(&words);
    return true;
}

static inline void fault_log(const struct fault_server *server, uint64_t hash,
                             const char *name)
{
    char line[80];
    const int length = snprintf(line, sizeof line, "%016llx %s\n", (unsigned long long)hash,
                                *name ? name : "good");
    if (server->log_descriptor >= 0 &&
        write(server->log_descriptor, line, (size_t)length) < 0)
        perror("fault_server");
}

static inline enum MHD_Result fault_serve(struct fault_server *server,
                                          struct MHD_Connection *connection,
                                          const char *url, const char *body)
{
    char name[32];
    enum MHD_Result result = MHD_NO;
    const uint64_t hash = random_stream_of(body, 1, 2) | 1;
    const int tries = fault_try(server, hash);
    if (fault_key_missing(server, connection, &result))
        return result;
    char *text = fault_last_text(body);
    char *model = fault_model(body);
    const bool is_judge = text_starts_with(model, "judge-");
    const bool is_reformulator = text_starts_with(model, "tense-");
    char *said = is_judge          ? judge_says(model, text)
                 : is_reformulator ? reformulator_says(model, text, hash)
                                   : NULL;
    fault_choose(server, is_judge || is_reformulator ? "" : text, hash, tries, name);
    if (strcmp(model, "tense-down") == 0)
        strcpy(name, "500");
    if (is_judge && !*name)
        judge_fault(model, tries, name);
    fault_log(server, hash, name);
    const char *given =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
    if (fault_is(name, "echo") && given && !said)
        said = memory_duplicate_string(given);
    if (fault_is(name, "leak")) {
        result = fault_send_error(connection, 400, given, NULL, NULL, NULL);
    } else if (fault_is(name, "reset")) {
        fault_reset(connection);
    } else if (!fault_is(name, "close") &&
               !fault_rejects(connection, name, body, &result)) {
        if (!said && strstr(text, "show body"))
            said = memory_duplicate_string(body);
        result = fault_answer(connection, url, name, body, hash, said);
    }
    free(said);
    free(model);
    free(text);
    return result;
}

static inline enum MHD_Result fault_on_request(void *context,
                                               struct MHD_Connection *connection,
                                               const char *url, const char *method,
                                               const char *version, const char *data,
                                               size_t *data_bytes, void **state)
{
    struct fault_server *server = context;
    struct fault_request *request = *state;
    (void)version;
    (void)method;
    if (!request) {
        *state = memory_allocate(sizeof *request);
        pthread_mutex_lock(&server->lock);
        server->under_way++;
        if (server->under_way > server->under_way_most)
            server->under_way_most = server->under_way;
        pthread_mutex_unlock(&server->lock);
        return MHD_YES;
    }
    if (*data_bytes > 0) {
        text_buffer_append_bytes(&request->body, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    return fault_serve(server, connection, url, text_buffer_string(&request->body));
}

static inline void fault_on_end(void *context, struct MHD_Connection *connection,
                                void **state, enum MHD_RequestTerminationCode code)
{
    struct fault_server *server = context;
    struct fault_request *request = *state;
    (void)connection;
    (void)code;
    if (!request)
        return;
    pthread_mutex_lock(&server->lock);
    server->under_way--;
    pthread_mutex_unlock(&server->lock);
    text_buffer_release(&request->body);
    free(request);
    *state = NULL;
}

/* Port 0: any that is free. */
static inline bool fault_server_start_at(struct fault_server *server, double rate,
                                         uint16_t port)
{
    const struct sockaddr_in loopback = {.sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(server, 0, sizeof *server);
    server->rate = rate;
    server->log_descriptor = -1;
    pthread_mutex_init(&server->lock, NULL);
    server->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0,
                         NULL, NULL, fault_on_request, server, MHD_OPTION_SOCK_ADDR,
                         &loopback, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
                         MHD_OPTION_NOTIFY_COMPLETED, fault_on_end, server, MHD_OPTION_END);
    if (!server->daemon)
        return false;
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return true;
}

static inline bool fault_server_start(struct fault_server *server, double rate)
{
    return fault_server_start_at(server, rate, 0);
}

static inline void fault_server_stop(struct fault_server *server)
{
    MHD_stop_daemon(server->daemon);
    pthread_mutex_destroy(&server->lock);
}

#endif
