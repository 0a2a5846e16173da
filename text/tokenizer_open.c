/* The tokenizer of a Hugging Face directory. */
#include "text/tokenizer.h"

#include "base/file.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static enum status open_json(struct tokenizer **tokenizer, const char *path,
                             struct error *error)
{
    struct file_map map = {0};
    enum status status = file_map(&map, path, error);
    if (!status)
        status = tokenizer_parse(tokenizer, (const char *)map.data, map.bytes, path, error);
    file_unmap(&map);
    return status;
}

/* Old directories list added tokens in a file of their own, by id alone. */
static enum status refuse_old_added(const char *directory, const cJSON *config,
                                    struct error *error)
{
    char *path = path_join(directory, "added_tokens.json");
    const bool there = file_exists(path);
    enum status status = STATUS_OK;
    if (there && !(config && json_get(config, "added_tokens_decoder")))
        status = error_set(error, STATUS_UNSUPPORTED,
                           "%s: tokens beside a tokenizer.model are read from "
                           "added_tokens_decoder in tokenizer_config.json, which does not "
                           "hold them: save the tokenizer anew with transformers",
                           path);
    free(path);
    return status;
}

/* tokenizer.model, with what tokenizer_config.json adds where it is there. */
static enum status open_sentencepiece(struct tokenizer **tokenizer, const char *directory,
                                      const char *path, const char *config_path,
                                      struct error *error)
{
    struct file_map map = {0};
    cJSON *config = NULL;
    enum status status = file_map(&map, path, error);
    if (!status && file_exists(config_path))
        status = json_parse_file(&config, config_path, error);
    if (!status)
        status = refuse_old_added(directory, config, error);
    if (!status)
        status = tokenizer_parse_sentencepiece(tokenizer, map.data, map.bytes, config, path,
                                               error);
    cJSON_Delete(config);
    file_unmap(&map);
    return status;
}

static enum status nothing_there(const char *path, const char *directory,
                                 struct error *error)
{
    char *merges = path_join(directory, "merges.txt");
    const bool has_merges = file_exists(merges);
    free(merges);
    return error_set(error, STATUS_IO, "%s: no such file: %s", path,
                     has_merges ? "it has vocab.json and merges.txt; convert them with "
                                  "transformers (AutoTokenizer, save_pretrained)"
                                : "is it a Hugging Face model directory?");
}

enum status tokenizer_open_directory(struct tokenizer **tokenizer, const char *directory,
                                     struct error *error)
{
    char *json = path_join(directory, "tokenizer.json");
    char *model = path_join(directory, "tokenizer.model");
    char *config = path_join(directory, "tokenizer_config.json");
    enum status status;
    *tokenizer = NULL;
    if (file_exists(json))
        status = open_json(tokenizer, json, error);
    else if (file_exists(model))
        status = open_sentencepiece(tokenizer, directory, model, config, error);
    else
        status = nothing_there(json, directory, error);
    free(json);
    free(model);
    free(config);
    return status;
}
