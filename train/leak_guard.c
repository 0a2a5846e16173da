#include "train/leak_guard.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "data_gen/leak_check.h"
#include "data_gen/mix_export.h"

#include <stdlib.h>

enum { PAIRS_NAMED = 2 };

/* The first pairs, one a line. */
static void pairs_name(const struct leak_check *check, struct text_buffer *out)
{
    int named = 0;
    for (size_t l = 0; l < check->list_count; l++)
        for (size_t i = 0; i < check->lists[l].count && named < PAIRS_NAMED; i++) {
            if (leak_index_leak(check->index, leak_check_number(check, l, i)) ==
                LEAK_MODE_COUNT)
                continue;
            text_buffer_append(out, "\n  ");
            leak_check_describe(check, l, i, out);
            named++;
        }
}

static enum status verdict(const struct leak_check *check,
                           const struct train_options *options, struct error *error)
{
    const size_t leaked = leak_check_leaked(check);
    struct text_buffer pairs = {0};
    enum status status = STATUS_OK;
    pairs_name(check, &pairs);
    if (leaked && options->allow_leak)
        log_warning("%s: %zu of %zu evaluation requests stand in it:%s", options->data,
                    leaked, check->request_count, text_buffer_string(&pairs));
    else if (leaked)
        status = error_set(
            error, STATUS_GATE,
            "%s: %zu of %zu evaluation requests stand in it: take them out of "
            "one or the other (`holdfast audit leak` lists all), or train with "
            "--allow-leak:%s",
            options->data, leaked, check->request_count, text_buffer_string(&pairs));
    text_buffer_release(&pairs);
    return status;
}

static enum status lists_check(const struct train_options *options,
                               const struct string_list *lists, bool benign_verbatim,
                               struct error *error)
{
    struct leak_options modes = leak_options_default();
    struct string_list data = {0};
    struct text_buffer spec = {0};
    struct leak_check check;
    if (!lists->count)
        return STATUS_OK;
    modes.benign_verbatim = benign_verbatim;
    text_buffer_appendf(&spec, "data=%s", options->data); /* the name keeps a '=' in it */
    string_list_add(&data, text_buffer_string(&spec));
    enum status status = leak_check_run(&check, &data, lists, &modes, error);
    if (!status) {
        status = verdict(&check, options, error);
        leak_check_release(&check);
    }
    text_buffer_release(&spec);
    string_list_release(&data);
    return status;
}

enum status leak_guard(const struct train_options *options, struct error *error)
{
    struct string_list beside = {0};
    char *path = mix_path_beside(options->data, ".test.csv");
    if (file_exists(path)) {
        struct text_buffer spec = {0};
        text_buffer_appendf(&spec, "held-out=%s", path);
        string_list_add(&beside, text_buffer_string(&spec));
        text_buffer_release(&spec);
    }
    enum status status = lists_check(options, &beside, true, error);
    if (!status)
        status = lists_check(options, &options->held_out, false, error);
    string_list_release(&beside);
    free(path);
    return status;
}
