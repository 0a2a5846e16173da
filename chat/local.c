#include "base/log.h"
#include "base/memory.h"
#include "chat/chat_kind.h"
#include "chat/thoughts.h"
#include "checkpoints/model_directory.h"
#include "model/generator.h"
#include "model/transformer.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

/* A local checkpoint: tokenizer, template and transformer of one directory. */
struct local {
    struct backend *backend;
    struct tokenizer *tokenizer;
    struct chat_template *chat_template;
    struct transformer *model;
    int32_t stop_tokens[16];
    int64_t stop_count;
};

/* One call of chat_answer(). */
struct answering {
    struct chat *chat;
    struct chat_prompt **owners; /* of the generation requests, in their order */
    struct generation_request *requests;
    struct token_list *encoded;
    size_t count;
    chat_done *done;
    void *context;
    double start_seconds;
    struct error *error;
    enum status status; /* of the first done() that failed */
};

static void stop_token_add(struct local *local, int32_t token)
{
    for (int64_t i = 0; i < local->stop_count; i++)
        if (local->stop_tokens[i] == token)
            return;
    if (token >= 0)
        local->stop_tokens[local->stop_count++] = token;
}

static void stop_tokens_collect(struct local *local)
{
    const struct architecture *architecture = transformer_architecture(local->model);
    for (int32_t i = 0; i < architecture->eos_token_count; i++)
        stop_token_add(local, architecture->eos_tokens[i]);
    stop_token_add(local, chat_template_end_of_turn(local->chat_template));
    stop_token_add(local, chat_template_end_of_inner_turn(local->chat_template));
}

static enum status text_open(struct local *local, const char *directory,
                             struct error *error)
{
    char *text = NULL;
    enum status status = model_directory_text(&text, directory, error);
    if (!status)
        status = tokenizer_open_directory(&local->tokenizer, text, error);
    if (!status)
        status = chat_template_open_directory(&local->chat_template, text, local->tokenizer,
                                              error);
    free(text);
    return status;
}

static enum status replies_precise(const struct backend *backend, struct error *error)
{
    if (!backend_fp8(backend))
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "precision \"fp8\" is for training: replies are made in bf16 or fp32");
}

static enum status local_open(struct chat *chat, const char *directory,
                              const struct backend_options *backend,
                              const struct hosted_options *hosted, struct error *error)
{
    (void)hosted;
    struct local *local = memory_allocate(sizeof *local);
    chat->state = local;
    if (model_directory_check(directory, error))
        return error_prefix(error, "--model");
    if (text_open(local, directory, error) ||
        backend_open(&local->backend, backend, error) ||
        replies_precise(local->backend, error) ||
        transformer_open_directory(&local->model, local->backend, directory,
                                   MASTERS_DROPPED, error) ||
        tokenizer_check_rows(local->tokenizer,
                             transformer_architecture(local->model)->vocabulary, directory,
                             error))
        return error->status;
    transformer_arrange(local->model);
    chat->precision = backend_compute_dtype(local->backend) == DTYPE_BF16 ? "bf16" : "fp32";
    log_info("%s", backend_description(local->backend));
    if (*tokenizer_warnings(local->tokenizer))
        log_warning("%s", tokenizer_warnings(local->tokenizer));
    stop_tokens_collect(local);
    return model_directory_fingerprint(chat->fingerprint, directory, true, error);
}

static void local_close(struct chat *chat)
{
    struct local *local = chat->state;
    transformer_free(local->model);
    chat_template_free(local->chat_template);
    tokenizer_free(local->tokenizer);
    backend_close(local->backend);
    free(local);
}

/* Hands one finished prompt over, unless an earlier one was refused. */
static void report(struct answering *answering, struct chat_prompt *prompt)
{
    prompt->milliseconds = 1e3 * (clock_seconds() - answering->start_seconds);
    if (!answering->status && answering->done)
        answering->status = answering->done(answering->context, prompt, answering->error);
}

static void fail(struct answering *answering, struct chat_prompt *prompt,
                 const char *reason)
{
    prompt->result = CHAT_FAILED;
    prompt->text = memory_duplicate_string(reason);
    report(answering, prompt);
}

/* As a C string: a NUL that the model says becomes U+FFFD, as json_parse() has it. */
static char *text_of(const struct text_buffer *decoded)
{
    struct text_buffer text = {0};
    for (size_t i = 0; i < decoded->length; i++) {
        if (decoded->data[i] != '\0')
            text_buffer_append_char(&text, decoded->data[i]);
        else
            text_buffer_append(&text, "\xEF\xBF\xBD");
    }
    return text_buffer_detach(&text);
}

