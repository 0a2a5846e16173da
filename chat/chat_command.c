#include "chat/chat_command.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"
#include "chat/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chat_options {
    char *model;
    char *prompt;
    char *system;
    double temperature;
    double top_p;
    int64_t max_tokens;
    int64_t seed;
    char *device;
    char *precision; /* auto, fp32, bf16 */
    int64_t threads;
    struct hosted_options hosted;
};

#define FIELD(name) offsetof(struct chat_options, name)

static const struct option_entry entries[] = {
    {"model", OPTION_STRING, FIELD(model), "MODEL",
     "directory of a checkpoint, openai:URL#NAME or anthropic:URL#NAME (the key is in "
     "OPENAI_API_KEY or ANTHROPIC_API_KEY, or of one host alone in HOLDFAST_KEY_HOST)",
     "Chat"},
    {"prompt", OPTION_STRING, FIELD(prompt), "TEXT",
     "ask this, print the reply and stop; without it, every line of stdin is a turn", NULL},
    {"system", OPTION_STRING, FIELD(system), "TEXT", "a system message in front", NULL},
    {"temperature", OPTION_NUMBER, FIELD(temperature), "X", "0: always the likeliest token",
     NULL},
    {"top-p", OPTION_NUMBER, FIELD(top_p), "X",
     "draw from the likeliest tokens that hold this share", NULL},
    {"max-tokens", OPTION_INTEGER, FIELD(max_tokens), "N", "longest reply in tokens", NULL},
    {"seed", OPTION_INTEGER, FIELD(seed), "N", "of the random numbers", NULL},
    {"device", OPTION_STRING, FIELD(device), "NAME", "cpu, cuda, or cuda:N for GPU N",
     NULL},
    {"precision", OPTION_STRING, FIELD(precision), "NAME",
     "fp32, bf16 or auto: bf16 on GPUs and on CPUs with AVX-512 BF16, else fp32", NULL},
    {"threads", OPTION_INTEGER, FIELD(threads), "N", "CPU threads (0: all cores)", NULL},
    HOSTED_OPTION_ENTRIES(FIELD(hosted)),
    {NULL, OPTION_BOOL, 0, NULL, NULL, NULL},
};

static const struct command_line command_line = {
    .name = "holdfast chat",
    .summary = "Talks to a model on the terminal.",
    .examples = "  holdfast chat --model DIR\n"
                "  holdfast chat --model DIR --prompt \"How do I clean a pan?\" "
                "--temperature 0\n",
    .positional = NULL,
    .entries = entries,
};

/* All that has been said; roles are static, contents owned. */
struct conversation_log {
    struct message *messages;
    size_t count;
    size_t capacity;
};

static void say(struct conversation_log *log, const char *role, const char *content)
{
    array_reserve(log->messages, log->capacity, log->count + 1);
    log->messages[log->count++] =
        (struct message){.role = role, .content = memory_duplicate_string(content)};
}

static void conversation_log_release(struct conversation_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        memory_free_text(log->messages[i].content);
    free(log->messages);
}

/* Whoever wrote the reply must not command the terminal: control characters stay out of it.
 */
static void reply_print(const char *text)
{
    const bool terminal = isatty(STDOUT_FILENO);
    for (const char *at = text; *at; at++)
        if (!terminal || *at == '\n' || *at == '\t' ||
            ((unsigned char)*at >= ' ' && *at != 0x7F))
            putchar(*at);
    putchar('\n');
}

