#include "base/json.h"

#include <math.h>
#include <string.h>

static void append_key(struct text_buffer *out, const char *key, bool spaced)
{
    text_buffer_append_json(out, key, strlen(key));
    text_buffer_append(out, spaced ? ": " : ":");
}

static void new_line(struct text_buffer *out, int indent_spaces, int depth)
{
    if (indent_spaces > 0)
        text_buffer_appendf(out, "\n%*s", indent_spaces * depth, "");
}

/* All that goes before a value: comma or line end, indentation, key. */
static void begin_item(struct json_writer *json, const char *key)
{
    struct text_buffer *out = json->out;
    if (json->depth > 0 && json->has_items[json->depth])
        text_buffer_append_char(out, ',');
    else if (json->has_items[0] && json->depth == 0 && out->length > 0 &&
             out->data[out->length - 1] != '\n')
        text_buffer_append_char(out, '\n');
    json->has_items[json->depth] = true;
    if (json->depth > 0)
        new_line(out, json->indent_spaces, json->depth);
    if (key)
        append_key(json->out, key, json->indent_spaces > 0);
}

static void begin_container(struct json_writer *json, const char *key, char bracket)
{
    begin_item(json, key);
    text_buffer_append_char(json->out, bracket);
    CHECK(json->depth + 1 < JSON_DEPTH_MAXIMUM);
    json->has_items[++json->depth] = false;
}

static void end_container(struct json_writer *json, char bracket)
{
    CHECK(json->depth > 0);
    const bool has_items = json->has_items[json->depth--];
    if (has_items)
        new_line(json->out, json->indent_spaces, json->depth);
    text_buffer_append_char(json->out, bracket);
}

void json_object_begin(struct json_writer *json, const char *key)
{
    begin_container(json, key, '{');
}

void json_object_end(struct json_writer *json)
{
    end_container(json, '}');
}

void json_array_begin(struct json_writer *json, const char *key)
{
    begin_container(json, key, '[');
}

void json_array_end(struct json_writer *json)
{
    end_container(json, ']');
}

void json_string(struct json_writer *json, const char *key, const char *value)
{
    if (value)
        json_string_bytes(json, key, value, strlen(value));
    else
        json_null(json, key);
}

void json_string_bytes(struct json_writer *json, const char *key, const char *bytes,
                       size_t count)
{
    begin_item(json, key);
    text_buffer_append_json(json->out, bytes, count);
}

void json_number(struct json_writer *json, const char *key, double value)
{
    begin_item(json, key);
    text_buffer_append_number(json->out, value);
}

void json_real(struct json_writer *json, const char *key, double value)
{
    json_number(json, key, value);
    if (floor(value) == value && fabs(value) < 1e15)
        text_buffer_append(json->out, ".0");
}

void json_integer(struct json_writer *json, const char *key, int64_t value)
{
    begin_item(json, key);
    text_buffer_appendf(json->out, "%lld", (long long)value);
}

void json_bool(struct json_writer *json, const char *key, bool value)
{
    begin_item(json, key);
    text_buffer_append(json->out, value ? "true" : "false");
}

void json_null(struct json_writer *json, const char *key)
{
    begin_item(json, key);
    text_buffer_append(json->out, "null");
}

static void append_tree(struct text_buffer *out, const cJSON *value, int indent_spaces,
                        int depth);

static void append_children(struct text_buffer *out, const cJSON *parent, int indent_spaces,
                            int depth)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, parent)
    {
        new_line(out, indent_spaces, depth);
        if (cJSON_IsObject(parent))
            append_key(out, child->string, indent_spaces > 0);
        append_tree(out, child, indent_spaces, depth);
        if (child->next)
            text_buffer_append_char(out, ',');
    }
    if (parent->child)
        new_line(out, indent_spaces, depth - 1);
}

/* A tree that was read may be deeper than JSON_DEPTH_MAXIMUM; cJSON limits it to 1000. */
static void append_tree(struct text_buffer *out, const cJSON *value, int indent_spaces,
                        int depth)
{
    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        text_buffer_append_char(out, cJSON_IsObject(value) ? '{' : '[');
        append_children(out, value, indent_spaces, depth + 1);
        text_buffer_append_char(out, cJSON_IsObject(value) ? '}' : ']');
    } else if (cJSON_IsString(value)) {
        text_buffer_append_json(out, value->valuestring, strlen(value->valuestring));
    } else if (cJSON_IsNumber(value)) {
        text_buffer_append_number(out, value->valuedouble);
    } else if (cJSON_IsBool(value)) {
        text_buffer_append(out, cJSON_IsTrue(value) ? "true" : "false");
    } else {
        text_buffer_append(out, "null");
    }
}

void json_value(struct json_writer *json, const char *key, const cJSON *value)
{
    begin_item(json, key);
    append_tree(json->out, value, json->indent_spaces, json->depth);
}