/* The embedding may have more rows than the tokenizer has ids: those say nothing. */
static void reply_decode(const struct tokenizer *tokenizer,
                         const struct generation_request *request, struct text_buffer *text)
{
    const int64_t ids = tokenizer_vocabulary_count(tokenizer);
    int64_t known = 0;
    for (int64_t i = 0; i < request->reply_count; i++)
        if (request->reply[i] < ids)
            request->reply[known++] = request->reply[i];
    tokenizer_decode(tokenizer, request->reply, (size_t)known, false, text);
}

/* Where the template opened the model's thoughts, the tag belongs to what it says: else
 * nobody could tell them from a reply that was cut. */
static void thoughts_open(const struct tokenizer *tokenizer,
                          const struct generation_request *request,
                          struct text_buffer *text)
{
    enum { TAIL_TOKENS = 24 };
    const int64_t count =
        request->prompt_count < TAIL_TOKENS ? request->prompt_count : TAIL_TOKENS;
    struct text_buffer tail = {0};
    tokenizer_decode(tokenizer, request->prompt + request->prompt_count - count,
                     (size_t)count, true, &tail);
    const char *tag = thoughts_opened_by(text_buffer_string(&tail));
    if (tag)
        text_buffer_appendf(text, "%s\n", tag);
    text_buffer_release(&tail);
}

static void on_generated(void *context, struct generation_request *request)
{
    struct answering *answering = context;
    const struct local *local = answering->chat->state;
    struct chat_prompt *prompt = answering->owners[request - answering->requests];
    struct text_buffer text = {0};
    thoughts_open(local->tokenizer, request, &text);
    reply_decode(local->tokenizer, request, &text);
    prompt->result = request->stopped ? CHAT_REPLIED : CHAT_TRUNCATED;
    prompt->reply_tokens = request->reply_count;
    prompt->text = text_of(&text);
    text_buffer_release(&text);
    report(answering, prompt);
}

static void request_add(struct answering *answering, struct chat_prompt *prompt,
                        struct token_list *ids)
{
    const struct local *local = answering->chat->state;
    answering->owners[answering->count] = prompt;
    answering->encoded[answering->count] = *ids;
    answering->requests[answering->count++] = (struct generation_request){
        .prompt = ids->ids,
        .prompt_count = (int64_t)ids->count,
        .seed = prompt->seed,
        .stream = prompt->stream,
        .sampling = {.temperature = prompt->temperature,
                     .top_p = prompt->top_p,
                     .token_limit = prompt->token_limit},
        .stop_tokens = local->stop_tokens,
        .stop_count = local->stop_count,
    };
}

/* Encodes a prompt; one that cannot be asked fails alone, with its reason. */
static void prompt_prepare(struct answering *answering, struct chat_prompt *prompt)
{
    const struct local *local = answering->chat->state;
    const struct architecture *architecture = transformer_architecture(local->model);
    const int64_t limit = architecture->position_limit;
    struct token_list ids = {0};
    struct error error = {0};
    prompt->text = NULL;
    prompt->reply_tokens = 0;
    if (chat_template_encode(local->chat_template, local->tokenizer, prompt->messages,
                             prompt->message_count, true, &ids, NULL,
                             &error) == STATUS_OK &&
        (int64_t)ids.count >= limit)
        error_set(&error, STATUS_LIMIT,
                  "the prompt has %zu tokens; the model takes %lld at most (its \"%s\"), "
                  "one of them for the reply",
                  ids.count, (long long)limit, architecture_limit_name(architecture));
    prompt->prompt_tokens = (int64_t)ids.count;
    if (!error.status) {
        request_add(answering, prompt, &ids);
        return;
    }
    token_list_release(&ids);
    fail(answering, prompt, error.message);
}

static void answering_release(struct answering *answering)
{
    for (size_t i = 0; i < answering->count; i++) {
        token_list_release(&answering->encoded[i]);
        free(answering->requests[i].reply);
    }
    free(answering->encoded);
    free(answering->requests);
    free(answering->owners);
}

static enum status local_answer(struct chat *chat, struct chat_prompt *prompts,
                                size_t count, chat_done *done, void *context,
                                struct error *error)
{
    const struct local *local = chat->state;
    struct answering answering = {
        .chat = chat,
        .owners = memory_allocate_array(count, sizeof *answering.owners),
        .requests = memory_allocate_array(count, sizeof *answering.requests),
        .encoded = memory_allocate_array(count, sizeof *answering.encoded),
        .done = done,
        .context = context,
        .start_seconds = clock_seconds(),
        .error = error,
    };
    for (size_t i = 0; i < count && !answering.status; i++)
        prompt_prepare(&answering, &prompts[i]);
    enum status status = answering.status;
    if (!status) {
        struct error broken = {0};
        status = generate(local->model, answering.requests, (int64_t)answering.count,
                          chat->batch_limit, on_generated, &answering, &broken);
        if (answering.status)
            status = answering.status;
        else if (status)
            *error = broken;
    }
    answering_release(&answering);
    return status;
}

const struct chat_kind chat_local = {
    .prefix = "", .open = local_open, .close = local_close, .answer = local_answer};
