/* A rendering from its context to its output. */
#include "text/jinja.h"
#include "text/jinja_run.h"

#include "base/json.h"
#include "base/memory.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

enum {
    RENDER_STEPS_MAXIMUM = 4 * 1000 * 1000,
    RENDER_BYTES_MAXIMUM = 128 << 20,
    OUTPUT_BYTES_MAXIMUM = 16 << 20,
    JSON_LEVELS_MAXIMUM = 200,
};

void jinja_output_release(struct jinja_output *output)
{
    text_buffer_release(&output->text);
    free(output->origins);
    *output = (struct jinja_output){0};
}

/* A string of the caller's, all its bytes from `origin`. */
static struct jinja_value outer_string(struct jinja_run *run, const char *text,
                                       uint16_t origin)
{
    struct text_buffer repaired = {0};
    struct jinja_builder out = {.pool = &run->pool};
    utf8_append_repaired(&repaired, text, strlen(text));
    jinja_build_bytes(&out, text_buffer_string(&repaired), repaired.length, origin);
    text_buffer_release(&repaired);
    return jinja_built(&out);
}

static struct jinja_value from_json(struct jinja_run *run, const cJSON *json, int depth);

static struct jinja_value from_json_items(struct jinja_run *run, const cJSON *json,
                                          int depth)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    struct jinja_dict *dict = jinja_dict_new(&run->pool);
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        const struct jinja_value value = from_json(run, item, depth + 1);
        if (cJSON_IsObject(json))
            jinja_dict_set(&run->pool, dict, outer_string(run, item->string, 0), value);
        else
            jinja_list_add(&run->pool, list, value);
    }
    return cJSON_IsObject(json) ? jinja_of_dict(dict) : jinja_of_list(JINJA_LIST, list);
}

static struct jinja_value from_json(struct jinja_run *run, const cJSON *json, int depth)
{
    if (depth > JSON_LEVELS_MAXIMUM)
        jinja_fail(run, STATUS_LIMIT, "a variable that is nested too deeply");
    if (run->failed || cJSON_IsNull(json))
        return jinja_none();
    if (cJSON_IsBool(json))
        return jinja_boolean(cJSON_IsTrue(json));
    if (cJSON_IsString(json))
        return outer_string(run, json->valuestring, 0);
    if (!cJSON_IsNumber(json))
        return from_json_items(run, json, depth);
    const double number = json->valuedouble;
    const bool whole = number > -9e15 && number < 9e15 &&
                       !((double)(int64_t)number < number) &&
                       !((double)(int64_t)number > number);
    return whole ? jinja_integer((int64_t)number) : jinja_float(number);
}

static struct jinja_value messages_value(struct jinja_run *run,
                                         const struct jinja_context *context)
{
    struct jinja_list *list = jinja_list_new(&run->pool);
    for (size_t i = 0; i < context->message_count; i++) {
        const struct jinja_message *message = &context->messages[i];
        struct jinja_dict *dict = jinja_dict_new(&run->pool);
        jinja_dict_set(&run->pool, dict, jinja_string_of(&run->pool, "role"),
                       outer_string(run, message->role, 0));
        jinja_dict_set(&run->pool, dict, jinja_string_of(&run->pool, "content"),
                       outer_string(run, message->content, (uint16_t)(i + 1)));
        jinja_list_add(&run->pool, list, jinja_of_dict(dict));
    }
    return jinja_of_list(JINJA_LIST, list);
}

static void set_context(struct jinja_run *run, const struct jinja_context *context)
{
    const cJSON *item;
    jinja_scope_set(run, "messages", messages_value(run, context));
    jinja_scope_set(run, "tools", jinja_none());
    jinja_scope_set(run, "documents", jinja_none());
    jinja_scope_set(run, "add_generation_prompt",
                    jinja_boolean(context->add_generation_prompt));
    for (size_t i = 0; i < context->variable_count; i++)
        jinja_scope_set(run, context->variables[i].name,
                        outer_string(run, context->variables[i].text, 0));
    cJSON_ArrayForEach(item, context->more)
        jinja_scope_set(run, item->string, from_json(run, item, 0));
}

static void copy_output(const struct jinja_builder *out, struct jinja_output *output)
{
    text_buffer_clear(&output->text);
    text_buffer_append_bytes(&output->text, out->bytes ? out->bytes : "", out->length);
    array_reserve(output->origins, output->capacity, out->length + 1);
    for (size_t i = 0; i < out->length; i++)
        output->origins[i] = out->origins ? out->origins[i] : 0;
}

enum status jinja_render(const struct jinja_template *parsed,
                         const struct jinja_context *context, struct jinja_output *output,
                         struct error *error)
{
    struct error ignored;
    struct jinja_run run = {
        .parsed = parsed,
        .pool = {.limit_bytes = RENDER_BYTES_MAXIMUM, .limit_steps = RENDER_STEPS_MAXIMUM},
        .error = error ? error : &ignored};
    struct jinja_builder out = {.pool = &run.pool};
    if (context->message_count > JINJA_MESSAGES_MAXIMUM)
        return error_set(error, STATUS_LIMIT, "more than %d messages",
                         JINJA_MESSAGES_MAXIMUM);
    run.out = &out;
    jinja_scope_enter(&run);
    set_context(&run, context);
    jinja_scope_enter(&run);
    jinja_execute(&run, parsed->body);
    (void)jinja_going(&run);
    if (!run.failed && out.length > OUTPUT_BYTES_MAXIMUM)
        jinja_fail(&run, STATUS_LIMIT, "more than 16 MiB of output");
    if (!run.failed)
        copy_output(&out, output);
    jinja_pool_release(&run.pool);
    return run.failed ? run.error->status : STATUS_OK;
}
