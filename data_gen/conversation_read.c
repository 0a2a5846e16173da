#include "data_gen/conversation_read.h"

#include "base/memory.h"
#include "data_gen/mix.h"
#include "data_gen/records.h"

#include <stdlib.h>
#include <string.h>

const struct conversation_layout conversation_layouts[] = {
    {"instruction", "output"},   /* Alpaca */
    {"instruction", "response"}, /* Dolly, GPTeacher */
    {"prompt", "completion"},    /* TRL, OpenAI */
    {"prompt", "response"},      {"question", "answer"}, {NULL, NULL},
};

static struct message message_make(const char *role, const char *content)
{
    return (struct message){.role = memory_duplicate_string(role),
                            .content = memory_duplicate_string(content)};
}

static bool is_blank(const char *text)
{
    return !text || strspn(text, " \t\r\n") == strlen(text);
}

static bool one_turn_read(struct conversation *conversation, const cJSON *object,
                          const struct conversation_layout *layout)
{
    char scratch[3][RECORD_SCRATCH_BYTES];
    const char *request = record_text(object, layout->request, scratch[0]);
    const char *reply = record_text(object, layout->reply, scratch[1]);
    const char *context = NULL;
    if (is_blank(request) || is_blank(reply))
        return false;
    if (strcmp(layout->request, "instruction") == 0)
        context = record_text(object, record_get(object, "input") ? "input" : "context",
                              scratch[2]);
    struct text_buffer user = {0};
    text_buffer_append(&user, request);
    if (!is_blank(context))
        text_buffer_appendf(&user, "\n\n%s", context);
    conversation->messages = memory_allocate_array(2, sizeof *conversation->messages);
    conversation->messages[0] = message_make("user", text_buffer_string(&user));
    conversation->messages[1] = message_make("assistant", reply);
    conversation->message_count = 2;
    text_buffer_release(&user);
    return true;
}

const char *conversation_sharegpt_role(const char *from)
{
    static const char *const names[][2] = {
        {"human", "user"},          {"user", "user"},         {"gpt", "assistant"},
        {"assistant", "assistant"}, {"chatgpt", "assistant"}, {"system", "system"}};
    for (size_t i = 0; from && i < sizeof names / sizeof *names; i++)
        if (strcmp(from, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

static bool sharegpt_read(struct conversation *conversation, const cJSON *turns)
{
    if (!cJSON_IsArray(turns) || !turns->child)
        return false;
    conversation->messages = memory_allocate_array((size_t)cJSON_GetArraySize(turns),
                                                   sizeof *conversation->messages);
    const cJSON *turn;
    cJSON_ArrayForEach(turn, turns)
    {
        char scratch[RECORD_SCRATCH_BYTES];
        const char *role = conversation_sharegpt_role(record_text(turn, "from", scratch));
        const cJSON *value = json_get(turn, "value");
        if (!role || !cJSON_IsString(value))
            return false;
        conversation->messages[conversation->message_count++] =
            message_make(role, value->valuestring);
    }
    return true;
}

bool conversation_is_usable(const struct conversation *conversation)
{
    for (size_t i = 1; i < conversation->message_count; i++)
        if (strcmp(conversation->messages[i].role, "assistant") == 0)
            return !is_blank(conversation->messages[i].content);
    return false;
}

static bool messages_read(struct conversation *conversation, const cJSON *object,
                          const struct source_spec *spec)
{
    struct error why; /* of no use here: rows that cannot be used are counted */
    const cJSON *messages = record_get(object, "messages");
    const cJSON *turns = record_get(object, "conversations");
    if (messages)
        return messages_parse(&conversation->messages, &conversation->message_count,
                              messages, spec->path, &why) == STATUS_OK;
    if (turns)
        return sharegpt_read(conversation, turns);
    for (size_t i = 0; conversation_layouts[i].request; i++) {
        struct conversation_layout layout = conversation_layouts[i];
        if (spec->column)
            layout.request = spec->column;
        if (record_get(object, layout.request) && record_get(object, layout.reply) &&
            one_turn_read(conversation, object, &layout))
            return true;
    }
    return false;
}

/* The first that is not blank; NULL if there is none. */
static char *first_text(const cJSON *object, const char *const *keys)
{
    char scratch[RECORD_SCRATCH_BYTES];
    for (; *keys; keys++) {
        const char *text = record_text(object, *keys, scratch);
        if (!is_blank(text))
            return memory_duplicate_string(text);
    }
    return NULL;
}

void conversation_complete(struct conversation *conversation, int64_t row,
                           const struct source_spec *spec)
{
    if (!conversation->id) {
        struct text_buffer id = {0};
        text_buffer_appendf(&id, "%s-%lld", spec->name, (long long)row);
        conversation->id = text_buffer_detach(&id);
    }
    if (!conversation->topic)
        conversation->topic = memory_duplicate_string("");
    conversation->source = memory_duplicate_string(spec->name);
}

bool conversation_read(struct conversation *conversation, const cJSON *object, int64_t row,
                       const struct source_spec *spec)
{
    static const char *const id_keys[] = {"id", NULL};
    static const char *const topic_keys[] = {"category", "topic", NULL};
    *conversation = (struct conversation){0};
    if (!messages_read(conversation, object, spec) ||
        !conversation_is_usable(conversation)) {
        conversation_release(conversation);
        return false;
    }
    conversation->id = first_text(object, id_keys);
    conversation->topic = first_text(object, topic_keys);
    conversation_complete(conversation, row, spec);
    return true;
}

void conversation_release(struct conversation *conversation)
{
    messages_free(conversation->messages, conversation->message_count);
    free(conversation->id);
    free(conversation->source);
    free(conversation->topic);
    *conversation = (struct conversation){0};
}
