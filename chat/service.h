#ifndef HOLDFAST_CHAT_SERVICE_H
#define HOLDFAST_CHAT_SERVICE_H

#include "base/file.h"
#include "base/json.h"
#include "chat/chat.h"

/*
 * What the hosted services speak: pure functions between prompts, replies and JSON. No
 * network in here.
 *
 *     openai:     POST URL/chat/completions   {"model","messages","temperature","seed",…}
 *     anthropic:  POST URL/messages           {"model","system","messages","max_tokens",…}
 *
 * Sources: the OpenAI API reference (chat/create), vLLM's and llama.cpp's servers, which
 * follow it, and the Anthropic API reference (messages, errors).
 */

/* What a service does not take; told by --reasoning, or by the service's own error. */
enum service_quirk {
    QUIRK_COMPLETION_TOKENS = 1, /* max_completion_tokens in place of max_tokens */
    QUIRK_NO_TEMPERATURE = 2,
    QUIRK_NO_TOP_P = 4,
    QUIRK_NO_SEED = 8,
    QUIRK_NO_SYSTEM = 16 /* the system text goes in front of the first user message */
};

struct service_reply {
    enum chat_result result; /* never CHAT_FAILED */
    char *text;              /* heap; CHAT_FILTERED: why */
    int64_t prompt_tokens;   /* -1: the service does not say */
    int64_t reply_tokens;
};

enum { FAILURE_WORDS_BYTES = 320 };

/* What a service says of an error. Texts are printable, and cut. */
struct service_failure {
    char message[FAILURE_WORDS_BYTES];
    char code[64]; /* "code", or "type" where there is none */
    char param[64];
};

struct service {
    const char *prefix;       /* of --model */
    const char *key_variable; /* of the environment */
    const char *key_header;   /* "Authorization: Bearer " */
    const char *other_header; /* NULL: none */
    const char *path;         /* "chat/completions" */
    void (*body_print)(const char *model, const struct chat_prompt *prompt, unsigned quirks,
                       struct json_writer *json);
    enum status (*reply_read)(const cJSON *object, struct service_reply *reply,
                              struct error *error);
};
extern const struct service service_openai;
extern const struct service service_anthropic;

/*
 * Where requests go. Services of one kind may want different keys: the variable that
 * `key_variable` names, HOLDFAST_KEY_HOST (and _PORT, if the URL has one; in capitals,
 * other characters than letters and digits as '_'), comes before the service's own where it
 * is set, and sends no key where it is empty.
 */
struct service_target {
    char *url; /* the endpoint in full */
    char *model;
    char *key_variable;
    bool loopback;
};

/*
 * "URL#name". http or https; no user, password, query or fragment in the URL, as it is
 * written into the manifest. http only to this machine itself (localhost, 127.0.0.0/8,
 * [::1]) unless `insecure_http`. The path is completed: "" by "/v1/chat/completions", any
 * other by "/chat/completions" unless it ends with that.
 */
enum status service_target_parse(struct service_target *target,
                                 const struct service *service, const char *text,
                                 bool insecure_http, struct error *error);
void service_target_release(struct service_target *target);

void service_body(const struct service *service, const char *model,
                  const struct chat_prompt *prompt, unsigned quirks,
                  struct text_buffer *body);

/*
 * Half of a surrogate pair, which a server that counts UTF-16 leaves where it cut a reply
 * within an emoji, becomes U+FFFD, in place: our JSON has none, and the rest of the reply
 * is sound.
 */
void service_answer_mend(char *bytes, size_t count);

/* STATUS_FORMAT if this is no answer of the service; reply->text is NULL then. */
enum status service_reply_parse(const struct service *service, const char *bytes,
                                size_t count, struct service_reply *reply,
                                struct error *error);

/* Never fails: of what is no JSON the beginning is the message. */
void service_failure_parse(const char *bytes, size_t count,
                           struct service_failure *failure);

void service_failure_read(const cJSON *object, struct service_failure *failure);

/* The quirk that the failure of a request tells about; 0 if none. */
unsigned service_failure_quirk(const struct service_failure *failure);
bool service_failure_is_filter(const struct service_failure *failure);

/* The service knows no model of this name; llama.cpp's, which serves several, says so with
 * status 400. */
bool service_failure_is_no_model(const struct service_failure *failure);

/* The account is empty: no waiting helps. */
bool service_failure_is_quota(const struct service_failure *failure);

/* At most `bytes` of printable text, white space made one blank. */
void printable_copy(char *out, size_t bytes, const char *text);

/* An upper guess before anything is sent: a token for 3 bytes, and 8 a message. */
int64_t service_tokens_guess(const struct chat_prompt *prompt);

/* A count of "usage"; -1 if it is missing or makes no sense. */
int64_t service_usage(const cJSON *usage, const char *key);

/* Writers that both services use. */
const char *prompt_system(const struct chat_prompt *prompt); /* NULL: none */
void prompt_messages_print(const struct chat_prompt *prompt, bool system_apart,
                           const char *system_in_front, struct json_writer *json);

#endif
