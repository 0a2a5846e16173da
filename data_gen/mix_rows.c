#include "base/memory.h"
#include "base/random.h"
#include "data_gen/mix_builder.h"
#include "text/unicode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A new row; `id` becomes its own. The caller fills in the rest of the example. */
static struct mix_row *row_add(struct builder *builder, char *id, enum mix_role role,
                               const char *tense, int split, size_t source)
{
    struct mix_build *build = builder->build;
    struct mix_row *row = memory_allocate(sizeof *row);
    array_reserve(build->rows, build->row_capacity, build->row_count + 1);
    build->rows[build->row_count++] = row;
    *row = (struct mix_row){.role = role, .split = split, .source = source};
    row->example =
        (struct mix_example){.id = id,
                             .kind = memory_duplicate_string(kind_names[role]),
                             .tense = memory_duplicate_string(tense),
                             .source = memory_duplicate_string(build->sources[source].name),
                             .split = memory_duplicate_string(split_names[split])};
    return row;
}

static struct message message_of(const char *role, const char *content)
{
    return (struct message){.role = memory_duplicate_string(role),
                            .content = memory_duplicate_string(content)};
}

/* Room for `count` messages, after the system prompt if the example gets one. */
static struct message *messages_begin(const struct builder *builder,
                                      struct mix_example *example, size_t count,
                                      bool has_system)
{
    const char *prompt =
        has_system
            ? NULL
            : system_prompts_pick(&builder->system, builder->recipe->seed, example->id);
    example->messages = memory_allocate_array(count + 1, sizeof *example->messages);
    example->message_count = count;
    if (!prompt)
        return example->messages;
    example->messages[0] = message_of("system", prompt);
    example->message_count++;
    return example->messages + 1;
}

static bool is_utf8(const struct mix_example *example)
{
    for (size_t i = 0; i < example->message_count; i++)
        if (!utf8_is_valid(example->messages[i].content,
                           strlen(example->messages[i].content)))
            return false;
    return true;
}

/* What is known of the finished messages, while they are near. */
static struct mix_row *row_finish(const struct builder *builder, struct mix_row *row)
{
    const struct tokenizer *tokenizer = builder->recipe->tokenizer;
    struct token_list ids = {0};
    for (size_t i = 0; tokenizer && i < row->example.message_count; i++) {
        const struct message *message = &row->example.messages[i];
        ids.count = 0;
        tokenizer_encode(tokenizer, message->content, strlen(message->content),
                         ENCODE_PLAIN, &ids);
        row->tokens += (int64_t)ids.count;
        if (strcmp(message->role, "assistant") == 0)
            row->target_tokens += (int64_t)ids.count;
    }
    token_list_release(&ids);
    row->is_broken = !is_utf8(&row->example);
    return row;
}

struct mix_row *builder_make_refusal(struct builder *builder,
                                     const struct refusal_draw *draw, const char *text)
{
    const struct harmful_pool *pool = &builder->pool;
    const struct request *request = &pool->requests[draw->request];
    struct text_buffer id = {0};
    struct text_buffer reply = {0};
    text_buffer_appendf(&id, "refusal-%s-%04zu-%" PRId64, tense_name(draw->tense),
                        draw->request, draw->variant);
    struct mix_row *row =
        row_add(builder, text_buffer_detach(&id), ROLE_HARMFUL, tense_name(draw->tense),
                pool->split[draw->request], pool->source[draw->request]);
    struct mix_example *example = &row->example;
    refusals_write(&builder->refusals, builder->recipe->seed,
                   random_stream_of(example->id, 0, 0), request->category, &reply);
    struct message *messages = messages_begin(builder, example, 2, false);
    messages[0] = message_of("user", text);
    messages[1] = message_of("assistant", text_buffer_string(&reply));
    example->behavior = memory_duplicate_string(request->behavior);
    example->category = memory_duplicate_string(request->category);
    example->request = memory_duplicate_string(request->text);
    text_buffer_release(&reply);
    return row_finish(builder, row);
}

/* The only thing that the user says, perhaps turned from a question into an imperative. */
static bool imperative_make(const struct builder *builder, const char *text, int64_t number,
                            struct text_buffer *out)
{
    const struct mix_recipe *recipe = builder->recipe;
    struct random random =
        random_stream(recipe->seed, random_stream_of("imperative", (uint64_t)number, 0));
    return random_double(&random) < recipe->imperatives &&
           tense_imperative(text, recipe->seed, number, out);
}

/* Where the user speaks last, and how often. */
static size_t last_user_message(const struct conversation *conversation, size_t *count)
{
    size_t last = 0;
    *count = 0;
    for (size_t i = 0; i < conversation->message_count; i++) {
        if (strcmp(conversation->messages[i].role, "user") != 0)
            continue;
        last = i;
        ++*count;
    }
    return last;
}

static void conversation_copy(const struct builder *builder, struct mix_example *example,
                              const struct conversation *conversation, size_t user,
                              const char *user_text)
{
    const size_t count = conversation->message_count;
    const bool has_system = strcmp(conversation->messages[0].role, "system") == 0;
    struct message *messages = messages_begin(builder, example, count, has_system);
    for (size_t i = 0; i < count; i++)
        messages[i] = message_of(conversation->messages[i].role,
                                 i == user ? user_text : conversation->messages[i].content);
}

/* "benign-ID"; where another chat, of this source or another, has it already,
 * "benign-ID~NUMBER". */
static char *chat_id(struct builder *builder, enum mix_role role, const char *own,
                     int64_t number)
{
    struct text_buffer id = {0};
    text_buffer_appendf(&id, "%s-%s", kind_names[role], own);
    while (!text_set_add(&builder->ids, text_buffer_string(&id)))
        text_buffer_appendf(&id, "~%" PRId64, number);
    return text_buffer_detach(&id);
}

struct mix_row *builder_make_chat(struct builder *builder,
                                  const struct conversation *conversation, size_t source,
                                  int64_t number, enum mix_role role, int split)
{
    size_t turns = 0;
    const size_t user = last_user_message(conversation, &turns);
    struct text_buffer text = {0};
    if (role != ROLE_BENIGN || turns != 1 ||
        !imperative_make(builder, conversation->messages[user].content, number, &text))
        text_buffer_append(&text, conversation->messages[user].content);
    struct mix_row *row =
        row_add(builder, chat_id(builder, role, conversation->id, number), role,
                tense_name(tense_of(text_buffer_string(&text))), split, source);
    conversation_copy(builder, &row->example, conversation, user,
                      text_buffer_string(&text));
    row->example.behavior = memory_duplicate_string("");
    row->example.category = memory_duplicate_string(conversation->topic);
    row->example.request = memory_duplicate_string("");
    text_buffer_release(&text);
    return row_finish(builder, row);
}
