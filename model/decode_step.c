#include "model/decode_step.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Lays the inputs out in `arena`; an arena without a base only measures. */
static void inputs_place(struct decode_inputs *inputs, const struct decode_step *step,
                         struct arena *arena)
{
    const size_t limit = (size_t)step->limit;
    inputs->draw = arena_push_array(arena, limit, sizeof *inputs->draw);
    inputs->tokens = arena_push_array(arena, limit, sizeof *inputs->tokens);
    inputs->positions = arena_push_array(arena, limit, sizeof *inputs->positions);
    inputs->turns = arena_push_array(arena, limit, sizeof *inputs->turns);
    inputs->cache_rows = arena_push_array(arena, limit, sizeof *inputs->cache_rows);
    inputs->temperature = arena_push_array(arena, limit, sizeof *inputs->temperature);
    inputs->top_p = arena_push_array(arena, limit, sizeof *inputs->top_p);
    inputs->pages =
        arena_push_array(arena, limit, (size_t)step->width * sizeof *inputs->pages);
}

static void device_place(struct decode_step *step, struct arena *arena)
{
    const size_t limit = (size_t)step->limit;
    const size_t vocabulary = (size_t)step->model->architecture.vocabulary;
    inputs_place(&step->device, step, arena);
    step->sampled = arena_push_array(arena, limit, sizeof *step->sampled);
    step->logits = arena_push_array(arena, limit, vocabulary * sizeof *step->logits);
}

/* Asks by recording nothing. */
static bool can_record(struct backend *backend)
{
    if (!backend_record_begin(backend))
        return false;
    backend_record_free(backend, backend_record_end(backend));
    return true;
}

enum status decode_step_reserve(struct decode_step *step, struct transformer *model,
                                struct key_value_cache *cache, int64_t limit, int64_t width,
                                struct error *error)
{
    struct arena device = {0};
    CHECK(limit > 0 && limit < INT32_MAX && width > 0);
    *step = (struct decode_step){
        .model = model, .cache = cache, .limit = limit, .width = width};
    inputs_place(&step->host, step, &step->host_memory);
    const enum status status = arena_reserve(&step->host_memory, error);
    if (status)
        return status;
    inputs_place(&step->host, step, &step->host_memory);
    device_place(step, &device);
    if (device.overflow)
        return error_set(error, STATUS_MEMORY, "logits exceed the address space");
    step->device_memory = backend_allocate(model->backend, device.used, error);
    if (!step->device_memory)
        return error_prefix(error, "logits of %lld sequences", (long long)limit);
    device = (struct arena){.base = step->device_memory, .bytes = device.used};
    device_place(step, &device);
    step->records = can_record(model->backend);
    return STATUS_OK;
}

void decode_step_release(struct decode_step *step)
{
    if (!step->model)
        return; /* never reserved */
    for (int i = 0; i < DECODE_SHAPES; i++)
        backend_record_free(step->model->backend, step->recordings[i]);
    if (step->device_memory)
        backend_free(step->model->backend, step->device_memory);
    arena_release(&step->host_memory);
}

void decode_step_set(struct decode_step *step, int64_t index, const struct decode_row *row)
{
    struct decode_inputs *host = &step->host;
    CHECK(index >= 0 && index < step->limit && row->page_count <= step->width);
    CHECK(row->position >= 0 && row->position < row->page_count * CACHE_PAGE_ROWS);
    const int32_t page = row->pages[row->position / CACHE_PAGE_ROWS];
    host->draw[index] = row->draw;
    host->tokens[index] = row->token;
    host->positions[index] = row->position;
    host->turns[index] = row->turn;
    host->cache_rows[index] = page * CACHE_PAGE_ROWS + row->position % CACHE_PAGE_ROWS;
    host->temperature[index] = (float)row->temperature;
    host->top_p[index] = fmaxf((float)row->top_p, FLT_MIN); /* stays above 0 */
    memcpy(host->pages + index * step->width, row->pages,
           (size_t)row->page_count * sizeof *row->pages);
}

/* The shape that takes `count` rows: its index, and how many rows it has. */
static int shape_of(const struct decode_step *step, int64_t count, int64_t *rows)
{
    int index = 0;
    while ((int64_t)1 << index < count)
        index++;
    *rows = (int64_t)1 << index < step->limit ? (int64_t)1 << index : step->limit;
    return index;
}

static void run_operations(struct decode_step *step, int64_t count)
{
    struct backend *backend = step->model->backend;
    const struct cached_rows rows = {
        .count = count,
        .tokens = step->device.tokens,
        .positions = step->device.positions,
        .turns = step->device.turns,
        .cache_rows = step->device.cache_rows,
        .pages = {step->device.pages, step->width},
    };
    const struct sampling_rows sampling = {step->device.temperature, step->device.top_p,
                                           step->device.draw};
    struct tensor logits = tensor_view_2d(step->logits, DTYPE_F32, count,
                                          step->model->architecture.vocabulary);
    cached_pass_decode(step->model, step->cache, &rows, &logits);
    sample_tokens(backend, step->sampled, &logits, &sampling);
}

static void run_recorded(struct decode_step *step, int shape, int64_t rows)
{
    struct backend *backend = step->model->backend;
    if (!step->recordings[shape] && backend_record_begin(backend)) {
        run_operations(step, rows);
        step->recordings[shape] = backend_record_end(backend);
    }
    if (step->recordings[shape]) /* else the error is sticky */
        backend_record_launch(backend, step->recordings[shape]);
}

void decode_step_start(struct decode_step *step, int64_t count, int32_t *sampled)
{
    static const int32_t first_page = 0;
    const struct decode_row padding = {.pages = &first_page, .page_count = 1};
    struct backend *backend = step->model->backend;
    int64_t rows = count;
    CHECK(count > 0 && count <= step->limit);
    const int shape = step->records ? shape_of(step, count, &rows) : 0;
    for (int64_t i = count; i < rows; i++)
        decode_step_set(step, i, &padding);
    const int32_t *end = step->host.pages + rows * step->width;
    backend_copy_in(backend, step->device.draw, step->host.draw,
                    (size_t)((const unsigned char *)end - step->host_memory.base));
    if (step->records && step->ran[shape])
        run_recorded(step, shape, rows);
    else
        run_operations(step, rows);
    step->ran[shape] = true;
    backend_copy_out(backend, sampled, step->sampled, (size_t)count * sizeof *sampled);
}

enum status decode_step_finish(struct decode_step *step, struct error *error)
{
    return backend_sync(step->model->backend, error);
}
