#include "checkpoints/model_directory.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "checkpoints/safetensors.h"

#include <stdlib.h>
#include <string.h>

static const char *const metadata_files[] = {
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
};

static enum status file_copy(const char *from, const char *to, struct error *error)
{
    struct text_buffer content = {0};
    enum status status = file_read(&content, from, 0, error);
    if (!status)
        status = file_write_all(to, text_buffer_string(&content), content.length, error);
    text_buffer_release(&content);
    return status;
}

static bool has_file(const char *directory, const char *name)
{
    char *path = path_join(directory, name);
    const bool there = file_exists(path);
    free(path);
    return there;
}

static bool has_tokenizer(const char *directory)
{
    return has_file(directory, "tokenizer.json") || has_file(directory, "tokenizer.model");
}

enum status model_directory_copy_metadata(const char *from, const char *to,
                                          struct error *error)
{
    enum status status = STATUS_OK;
    if (!has_tokenizer(from))
        return error_set(error, STATUS_IO,
                         "%s: neither tokenizer.json nor tokenizer.model is there", from);
    for (size_t i = 0; i < sizeof metadata_files / sizeof *metadata_files && !status; i++) {
        char *source = path_join(from, metadata_files[i]);
        char *target = path_join(to, metadata_files[i]);
        if (file_exists(source))
            status = file_copy(source, target, error);
        free(source);
        free(target);
    }
    return status;
}

/* --- config.json --- */

static const char *config_dtype(enum dtype dtype)
{
    CHECK(dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16);
    return dtype == DTYPE_F32 ? "float32" : dtype == DTYPE_BF16 ? "bfloat16" : "float16";
}

static bool names_dtype(const char *key, size_t bytes)
{
    static const char *const keys[] = {"\"dtype\"", "\"torch_dtype\""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (bytes == strlen(keys[i]) && memcmp(key, keys[i], bytes) == 0)
            return true;
    return false;
}

/* Appends the text with other values of the outermost object's keys that name a type. */
static enum status config_print(struct text_buffer *out, const struct text_buffer *text,
                                enum dtype stored, const char *where, struct error *error)
{
    struct json_scan scan;
    size_t begin, end;
    size_t copied = 0;
    const size_t mark = text_starts_with(text_buffer_string(text), "\xEF\xBB\xBF") ? 3 : 0;
    const char *bytes = text->data + mark;
    json_scan_init(&scan, bytes, text->length - mark);
    if (json_scan_peek(&scan) != '{')
        return error_set(error, STATUS_FORMAT, "%s: is no JSON object", where);
    json_scan_step(&scan);
    while (!scan.problem && json_scan_member(&scan, &begin, &end)) {
        const bool is_text = json_scan_peek(&scan) == '"';
        const size_t value = scan.at;
        if (!json_scan_value(&scan) || !is_text || !names_dtype(bytes + begin, end - begin))
            continue;
        text_buffer_append_bytes(out, bytes + copied, value - copied);
        text_buffer_appendf(out, "\"%s\"", config_dtype(stored));
        copied = scan.at;
    }
    text_buffer_append_bytes(out, bytes + copied, scan.count - copied);
    return scan.problem ? json_scan_fail(&scan, where, error) : STATUS_OK;
}

enum status model_directory_copy_config(const char *from, const char *to, enum dtype stored,
                                        struct error *error)
{
    struct text_buffer text = {0};
    struct text_buffer out = {0};
    char *source = path_join(from, "config.json");
    char *target = path_join(to, "config.json");
    enum status status = file_read(&text, source, 0, error);
    if (!status)
        status = config_print(&out, &text, stored, source, error);
    if (!status)
        status = file_write_all(target, text_buffer_string(&out), out.length, error);
    text_buffer_release(&text);
    text_buffer_release(&out);
    free(source);
    free(target);
    return status;
}

/* --- adapters, fingerprints --- */

enum status model_directory_base(char **base, const char *directory, struct error *error)
{
    cJSON *config = NULL;
    const char *name = NULL;
    char *path = path_join(directory, "adapter_config.json");
    enum status status = STATUS_OK;
    *base = NULL;
    if (file_exists(path))
        status = json_parse_file(&config, path, error);
    if (!status && config)
        status =
            json_required_string(config, "base_model_name_or_path", &name, path, error);
    if (!status && name && !file_is_directory(name))
        status = error_set(error, STATUS_IO,
                           "%s: the base model \"%.200s\" is not a folder here: set "
                           "\"base_model_name_or_path\" to its directory",
                           path, name);
    if (!status)
        *base = memory_duplicate_string(name);
    cJSON_Delete(config);
    free(path);
    return status;
}

enum status model_directory_text(char **text, const char *directory, struct error *error)
{
    *text = NULL;
    if (!has_tokenizer(directory) && model_directory_base(text, directory, error))
        return error->status;
    if (!*text)
        *text = memory_duplicate_string(directory);
    return STATUS_OK;
}

static enum status hash_add(struct text_buffer *hashes, const char *path,
                            struct error *error)
{
    char hex[SHA256_HEX_BYTES];
    if (file_sha256(hex, path, error))
        return error->status;
    text_buffer_appendf(hashes, "%s %s\n", path_base_name(path), hex);
    return STATUS_OK;
}

static enum status hash_add_adapter(struct text_buffer *hashes, const char *directory,
                                    struct error *error)
{
    char *config = path_join(directory, "adapter_config.json");
    char *adapter = path_join(directory, "adapter_model.safetensors");
    enum status status = hash_add(hashes, config, error);
    if (!status)
        status = hash_add(hashes, adapter, error);
    free(config);
    free(adapter);
    return status;
}

static enum status hash_add_weights(struct text_buffer *hashes, const char *directory,
                                    struct error *error)
{
    struct weight_files weights = {0};
    char *base = NULL;
    enum status status = model_directory_base(&base, directory, error);
    if (!status && base)
        status = hash_add_adapter(hashes, directory, error);
    if (!status)
        status = weight_files_open(&weights, base ? base : directory, error);
    for (size_t i = 0; i < weights.count && !status; i++)
        status = hash_add(hashes, weights.files[i].path, error);
    weight_files_close(&weights);
    free(base);
    return status;
}

enum status model_directory_fingerprint(char hex[SHA256_HEX_BYTES], const char *directory,
                                        bool with_weights, struct error *error)
{
    static const char *const names[] = {"config.json",       "generation_config.json",
                                        "tokenizer.json",    "tokenizer_config.json",
                                        "tokenizer.model",   "chat_template.jinja",
                                        "chat_template.json"};
    struct text_buffer hashes = {0};
    char *text = NULL;
    enum status status = model_directory_text(&text, directory, error);
    for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++) {
        char *path = path_join(text, names[i]);
        if (file_exists(path))
            status = hash_add(&hashes, path, error);
        free(path);
    }
    free(text);
    if (!status && with_weights)
        status = hash_add_weights(&hashes, directory, error);
    bytes_sha256(hex, text_buffer_string(&hashes), hashes.length);
    text_buffer_release(&hashes);
    return status;
}
