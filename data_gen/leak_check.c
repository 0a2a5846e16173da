#include "data_gen/leak_check.h"

#include "base/file.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum status lists_read(struct leak_check *check, const struct string_list *lists,
                              struct error *error)
{
    check->lists = memory_allocate_array(lists->count + 1, sizeof *check->lists);
    for (size_t i = 0; i < lists->count; i++) {
        if (request_list_read(&check->lists[i], lists->items[i], error))
            return error->status;
        check->list_count++;
        check->request_count += check->lists[i].count;
    }
    return STATUS_OK;
}

static void index_make(struct leak_check *check, const struct leak_options *options)
{
    const char **texts = memory_allocate_array(check->request_count + 1, sizeof *texts);
    size_t count = 0;
    for (size_t l = 0; l < check->list_count; l++)
        for (size_t i = 0; i < check->lists[l].count; i++)
            texts[count++] = check->lists[l].items[i].text;
    check->index = leak_index_create(texts, count, options);
    free(texts);
}

static void on_row(void *context, const struct leak_row *row)
{
    leak_index_add_row(context, row);
}

enum status leak_check_run(struct leak_check *check, const struct string_list *training,
                           const struct string_list *lists,
                           const struct leak_options *options, struct error *error)
{
    *check = (struct leak_check){0};
    enum status status = lists_read(check, lists, error);
    if (!status)
        index_make(check, options);
    check->training = memory_allocate_array(training->count + 1, sizeof *check->training);
    for (size_t i = 0; i < training->count && !status; i++) {
        check->training_count++;
        status = leak_rows_read(&check->training[i], training->items[i], i,
                                options->benign_verbatim, on_row, check->index, error);
    }
    if (status)
        leak_check_release(check);
    return status;
}

void leak_check_release(struct leak_check *check)
{
    for (size_t i = 0; i < check->training_count; i++)
        free(check->training[i].path);
    for (size_t i = 0; i < check->list_count; i++)
        request_list_release(&check->lists[i]);
    free(check->training);
    free(check->lists);
    leak_index_free(check->index);
    *check = (struct leak_check){0};
}

size_t leak_check_number(const struct leak_check *check, size_t list, size_t request)
{
    for (size_t l = 0; l < list; l++)
        request += check->lists[l].count;
    return request;
}

size_t leak_check_leaked(const struct leak_check *check)
{
    size_t count = 0;
    for (size_t i = 0; i < check->request_count; i++)
        count += leak_index_leak(check->index, i) != LEAK_MODE_COUNT;
    return count;
}

static void text_show(struct text_buffer *out, const char *text)
{
    enum { SHOWN_BYTES = 160 };
    size_t length = strlen(text);
    const bool cut = length > SHOWN_BYTES;
    if (cut)
        for (length = SHOWN_BYTES; length && ((unsigned char)text[length] & 0xC0) == 0x80;)
            length--;
    text_buffer_append_json(out, text, length);
    if (cut)
        text_buffer_append(out, "…");
}

void leak_check_describe(const struct leak_check *check, size_t list, size_t request,
                         struct text_buffer *out)
{
    const struct request *asked = &check->lists[list].items[request];
    const size_t number = leak_check_number(check, list, request);
    const enum leak_mode mode = leak_index_leak(check->index, number);
    CHECK(mode != LEAK_MODE_COUNT);
    const struct leak_finding *finding = leak_index_finding(check->index, number, mode);
    text_buffer_appendf(out, "%s %" PRId64 " ", check->lists[list].name, asked->index);
    text_show(out, asked->text);
    text_buffer_appendf(out, " is in %s line %" PRId64 " ",
                        check->training[finding->file].path, finding->line);
    text_show(out, finding->text);
    text_buffer_appendf(out, " (%s, %.2f)", leak_mode_name(mode), finding->score);
}
