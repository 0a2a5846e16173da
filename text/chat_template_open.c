/* The chat template of a model directory. */
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/chat_template_internal.h"

#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES_MAXIMUM = 1 << 20 };

/* The special tokens that transformers hands to a template, by these very names. */
static const char *const token_names[] = {"bos_token", "eos_token", "unk_token",
                                          "sep_token", "pad_token", "cls_token",
                                          "mask_token"};
enum { TOKEN_NAME_COUNT = sizeof token_names / sizeof *token_names };

/* What the directory says; strings are owned. */
struct template_files {
    char *source;                   /* NULL: none */
    const char *name;               /* of the file in which it was found */
    char *tokens[TOKEN_NAME_COUNT]; /* texts of token_names; NULL: none */
};

static void template_files_release(struct template_files *files)
{
    free(files->source);
    for (size_t i = 0; i < TOKEN_NAME_COUNT; i++)
        free(files->tokens[i]);
}

/* chat_template: a text, or a list of {name, template} with one named "default". */
static enum status template_text(const cJSON *value, const char **text, const char *where,
                                 struct error *error)
{
    const cJSON *item;
    if (!value || cJSON_IsNull(value))
        return STATUS_OK;
    if (cJSON_IsString(value)) {
        *text = value->valuestring;
        return STATUS_OK;
    }
    if (!cJSON_IsArray(value))
        return error_set(error, STATUS_FORMAT,
                         "%s: chat_template: expected a text or a list of templates",
                         where);
    cJSON_ArrayForEach(item, value)
    {
        const cJSON *name = cJSON_IsObject(item) ? json_get(item, "name") : NULL;
        if (cJSON_IsString(name) && strcmp(name->valuestring, "default") == 0)
            return json_required_string(item, "template", text, where, error);
    }
    return error_set(error, STATUS_FORMAT,
                     "%s: chat_template: none of the templates is named \"default\"",
                     where);
}

/* A special token: a text, or {"content": text}. */
static const char *token_text(const cJSON *config, const char *name)
{
    const cJSON *token = json_get(config, name);
    if (cJSON_IsObject(token))
        token = json_get(token, "content");
    return cJSON_IsString(token) ? token->valuestring : NULL;
}

/* Takes the tokens that no earlier file has named. */
static void take_tokens(struct template_files *files, const cJSON *config)
{
    for (size_t i = 0; i < TOKEN_NAME_COUNT; i++)
        if (!files->tokens[i])
            files->tokens[i] = memory_duplicate_string(token_text(config, token_names[i]));
}

/* special_tokens_map.json, of older directories. */
static enum status read_map(struct template_files *files, const char *directory,
                            struct error *error)
{
    char *path = path_join(directory, "special_tokens_map.json");
    cJSON *map = NULL;
    enum status status = STATUS_OK;
    if (file_exists(path))
        status = json_parse_file(&map, path, error);
    if (!status && map && !cJSON_IsObject(map))
        status = error_set(error, STATUS_FORMAT, "%s: expected an object", path);
    if (!status && map)
        take_tokens(files, map);
    cJSON_Delete(map);
    free(path);
    return status;
}

/* tokenizer_config.json; or chat_template.json, where processors of text and images had
 * their template before they had it in chat_template.jinja. */
static enum status read_config(struct template_files *files, const char *directory,
                               const char *name, struct error *error)
{
    char *path = path_join(directory, name);
    cJSON *config = NULL;
    const char *source = NULL;
    enum status status = STATUS_OK;
    if (file_exists(path))
        status = json_parse_file(&config, path, error);
    if (!status && config && !cJSON_IsObject(config))
        status = error_set(error, STATUS_FORMAT, "%s: expected an object", path);
    if (!status && config)
        status = template_text(json_get(config, "chat_template"), &source, path, error);
    if (!status && config)
        take_tokens(files, config);
    if (!status && source) {
        files->source = memory_duplicate_string(source);
        files->name = name;
    }
    cJSON_Delete(config);
    free(path);
    return status;
}

/* chat_template.jinja, where there is one, stands above tokenizer_config.json. */
static enum status read_jinja(struct template_files *files, const char *directory,
                              struct error *error)
{
    static const char name[] = "chat_template.jinja";
    char *path = path_join(directory, name);
    struct text_buffer text = {0};
    enum status status = STATUS_OK;
    if (!file_exists(path)) {
        free(path);
        return STATUS_OK;
    }
    status = file_read(&text, path, TEMPLATE_BYTES_MAXIMUM, error);
    if (!status) {
        free(files->source);
        files->source = memory_duplicate_string(text_buffer_string(&text));
        files->name = name;
    }
    text_buffer_release(&text);
    free(path);
    return status;
}

static enum status build(struct chat_template **chat_template,
                         const struct template_files *files,
                         const struct tokenizer *tokenizer, struct error *error)
{
    struct jinja_variable variables[TOKEN_NAME_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < TOKEN_NAME_COUNT; i++)
        if (files->tokens[i])
            variables[count++] = (struct jinja_variable){token_names[i], files->tokens[i]};
    return chat_template_build(chat_template, files->source, variables, count, tokenizer,
                               error);
}

enum status chat_template_open_directory(struct chat_template **chat_template,
                                         const char *directory,
                                         const struct tokenizer *tokenizer,
                                         struct error *error)
{
    struct template_files files = {0};
    *chat_template = NULL;
    enum status status = read_config(&files, directory, "tokenizer_config.json", error);
    if (!status)
        status = read_jinja(&files, directory, error);
    if (!status && !files.source)
        status = read_config(&files, directory, "chat_template.json", error);
    if (!status && !files.source)
        status =
            error_set(error, STATUS_UNSUPPORTED,
                      "%s: no chat template: no chat_template.jinja, and no "
                      "chat_template in tokenizer_config.json or chat_template.json; is it "
                      "a base model?",
                      directory);
    if (!status)
        status = read_map(&files, directory, error);
    if (!status) {
        status = build(chat_template, &files, tokenizer, error);
        if (status)
            error_prefix(error, "%s/%s", directory, files.name);
        else
            (*chat_template)->file = files.name;
    }
    template_files_release(&files);
    return status;
}
