#include "base/json.h"
#include "base/memory.h"
#include "base/random.h"
#include "chat/chat_kind.h"

#include <stdlib.h>
#include <string.h>

/*
 * replay:RUN answers with the replies that RUN/attempts.jsonl holds. A prompt finds its own
 * by its stream, which `holdfast eval` makes of set, attack, behaviour and attempt, and
 * gets it only if it says the same; there are no dice in it, so that seed and temperature
 * do not count. What the run does not hold fails, with the reason.
 */
struct stored_reply {
    uint64_t stream;
    size_t order; /* in the file: of two with one stream the first counts */
    enum chat_result result;
    char *prompt;
    char *text;
    int64_t tokens;
};

struct replay {
    struct stored_reply *items;
    size_t count;
    size_t capacity;
};

static uint64_t stream_of(const char *set, const char *attack, int64_t index,
                          int64_t attempt)
{
    struct text_buffer name = {0};
    text_buffer_appendf(&name, "%s|%s", set, attack);
    const uint64_t stream =
        random_stream_of(text_buffer_string(&name), (uint64_t)index, (uint64_t)attempt);
    text_buffer_release(&name);
    return stream;
}

static enum chat_result result_of(const char *outcome, bool truncated)
{
    if (strcmp(outcome, "target_error") == 0)
        return CHAT_FAILED;
    if (strcmp(outcome, "filtered") == 0)
        return CHAT_FILTERED;
    return truncated ? CHAT_TRUNCATED : CHAT_REPLIED;
}

static enum status reply_read(struct replay *replay, const cJSON *object, const char *where,
                              struct error *error)
{
    const char *set, *attack, *prompt, *response, *outcome;
    const char *reason = NULL;
    int64_t index, attempt;
    int64_t tokens = 0;
    bool truncated = false;
    if (json_required_string(object, "set", &set, where, error) ||
        json_required_string(object, "attack", &attack, where, error) ||
        json_required_integer(object, "index", &index, where, error) ||
        json_required_integer(object, "attempt", &attempt, where, error) ||
        json_required_string(object, "prompt", &prompt, where, error) ||
        json_required_string(object, "response", &response, where, error) ||
        json_required_string(object, "outcome", &outcome, where, error) ||
        json_optional_string(object, "error", &reason, where, error) ||
        json_optional_bool(object, "truncated", &truncated, where, error) ||
        json_optional_integer(object, "tokens", &tokens, where, error))
        return error->status;
    array_reserve(replay->items, replay->capacity, replay->count + 1);
    replay->items[replay->count] = (struct stored_reply){
        .stream = stream_of(set, attack, index, attempt),
        .order = replay->count,
        .result = result_of(outcome, truncated || strcmp(outcome, "truncated") == 0),
        .prompt = memory_duplicate_string(prompt),
        .text = memory_duplicate_string(reason ? reason : response),
        .tokens = tokens,
    };
    replay->count++;
    return STATUS_OK;
}

/* A last line without its end was torn by a crash, and is left out. */
static enum status replies_read(struct replay *replay, const struct file_map *map,
                                const char *path, struct error *error)
{
    struct line_reader lines = {.data = (const char *)map->data, .bytes = map->bytes};
    struct text_buffer where = {0};
    enum status status = STATUS_OK;
    while (!status && line_next(&lines)) {
        cJSON *object = NULL;
        if (lines.data[lines.offset - 1] != '\n' || line_is_blank(&lines))
            continue;
        text_buffer_clear(&where);
        text_buffer_appendf(&where, "%s: line %lld", path, (long long)lines.number);
        status = json_parse_line(&object, lines.line, lines.line_bytes,
                                 text_buffer_string(&where), error);
        if (!status)
            status = reply_read(replay, object, text_buffer_string(&where), error);
        cJSON_Delete(object);
    }
    text_buffer_release(&where);
    return status;
}

/* Of one attempt what failed comes last: a run that went on may have made it again. */
static int compare_replies(const void *left, const void *right)
{
    const struct stored_reply *a = left;
    const struct stored_reply *b = right;
    if (a->stream != b->stream)
        return a->stream < b->stream ? -1 : 1;
    if ((a->result == CHAT_FAILED) != (b->result == CHAT_FAILED))
        return a->result == CHAT_FAILED ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static enum status replay_open(struct chat *chat, const char *run,
                               const struct backend_options *backend,
                               const struct hosted_options *hosted, struct error *error)
{
    struct replay *replay = memory_allocate(sizeof *replay);
    struct file_map map;
    (void)backend;
    (void)hosted;
    chat->state = replay;
    char *path = path_join(run, "attempts.jsonl");
    enum status status = file_map(&map, path, error);
    if (!status) {
        bytes_sha256(chat->fingerprint, map.data, map.bytes);
        status = replies_read(replay, &map, path, error);
        file_unmap(&map);
    }
    if (!status && replay->count == 0)
        status = error_set(error, STATUS_FORMAT, "%s: holds no attempt", path);
    if (!status)
        qsort(replay->items, replay->count, sizeof *replay->items, compare_replies);
    free(path);
    return status;
}

static void replay_close(struct chat *chat)
{
    struct replay *replay = chat->state;
    for (size_t i = 0; i < replay->count; i++) {
        free(replay->items[i].prompt);
        free(replay->items[i].text);
    }
    free(replay->items);
    free(replay);
}

/* The first stored reply of a stream; NULL if there is none. */
static const struct stored_reply *reply_find(const struct replay *replay, uint64_t stream)
{
    size_t low = 0;
    size_t high = replay->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (replay->items[middle].stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low < replay->count && replay->items[low].stream == stream ? &replay->items[low]
                                                                      : NULL;
}

static void prompt_answer(const struct replay *replay, struct chat_prompt *prompt)
{
    const struct stored_reply *reply = reply_find(replay, prompt->stream);
    const char *asked = prompt->messages[prompt->message_count - 1].content;
    const char *text = NULL;
    prompt->result = CHAT_FAILED;
    prompt->prompt_tokens = 0;
    prompt->reply_tokens = 0;
    prompt->milliseconds = 0;
    if (!reply)
        text = "the stored run does not hold this attempt";
    else if (strcmp(reply->prompt, asked) != 0)
        text = "the stored run asked something else in this attempt";
    prompt->text = memory_duplicate_string(text ? text : reply->text);
    if (text)
        return;
    prompt->result = reply->result;
    prompt->reply_tokens = reply->tokens;
}

static enum status replay_answer(struct chat *chat, struct chat_prompt *prompts,
                                 size_t count, chat_done *done, void *context,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++)
        prompts[i].text = NULL;
    for (size_t i = 0; i < count && !status; i++) {
        prompt_answer(chat->state, &prompts[i]);
        if (done)
            status = done(context, &prompts[i], error);
    }
    return status;
}

/* Every answer is there, or none will ever be. */
static bool replay_knows(struct chat *chat, const struct chat_prompt *prompt)
{
    (void)chat;
    (void)prompt;
    return true;
}

const struct chat_kind chat_replay = {
    .prefix = "replay:",
    .open = replay_open,
    .close = replay_close,
    .answer = replay_answer,
    .knows = replay_knows,
};
