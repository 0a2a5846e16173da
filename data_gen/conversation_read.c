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
    {"prompt", "response"},
    {"question", "answer"},
    {"question", "response"}, /* OpenOrca */
    {"query", "response"},
    {"input", "output"},
    {NULL, NULL},
};

const char *const conversation_system_keys[] = {"system", "system_prompt", NULL};

static struct message message_make(const char *role, const char *content)
{
    return (struct message){.role = memory_duplicate_string(role),
                            .content = memory_duplicate_string(content)};
}

static bool is_blank(const char *text)
{
    return !text || strspn(text, " \t\r\n") == strlen(text);
}

static void message_add(struct conversation *conversation, const char *role,
                        const char *content)
{
    struct message *messages = conversation->messages;
    messages =
        memory_resize_array(messages, conversation->message_count + 1, sizeof *messages);
    messages[conversation->message_count++] = message_make(role, content);
    conversation->messages = messages;
}

/* Alpaca's "history": a list of earlier [request, reply]; false if it is another list. */
static bool history_read(struct conversation *conversation, const cJSON *object)
{
    const cJSON *turn;
    const cJSON *history = record_get(object, "history");
    if (!cJSON_IsArray(history))
        return true;
    cJSON_ArrayForEach(turn, history)
    {
        if (!cJSON_IsArray(turn) || cJSON_GetArraySize(turn) != 2 ||
            !cJSON_IsString(turn->child) || !cJSON_IsString(turn->child->next))
            return false;
        message_add(conversation, "user", turn->child->valuestring);
        message_add(conversation, "assistant", turn->child->next->valuestring);
    }
    return true;
}

static bool one_turn_read(struct conversation *conversation, const cJSON *object,
                          const struct conversation_layout *layout)
{
    char scratch[3][RECORD_SCRATCH_BYTES];
    const char *request = record_text(object, layout->request, scratch[0]);
    const char *reply = record_text(object, layout->reply, scratch[1]);
    const char *context = NULL;
    if (is_blank(request) || is_blank(reply) || !history_read(conversation, object))
        return false;
    if (strcmp(layout->request, "instruction") == 0)
        context = record_text(object, record_get(object, "input") ? "input" : "context",
                              scratch[2]);
    struct text_buffer user = {0};
    text_buffer_append(&user, request);
    if (!is_blank(context))
        text_buffer_appendf(&user, "\n\n%s", context);
    message_add(conversation, "user", text_buffer_string(&user));
    message_add(conversation, "assistant", reply);
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

/* ShareGPT's turns. */
static bool turns_read(struct conversation *conversation, const cJSON *turns)
{
    const cJSON *turn;
    if (!cJSON_IsArray(turns))
        return false;
    cJSON_ArrayForEach(turn, turns)
    {
        char scratch[RECORD_SCRATCH_BYTES];
        const char *role = conversation_sharegpt_role(record_text(turn, "from", scratch));
        const cJSON *value = json_get(turn, "value");
        if (!role || !cJSON_IsString(value) || message_problem(turn, role))
            return false;
        message_add(conversation, role, value->valuestring);
    }
    return true;
}

/* OpenAI's messages, added to those that are there. */
static bool list_read(struct conversation *conversation, const cJSON *array,
                      bool has_sharegpt_roles, const struct source_spec *spec)
{
    struct error why; /* of no use here: rows that cannot be used are counted */
    struct message *messages;
    size_t count;
    if (messages_parse(&messages, &count, array, spec->path, &why))
        return false;
    const cJSON *item = array->child;
    bool good = true;
    for (size_t i = 0; i < count && good; i++, item = item->next) {
        const char *role = has_sharegpt_roles ? conversation_sharegpt_role(messages[i].role)
                                              : messages[i].role;
        good = role && !message_problem(item, role);
        if (good)
            message_add(conversation, role, messages[i].content);
    }
    messages_free(messages, count);
    return good;
}

bool conversation_is_usable(const struct conversation *conversation)
{
    const struct message *messages = conversation->messages;
    const size_t count = conversation->message_count;
    size_t i = 0;
    while (i < count &&
           (strcmp(messages[i].role, "user") != 0 || is_blank(messages[i].content)))
        i++;
    while (i < count && strcmp(messages[i].role, "assistant") != 0)
        i++;
    return i < count && !is_blank(messages[i].content);
}

/* A member that is there and not null. */
static const cJSON *member_find(const cJSON *object, const char *name)
{
    const cJSON *member = record_get(object, name);
    return cJSON_IsNull(member) ? NULL : member;
}

static bool layouts_read(struct conversation *conversation, const cJSON *object,
                         const struct source_spec *spec)
{
    for (size_t i = 0; conversation_layouts[i].request; i++) {
        struct conversation_layout layout = conversation_layouts[i];
        if (spec->column)
            layout.request = spec->column;
        const cJSON *request = record_get(object, layout.request);
        const cJSON *reply = record_get(object, layout.reply);
        if (cJSON_IsArray(request) && cJSON_IsArray(reply)) /* TRL's prompt, completion */
            return list_read(conversation, request, false, spec) &&
                   list_read(conversation, reply, false, spec);
        if (request && reply && one_turn_read(conversation, object, &layout))
            return true;
    }
    return false;
}

static bool messages_read(struct conversation *conversation, const cJSON *object,
                          const struct source_spec *spec)
{
    const cJSON *messages = member_find(object, "messages");
    const cJSON *turns = member_find(object, "conversations");
    if (!turns)
        turns = member_find(object, "conversation");
    if (messages)
        return list_read(conversation, messages, false, spec);
    if (!turns)
        return layouts_read(conversation, object, spec);
    return record_get(turns->child, "from") ? turns_read(conversation, turns)
                                            : list_read(conversation, turns, true, spec);
}

/* A system prompt that stands beside the turns goes in front of them. */
static void system_read(struct conversation *conversation, const cJSON *object)
{
    const cJSON *system = NULL;
    for (size_t i = 0; conversation_system_keys[i] && !cJSON_IsString(system); i++)
        system = record_get(object, conversation_system_keys[i]);
    if (!cJSON_IsString(system) || is_blank(system->valuestring) ||
        strcmp(conversation->messages[0].role, "system") == 0)
        return;
    message_add(conversation, "system", system->valuestring);
    struct message *messages = conversation->messages;
    const size_t others = conversation->message_count - 1;
    const struct message prompt = messages[others];
    memmove(messages + 1, messages, others * sizeof *messages);
    messages[0] = prompt;
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
    system_read(conversation, object);
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
