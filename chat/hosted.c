#include "chat/hosted.h"

#include "base/log.h"
#include "base/memory.h"
#include "chat/answer_cache.h"
#include "chat/chat_kind.h"

#include <stdlib.h>
#include <string.h>

static const unsigned reasoning_quirks =
    QUIRK_COMPLETION_TOKENS | QUIRK_NO_TEMPERATURE | QUIRK_NO_TOP_P | QUIRK_NO_SYSTEM;

/* In a header of HTTP anything else would end the line, or hide in it. */
static bool key_is_sound(const char *key)
{
    for (; *key; key++)
        if (*key <= ' ' || *key > '~')
            return false;
    return true;
}

static void header_add(struct hosted *hosted, const char *line)
{
    struct curl_slist *longer = curl_slist_append(hosted->headers, line);
    CHECK(longer);
    hosted->headers = longer;
}

static enum status key_take(struct hosted *hosted, struct error *error)
{
    const struct service *service = hosted->service;
    struct text_buffer line = {0};
    const bool own = getenv(hosted->target.key_variable) != NULL;
    hosted->key_variable = own ? hosted->target.key_variable : service->key_variable;
    const char *key = getenv(hosted->key_variable);
    if (!key || !*key)
        return STATUS_OK;
    if (!key_is_sound(key))
        return error_set(error, STATUS_USAGE,
                         "%s holds blanks or characters that no key has",
                         hosted->key_variable);
    hosted->key = memory_duplicate_string(key);
    text_buffer_appendf(&line, "%s%s", service->key_header, key);
    header_add(hosted, text_buffer_string(&line));
    explicit_bzero(line.data, line.length);
    text_buffer_release(&line);
    return STATUS_OK;
}

static enum status headers_make(struct hosted *hosted, struct error *error)
{
    header_add(hosted, "Content-Type: application/json");
    header_add(hosted, "Accept: application/json");
    header_add(hosted, "Expect:");
    if (hosted->service->other_header)
        header_add(hosted, hosted->service->other_header);
    return key_take(hosted, error);
}

/* What of a service decides replies, as far as anyone can know. */
static void fingerprint_make(const struct hosted *hosted, char hex[SHA256_HEX_BYTES])
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_string(&json, "service", hosted->service->prefix);
    json_string(&json, "url", hosted->target.url);
    json_string(&json, "model", hosted->target.model);
    json_bool(&json, "reasoning", hosted->options.reasoning);
    json_object_end(&json);
    bytes_sha256(hex, text_buffer_string(&text), text.length);
    text_buffer_release(&text);
}

void hosted_cache_key(const struct hosted *hosted, const struct chat_prompt *prompt,
                      char key[SHA256_HEX_BYTES])
{
    char service[SHA256_HEX_BYTES];
    char number[24];
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    fingerprint_make(hosted, service);
    json_object_begin(&json, NULL);
    json_string(&json, "service", service);
    prompt_messages_print(prompt, false, NULL, &json);
    json_number(&json, "temperature", prompt->temperature);
    json_number(&json, "top_p", prompt->top_p);
    json_integer(&json, "token_limit", prompt->token_limit);
    snprintf(number, sizeof number, "%llu", (unsigned long long)prompt->seed);
    json_string(&json, "seed", number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)prompt->stream);
    json_string(&json, "stream", number);
    json_object_end(&json);
    bytes_sha256(key, text_buffer_string(&text), text.length);
    text_buffer_release(&text);
}

static void options_take(struct hosted *hosted, const struct hosted_options *options)
{
    if (options)
        hosted->options = *options;
    else
        hosted_options_defaults(&hosted->options);
    hosted->options.cache = memory_duplicate_string(hosted->options.cache);
    hosted->quirks = hosted->options.reasoning ? reasoning_quirks : 0;
}

static enum status hosted_open(struct chat *chat, const struct service *service,
                               const char *target, const struct hosted_options *options,
                               struct error *error)
{
    struct hosted *hosted = memory_allocate(sizeof *hosted);
    chat->state = hosted;
    hosted->service = service;
    options_take(hosted, options);
    if (hosted_options_check(&hosted->options, error))
        return error->status;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(error, STATUS_UNSUPPORTED, "libcurl does not start");
    if (service_target_parse(&hosted->target, service, target,
                             hosted->options.insecure_http, error) ||
        headers_make(hosted, error))
        return error->status;
    if (hosted->options.cache && file_make_directories(hosted->options.cache, error))
        return error->status;
    hosted->idle = memory_allocate_array((size_t)hosted->options.concurrency,
                                         sizeof(struct transfer *));
    hosted->multi = curl_multi_init();
    CHECK(hosted->multi);
    curl_multi_setopt(hosted->multi, CURLMOPT_MAXCONNECTS,
                      (long)hosted->options.concurrency);
    pacing_init(&hosted->pacing, hosted->options.concurrency);
    fingerprint_make(hosted, chat->fingerprint);
    return STATUS_OK;
}

static enum status openai_open(struct chat *chat, const char *target,
                               const struct backend_options *backend,
                               const struct hosted_options *options, struct error *error)
{
    (void)backend;
    return hosted_open(chat, &service_openai, target, options, error);
}

static enum status anthropic_open(struct chat *chat, const char *target,
                                  const struct backend_options *backend,
                                  const struct hosted_options *options, struct error *error)
{
    (void)backend;
    return hosted_open(chat, &service_anthropic, target, options, error);
}

static void key_wipe(struct hosted *hosted)
{
    for (struct curl_slist *header = hosted->headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data));
    curl_slist_free_all(hosted->headers);
    if (hosted->key)
        explicit_bzero(hosted->key, strlen(hosted->key));
    free(hosted->key);
}

static void spending_tell(const struct hosted *hosted)
{
    const struct spending *spending = &hosted->spending;
    struct text_buffer cost = {0};
    if (spending->requests + hosted->cached < 2)
        return;
    if (hosted->options.price_in > 0 || hosted->options.price_out > 0)
        text_buffer_appendf(&cost, ", cost %.4f",
                            tokens_cost(&hosted->options, spending->spent));
    log_info("%s: %lld requests, %lld answers from the cache; %lld prompt and %lld reply "
             "tokens%s",
             hosted->target.model, (long long)spending->requests, (long long)hosted->cached,
             (long long)spending->spent.prompt, (long long)spending->spent.reply,
             text_buffer_string(&cost));
    text_buffer_release(&cost);
}

static void hosted_close(struct chat *chat)
{
    struct hosted *hosted = chat->state;
    spending_tell(hosted);
    for (size_t i = 0; i < hosted->idle_count; i++)
        transfer_free(hosted->idle[i]);
    free(hosted->idle);
    if (hosted->multi)
        curl_multi_cleanup(hosted->multi);
    key_wipe(hosted);
    service_target_release(&hosted->target);
    free(hosted->options.cache);
    free(hosted);
}

static bool hosted_knows(struct chat *chat, const struct chat_prompt *prompt)
{
    const struct hosted *hosted = chat->state;
    char key[SHA256_HEX_BYTES];
    hosted_cache_key(hosted, prompt, key);
    return hosted->options.cache && answer_cache_has(hosted->options.cache, key);
}

const struct chat_kind chat_openai = {
    .prefix = "openai:",
    .open = openai_open,
    .close = hosted_close,
    .answer = hosted_answer,
    .knows = hosted_knows,
};

const struct chat_kind chat_anthropic = {
    .prefix = "anthropic:",
    .open = anthropic_open,
    .close = hosted_close,
    .answer = hosted_answer,
    .knows = hosted_knows,
};
