#include "data_gen/chat_stream.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

void chat_user_text(const struct conversation *conversation, struct text_buffer *out)
{
    for (size_t i = 0; i < conversation->message_count; i++) {
        if (strcmp(conversation->messages[i].role, "user") != 0)
            continue;
        if (out->length)
            text_buffer_append_char(out, '\n');
        text_buffer_append(out, conversation->messages[i].content);
    }
}

/* Reads chat `number`; false, with the stream's error, if that fails. */
static bool chat_at(struct chat_stream *stream, int64_t number, size_t *list,
                    struct conversation *conversation)
{
    size_t item = (size_t)number;
    size_t at = 0;
    while (item >= stream->lists[at].count)
        item -= stream->lists[at++].count;
    *list = at;
    return conversation_list_get(&stream->lists[at], item, conversation, &stream->error) ==
           STATUS_OK;
}

/* Places of the shuffled order, to be brought together by topic. */
struct placed_chat {
    char *topic;
    size_t place;
    int64_t number;
};

static int placed_compare(const void *a, const void *b)
{
    const struct placed_chat *left = a;
    const struct placed_chat *right = b;
    const int topics = strcmp(left->topic, right->topic);
    if (topics)
        return topics;
    return (left->place > right->place) - (left->place < right->place);
}

static void topics_make(struct chat_stream *stream)
{
    struct placed_chat *chats = memory_allocate_array(stream->count + 1, sizeof *chats);
    const size_t chat_count = stream->count;
    size_t capacity = 0;
    size_t list = 0;
    for (size_t i = 0; i < stream->count; i++) {
        struct conversation conversation;
        if (!chat_at(stream, stream->order[i], &list, &conversation))
            stream->count = 0; /* none is given: the error is told instead */
        else
            chats[i] = (struct placed_chat){memory_duplicate_string(conversation.topic), i,
                                            stream->order[i]};
        conversation_release(&conversation);
    }
    qsort(chats, stream->count, sizeof *chats, placed_compare);
    for (size_t i = 0; i < stream->count; i++) {
        stream->order[i] = chats[i].number;
        if (i == 0 || strcmp(chats[i].topic, chats[i - 1].topic) != 0) {
            array_reserve(stream->topics, capacity, stream->topic_count + 1);
            stream->topics[stream->topic_count++] = (struct chat_topic){i, i, 0};
        }
        stream->topics[stream->topic_count - 1].end++;
    }
    for (size_t i = 0; i < chat_count; i++)
        free(chats[i].topic);
    free(chats);
}

void chat_stream_open(struct chat_stream *stream, const char *name, uint64_t seed,
                      bool balance)
{
    for (size_t i = 0; i < stream->list_count; i++)
        stream->count += stream->lists[i].count;
    stream->order = memory_allocate_array(stream->count + 1, sizeof *stream->order);
    for (size_t i = 0; i < stream->count; i++)
        stream->order[i] = (int64_t)i;
    struct random random = random_stream(seed, random_stream_of(name, 0, 0));
    random_shuffle(&random, stream->order, stream->count);
    if (balance) {
        topics_make(stream);
        return;
    }
    stream->topics = memory_allocate_array(1, sizeof *stream->topics);
    stream->topics[0].end = stream->count;
    stream->topic_count = 1;
}

void chat_stream_close(struct chat_stream *stream)
{
    conversation_release(&stream->current);
    free(stream->order);
    free(stream->topics);
    *stream = (struct chat_stream){0};
}

/* Whether users say something, and something new. */
static bool chat_is_new(struct chat_stream *stream, const struct conversation *conversation,
                        struct mix_source *source)
{
    struct text_buffer text = {0};
    chat_user_text(conversation, &text);
    bool is_new = text.length && text_set_add(stream->seen, text_buffer_string(&text));
    source->duplicates += !is_new;
    if (is_new && stream->near &&
        near_duplicates_add(stream->near, text_buffer_string(&text)) >= 0) {
        source->near_duplicates++;
        is_new = false;
    }
    text_buffer_release(&text);
    return is_new;
}

static struct chat_topic *topic_next(const struct chat_stream *stream)
{
    struct chat_topic *best = NULL;
    for (size_t i = 0; i < stream->topic_count; i++) {
        struct chat_topic *topic = &stream->topics[i];
        if (topic->next < topic->end && (!best || topic->taken < best->taken))
            best = topic;
    }
    return best;
}

const struct conversation *chat_stream_next(struct chat_stream *stream, size_t *source,
                                            int64_t *number)
{
    for (struct chat_topic *topic; (topic = topic_next(stream)) != NULL;) {
        size_t list = 0;
        *number = stream->order[topic->next++];
        conversation_release(&stream->current);
        if (!chat_at(stream, *number, &list, &stream->current))
            return NULL;
        *source = stream->first_source + list;
        if (!chat_is_new(stream, &stream->current, &stream->sources[*source]))
            continue;
        topic->taken++;
        return &stream->current;
    }
    return NULL;
}