/* Asks for the next turn, prints it and keeps it. */
static enum status turn(struct chat *chat, const struct chat_options *options,
                        struct conversation_log *log, struct error *error)
{
    struct chat_prompt prompt = {
        .messages = log->messages,
        .message_count = log->count,
        .seed = (uint64_t)options->seed,
        .stream = random_stream_of("chat", log->count, 0),
        .temperature = options->temperature,
        .top_p = options->top_p,
        .token_limit = options->max_tokens,
    };
    enum status status = chat_answer(chat, &prompt, 1, NULL, NULL, error);
    if (!status && (prompt.result == CHAT_FAILED || prompt.result == CHAT_FILTERED))
        status = error_set(error, STATUS_LIMIT, "no reply: %s", prompt.text);
    if (!status) {
        reply_print(prompt.text);
        fflush(stdout);
        say(log, "assistant", prompt.text);
    }
    chat_prompt_release(&prompt);
    return status;
}

static enum status converse(struct chat *chat, const struct chat_options *options,
                            struct conversation_log *log, struct error *error)
{
    const bool live = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    enum status status = STATUS_OK;
    char *line = NULL;
    size_t capacity = 0;
    while (!status) {
        if (live)
            fputs("> ", stderr);
        if (getline(&line, &capacity, stdin) < 0)
            break;
        line[strcspn(line, "\r\n")] = '\0';
        if (!*line)
            continue;
        say(log, "user", line);
        status = turn(chat, options, log, error);
    }
    free(line);
    return status;
}

static void chat_options_defaults(struct chat_options *options)
{
    *options = (struct chat_options){.temperature = 1,
                                     .top_p = 1,
                                     .max_tokens = 150,
                                     .seed = 1,
                                     .device = memory_duplicate_string("cpu"),
                                     .precision = memory_duplicate_string("auto")};
    hosted_options_defaults(&options->hosted);
}

static enum status unused_check(const struct chat_options *options, struct error *error)
{
    static const char *const sampling[] = {"temperature", "top-p", NULL};
    struct chat_options defaults;
    enum status status = STATUS_OK;
    chat_options_defaults(&defaults);
    if (!chat_is_hosted(options->model))
        status = options_check_equal(&command_line, options, &defaults, hosted_option_names,
                                     "is of hosted models: leave it out", error);
    else if (options->hosted.reasoning)
        status = options_check_equal(&command_line, options, &defaults, sampling,
                                     "is not sent with --reasoning: leave it out", error);
    options_release(&command_line, &defaults);
    return status;
}

static enum status chat_options_check(const struct chat_options *options,
                                      struct error *error)
{
    if (!options->model)
        return error_set(error, STATUS_USAGE, "--model DIR is missing");
    if (!(options->temperature >= 0) || !(options->top_p > 0 && options->top_p <= 1))
        return error_set(error, STATUS_USAGE,
                         "--temperature must not be negative, --top-p lies in (0, 1]");
    if (options->max_tokens < 1 || options->threads < 0 || options->threads > 4096)
        return error_set(error, STATUS_USAGE,
                         "--max-tokens must be at least 1, --threads 0 to 4096");
    return unused_check(options, error);
}

static enum status chat_run(const struct chat_options *options, struct error *error)
{
    struct chat *chat = NULL;
    struct conversation_log log = {0};
    enum status status = chat_options_check(options, error);
    if (!status)
        status = chat_open_hosted(
            &chat, options->model,
            &(struct backend_options){.device = options->device,
                                      .precision = options->precision,
                                      .thread_count = (int)options->threads},
            &options->hosted, error);
    if (options->system)
        say(&log, "system", options->system);
    if (!status && options->prompt) {
        say(&log, "user", options->prompt);
        status = turn(chat, options, &log, error);
    } else if (!status) {
        status = converse(chat, options, &log, error);
    }
    conversation_log_release(&log);
    chat_close(chat);
    return status;
}

int chat_command(int argc, char **argv)
{
    struct chat_options options;
    struct error error = {0};
    bool help_shown = false;
    chat_options_defaults(&options);
    enum status status =
        options_parse(&command_line, argc, argv, &options, NULL, &help_shown, &error);
    if (!status && !help_shown)
        status = chat_run(&options, &error);
    if (status)
        log_error("%s", error.message);
    options_release(&command_line, &options);
    return status_exit_code(status);
}
