#ifndef HOLDFAST_DATA_GEN_CHAT_STREAM_H
#define HOLDFAST_DATA_GEN_CHAT_STREAM_H

#include "base/text_buffer.h"
#include "data_gen/mix_build.h"
#include "data_gen/near_duplicates.h"
#include "data_gen/source.h"
#include "data_gen/text_set.h"

/*
 * The chats of some sources in one seeded order, each at most once, less those whose users
 * say what was said before: the same (`seen`), or nearly (`near`). Balanced by topic, the
 * topic that gave the fewest comes next, until all are empty.
 */
struct chat_stream {
    const struct conversation_list *lists;
    size_t list_count;
    size_t first_source; /* of lists[0], in build->sources */
    struct mix_source *sources;
    struct text_set *seen;
    struct near_duplicates *near; /* NULL: not asked for */
    int64_t *order;               /* [count] chat numbers, those of a topic together */
    size_t count;
    struct chat_topic {
        size_t next; /* in order */
        size_t end;
        int64_t taken;
    } * topics;
    size_t topic_count;
    struct conversation current; /* the chat that was given last */
    struct error error;          /* why there is none: a chat could not be read */
};

/* `name` seeds the order. The sources must stay where they are while it is open. */
void chat_stream_open(struct chat_stream *stream, const char *name, uint64_t seed,
                      bool balance);
void chat_stream_close(struct chat_stream *stream);

/*
 * The next chat, its source and its number in the stream's sources, until the next call;
 * NULL: no more, or stream->error.
 */
const struct conversation *chat_stream_next(struct chat_stream *stream, size_t *source,
                                            int64_t *number);

/* All that users say in a chat, joined by line feeds. */
void chat_user_text(const struct conversation *conversation, struct text_buffer *out);

#endif
