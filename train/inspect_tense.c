#include "train/inspect_tense.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "data_gen/source.h"
#include "eval/attack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One prompt with where it comes from. */
struct worded {
    const struct request *request;
    const char *attack;
    int64_t attempt;
    const char *prompt;
};

static void row_csv(struct text_buffer *out, const struct worded *worded)
{
    const char *const cells[] = {worded->request->behavior, worded->request->category,
                                 worded->request->text, worded->attack};
    text_buffer_appendf(out, "%" PRId64, worded->request->index);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        text_buffer_append_char(out, ',');
        text_buffer_append_csv(out, cells[i]);
    }
    text_buffer_appendf(out, ",%" PRId64 ",", worded->attempt);
    text_buffer_append_csv(out, worded->prompt);
    text_buffer_append_char(out, '\n');
}

static void row_json(struct text_buffer *out, const struct worded *worded)
{
    struct json_writer json = {.out = out};
    json_object_begin(&json, NULL);
    json_integer(&json, "index", worded->request->index);
    json_string(&json, "behavior", worded->request->behavior);
    json_string(&json, "category", worded->request->category);
    json_string(&json, "request", worded->request->text);
    json_string(&json, "attack", worded->attack);
    json_integer(&json, "attempt", worded->attempt);
    json_string(&json, "prompt", worded->prompt);
    json_object_end(&json);
    text_buffer_append_char(out, '\n');
}

static void request_word(struct text_buffer *out, const struct request *request,
                         const struct attack *attack, int64_t count, uint64_t seed,
                         bool is_csv)
{
    for (int64_t attempt = 1; attempt <= count; attempt++) {
        struct text_buffer prompt = {0};
        attack_request(attack, request->text, seed, attempt, &prompt);
        const struct worded worded = {request, attack->name, attempt,
                                      text_buffer_string(&prompt)};
        (is_csv ? row_csv : row_json)(out, &worded);
        text_buffer_release(&prompt);
    }
}

/* The attacks of "past,future"; each once. */
static enum status attacks_parse(struct attack attacks[TENSE_COUNT], size_t *count,
                                 const char *tenses, struct error *error)
{
    char *copy = memory_duplicate_string(tenses);
    char *place = NULL;
    enum status status = STATUS_OK;
    *count = 0;
    for (char *name = strtok_r(copy, ",", &place); name && !status;
         name = strtok_r(NULL, ",", &place)) {
        enum tense tense;
        status = tense_parse(&tense, name, error);
        for (size_t i = 0; i < *count && !status; i++)
            if (attacks[i].tense == tense)
                status = error_set(error, STATUS_USAGE, "--tense names %s twice", name);
        if (!status)
            status = attack_parse(&attacks[(*count)++], name, error);
    }
    free(copy);
    if (!status && *count == 0)
        status = error_set(error, STATUS_USAGE, "--tense is empty");
    return status;
}

static enum status text_place(const struct text_buffer *text, const char *path,
                              struct error *error)
{
    if (path)
        return file_write_all(path, text->data, text->length, error);
    fwrite(text->data, 1, text->length, stdout);
    return STATUS_OK;
}

enum status inspect_tense_list(const char *list, const char *tenses, int64_t count,
                               uint64_t seed, const char *path, struct error *error)
{
    static const char head[] = "index,behavior,category,request,attack,attempt,prompt\n";
    struct attack attacks[TENSE_COUNT];
    size_t attack_count;
    struct request_list requests;
    struct text_buffer out = {0};
    const bool is_csv = path && text_ends_with(path, ".csv");
    if (count < 1)
        return error_set(error, STATUS_USAGE, "--count must be at least 1");
    if (attacks_parse(attacks, &attack_count, tenses, error) ||
        request_list_read(&requests, list, error))
        return error->status;
    text_buffer_append(&out, is_csv ? head : "");
    for (size_t a = 0; a < attack_count; a++)
        for (size_t i = 0; i < requests.count; i++)
            request_word(&out, &requests.items[i], &attacks[a], count, seed, is_csv);
    const enum status status = text_place(&out, path, error);
    text_buffer_release(&out);
    request_list_release(&requests);
    return status;
}
