/* What services say where they give no reply. */
#include "base/memory.h"
#include "chat/service.h"

#include <stdlib.h>
#include <string.h>

static const char *text_in(const cJSON *object, const char *key)
{
    const cJSON *value = json_get(object, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* Servers made with FastAPI: [{"loc":["body","seed"],"msg":"Extra inputs are not …"}]. */
static void details_read(const cJSON *details, const char **message, const char **param)
{
    const cJSON *first = cJSON_IsArray(details) ? details->child : NULL;
    const cJSON *place;
    *message = text_in(first, "msg");
    cJSON_ArrayForEach(place, json_get(first, "loc"))
    {
        if (cJSON_IsString(place))
            *param = place->valuestring;
    }
}

/* {"error":{"message","type","code","param"}}, {"error":"…"}, {"message"} or {"detail"};
 * an array's first element for it. */
void service_failure_read(const cJSON *object, struct service_failure *failure)
{
    const cJSON *outer = cJSON_IsArray(object) ? object->child : object;
    const cJSON *inner = json_get(outer, "error");
    const cJSON *from = cJSON_IsObject(inner) ? inner : outer;
    const char *message = text_in(from, "message");
    const char *code = text_in(from, "code");
    const char *param = text_in(from, "param");
    *failure = (struct service_failure){.message = ""};
    if (!message)
        message = text_in(outer, "error");
    if (!message)
        message = text_in(outer, "detail");
    if (!message)
        details_read(json_get(outer, "detail"), &message, &param);
    if (!code)
        code = text_in(from, "type");
    printable_copy(failure->message, sizeof failure->message, message ? message : "");
    printable_copy(failure->code, sizeof failure->code, code ? code : "");
    printable_copy(failure->param, sizeof failure->param, param ? param : "");
}

/* Proxies answer in plain text or HTML: where they begin says enough. */
static void plain_read(const char *bytes, size_t count, struct service_failure *failure)
{
    enum { PLAIN_BYTES = 160 };
    char *text = memory_duplicate_bytes(bytes, count);
    printable_copy(failure->message, PLAIN_BYTES, text);
    free(text);
}

void service_failure_parse(const char *bytes, size_t count, struct service_failure *failure)
{
    cJSON *object = NULL;
    *failure = (struct service_failure){.message = ""};
    if (count > 0 && json_parse(&object, bytes, count, "", NULL) == STATUS_OK)
        service_failure_read(object, failure);
    if (count > 0 && !*failure->message)
        plain_read(bytes, count, failure);
    cJSON_Delete(object);
}

static bool says(const struct service_failure *failure, const char *words)
{
    return strcasestr(failure->message, words) || strcasestr(failure->code, words);
}

/* In the words of OpenAI, Anthropic, Google, vLLM and FastAPI. */
static bool does_not_take(const struct service_failure *failure)
{
    static const char *const complaints[] = {"unsupported",  "not support",   "unknown",
                                             "unrecognized", "not permitted", "not allowed",
                                             "not enabled",  "deprecated",    "cannot both",
                                             "only be set",  "not available", "no longer"};
    for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++)
        if (says(failure, complaints[i]))
            return true;
    return false;
}

/* A name by itself, as services write it: between quotes of any kind, or "name: …". */
static bool is_quoted(const char *message, const char *name)
{
    const size_t count = strlen(name);
    for (const char *at = strstr(message, name); at; at = strstr(at + 1, name)) {
        const char before = at > message ? at[-1] : '\0';
        const char after = at[count];
        if (before == '\0' ? after == ':' : strchr("'\"`", before) && before == after)
            return true;
    }
    return false;
}

static bool is_about(const struct service_failure *failure, const char *name)
{
    return *failure->param ? strcmp(failure->param, name) == 0
                           : is_quoted(failure->message, name);
}

unsigned service_failure_quirk(const struct service_failure *failure)
{
    if (says(failure, "max_completion_tokens"))
        return QUIRK_COMPLETION_TOKENS;
    if (!does_not_take(failure))
        return 0;
    if (is_about(failure, "top_p"))
        return QUIRK_NO_TOP_P;
    if (is_about(failure, "temperature"))
        return QUIRK_NO_TEMPERATURE;
    if (is_about(failure, "seed"))
        return QUIRK_NO_SEED;
    if (says(failure, "system") && says(failure, "role"))
        return QUIRK_NO_SYSTEM;
    return says(failure, "developer instruction") ? QUIRK_NO_SYSTEM : 0;
}

bool service_failure_is_filter(const struct service_failure *failure)
{
    return strcasestr(failure->code, "content_filter") ||
           strcasestr(failure->code, "content_policy");
}

bool service_failure_is_no_model(const struct service_failure *failure)
{
    return strcasestr(failure->code, "model_not_found") ||
           (strcasestr(failure->message, "model") &&
            (strcasestr(failure->message, "not found") ||
             strcasestr(failure->message, "not exist")));
}

bool service_failure_is_quota(const struct service_failure *failure)
{
    return strcasestr(failure->code, "insufficient_quota") ||
           strcasestr(failure->code, "billing") ||
           strcasestr(failure->message, "credit balance is too low");
}
