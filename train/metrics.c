#include "train/metrics.h"

#include "base/json.h"

#include <math.h>

enum status metrics_append(struct file_log *log, const struct metrics_line *line,
                           struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_integer(&json, "step", line->step);
    json_number(&json, "epoch", line->epoch);
    json_number(&json, "loss", line->loss);
    json_number(&json, "nll", line->nll);
    json_number(&json, "lr", line->lr);
    json_number(&json, "grad_norm", line->gradient_norm);
    json_integer(&json, "tokens", line->tokens);
    json_integer(&json, "target_tokens", line->target_tokens);
    json_number(&json, "tokens_per_second", (double)line->tokens / line->seconds);
    json_number(&json, "seconds", line->seconds);
    if (!isnan(line->validation_nll)) {
        json_number(&json, "validation_nll", line->validation_nll);
        json_integer(&json, "validation_tokens", line->validation_tokens);
    }
    json_object_end(&json);
    enum status status = file_log_append(log, text.data, text.length, error);
    text_buffer_release(&text);
    return status;
}

static enum status line_step(int64_t *step, const struct line_reader *lines,
                             const char *path, struct error *error)
{
    cJSON *value = NULL;
    if (json_parse(&value, lines->line, lines->line_bytes, path, error) ||
        json_required_integer(value, "step", step, path, error))
        error_prefix(error, "line %lld", (long long)lines->number);
    cJSON_Delete(value);
    return error->status;
}

enum status metrics_cut(const char *path, int64_t step, struct error *error)
{
    if (!file_exists(path))
        return STATUS_OK;
    struct text_buffer content = {0};
    if (file_read(&content, path, 0, error))
        return error->status;

    struct error local = {0};
    struct line_reader lines = {.data = text_buffer_string(&content),
                                .bytes = content.length};
    size_t kept_bytes = 0;
    while (line_next(&lines)) {
        int64_t line_number = 0;
        const bool whole = lines.offset > 0 && content.data[lines.offset - 1] == '\n';
        if (!whole || line_step(&line_number, &lines, path, &local) || line_number > step)
            break;
        kept_bytes = lines.offset;
    }
    enum status status = STATUS_OK;
    if (local.status) {
        *error = local;
        status = local.status;
    } else {
        status = file_write_all(path, text_buffer_string(&content), kept_bytes, error);
    }
    text_buffer_release(&content);
    return status;
}
