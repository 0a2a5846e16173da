#include "train/start.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"
#include "text/bpe_trainer.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

static const char *const special_tokens[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

static enum status text_write(const char *directory, const char *name,
                              const struct text_buffer *text, struct error *error)
{
    char *path = path_join(directory, name);
    enum status status =
        file_write_all(path, text_buffer_string(text), text->length, error);
    free(path);
    return status;
}

static enum status tokenizer_learn(const char *directory, const struct mix *mix,
                                   int64_t vocabulary_count, struct error *error)
{
    struct bpe_trainer *trainer = bpe_trainer_create();
    for (size_t i = 0; i < mix->count; i++) {
        const struct mix_example *example = &mix->examples[i];
        for (size_t m = 0; m < example->message_count && !strcmp(example->split, "train");
             m++)
            bpe_trainer_add_text(trainer, example->messages[m].content,
                                 strlen(example->messages[m].content));
    }
    struct text_buffer json = {0};
    enum status status =
        bpe_trainer_finish(trainer, vocabulary_count, special_tokens,
                           sizeof special_tokens / sizeof *special_tokens, &json, error);
    if (status)
        error_prefix(error, "%s: learning a tokenizer of %lld entries", mix->path,
                     (long long)vocabulary_count);
    else
        status = text_write(directory, "tokenizer.json", &json, error);
    text_buffer_release(&json);
    bpe_trainer_free(trainer);
    return status;
}

static enum status tokenizer_config_write(const char *directory, struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text, .indent_spaces = 2};
    json_object_begin(&json, NULL);
    json_string(&json, "tokenizer_class", "PreTrainedTokenizerFast");
    json_string(&json, "bos_token", special_tokens[0]);
    json_string(&json, "eos_token", special_tokens[2]);
    json_string(&json, "pad_token", special_tokens[0]);
    json_bool(&json, "add_bos_token", false);
    json_bool(&json, "clean_up_tokenization_spaces", false);
    json_string(&json, "chat_template", chat_template_chatml_source());
    json_object_end(&json);
    text_buffer_append_char(&text, '\n');
    enum status status = text_write(directory, "tokenizer_config.json", &text, error);
    text_buffer_release(&text);
    return status;
}

static bool is_special_id(const char *name)
{
    return strcmp(name, "bos_token_id") == 0 || strcmp(name, "eos_token_id") == 0;
}

/* The members of the config letter by letter (30.0 stays a float, on which transformers
 * insists), but for the special ids. `config` is what was read from `text`. */
static void config_copy(struct text_buffer *out, const struct text_buffer *text,
                        const cJSON *config)
{
    struct json_scan scan;
    const cJSON *member = config->child;
    size_t begin, end;
    json_scan_init(&scan, text->data, text->length);
    json_scan_step(&scan); /* the '{' */
    for (; json_scan_member(&scan, &begin, &end); member = member->next) {
        const size_t value = scan.at;
        CHECK(member);
        json_scan_value(&scan);
        if (is_special_id(member->string))
            continue;
        text_buffer_appendf(out, "%s  %.*s: ", out->length ? ",\n" : "{\n",
                            (int)(end - begin), text->data + begin);
        text_buffer_append_bytes(out, text->data + value, scan.at - value);
    }
    CHECK(!scan.problem && !member);
}

/* config.json as given, with the ids that this tokenizer has for begin and end. */
static enum status config_write(const char *directory, const struct text_buffer *given,
                                const cJSON *config, const struct tokenizer *tokenizer,
                                struct error *error)
{
    static const char *const names[] = {"bos_token_id", "eos_token_id"};
    const int32_t ids[] = {tokenizer_token_id(tokenizer, special_tokens[0]),
                           tokenizer_token_id(tokenizer, special_tokens[2])};
    struct text_buffer text = {0};
    config_copy(&text, given, config);
    for (int i = 0; i < 2; i++)
        if (ids[i] >= 0)
            text_buffer_appendf(&text, ",\n  \"%s\": %d", names[i], (int)ids[i]);
    text_buffer_append(&text, "\n}\n");
    enum status status = text_write(directory, "config.json", &text, error);
    text_buffer_release(&text);
    return status;
}

static enum status tokenizer_place(const char *directory, int64_t vocabulary_count,
                                   const struct train_options *options,
                                   const struct mix *mix, struct error *error)
{
    if (options->tokenizer)
        return model_directory_copy_metadata(options->tokenizer, directory, error);
    if (tokenizer_learn(directory, mix, vocabulary_count, error))
        return error->status;
    return tokenizer_config_write(directory, error);
}

static enum status start_fill(const char *directory, const struct train_options *options,
                              const struct mix *mix, const struct text_buffer *given,
                              const cJSON *config, struct error *error)
{
    struct tokenizer *tokenizer = NULL;
    int64_t vocabulary_count = 0;
    if (cJSON_IsObject(json_get(config, "text_config")))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "%s: --init takes the config of a text model: of this one give the "
            "object \"text_config\" in a file of its own",
            options->init);
    if (json_required_integer(config, "vocab_size", &vocabulary_count, options->init,
                              error) ||
        file_make_directories(directory, error) ||
        tokenizer_place(directory, vocabulary_count, options, mix, error) ||
        tokenizer_open_directory(&tokenizer, directory, error))
        return error->status;
    enum status status = STATUS_OK;
    if (tokenizer_vocabulary_count(tokenizer) > vocabulary_count)
        status = error_set(error, STATUS_FORMAT,
                           "%s: the tokenizer has %lld ids, more than vocab_size %lld",
                           options->init, (long long)tokenizer_vocabulary_count(tokenizer),
                           (long long)vocabulary_count);
    else
        status = config_write(directory, given, config, tokenizer, error);
    tokenizer_free(tokenizer);
    return status;
}

char *start_directory_name(const struct train_options *options)
{
    return options->model ? memory_duplicate_string(options->model)
                          : path_join(options->out, "start");
}

enum status start_directory_prepare(char **directory, const struct train_options *options,
                                    const struct mix *mix, struct error *error)
{
    struct text_buffer text = {0};
    cJSON *config = NULL;
    *directory = start_directory_name(options);
    if (options->model)
        return STATUS_OK;
    enum status status = file_read(&text, options->init, 0, error);
    if (!status)
        status = json_parse(&config, text_buffer_string(&text), text.length, options->init,
                            error);
    if (!status)
        status = start_fill(*directory, options, mix, &text, config, error);
    cJSON_Delete(config);
    text_buffer_release(&text);
    if (status) {
        free(*directory);
        *directory = NULL;
    }
    return status;
}
