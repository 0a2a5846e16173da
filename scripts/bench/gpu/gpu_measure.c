#include "scripts/bench/gpu/gpu_measure.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void draws_fill(struct bench *bench)
{
    struct random random = random_stream(1, 1);
    const enum dtype dtype = backend_compute_dtype(bench->backend);
    float *draws = memory_allocate_array(DRAW_COUNT, sizeof *draws);
    for (int64_t i = 0; i < DRAW_COUNT; i++)
        draws[i] = random_normal(&random);
    bench->draws[0] = draws;
    bench->draws[1] = memory_allocate_array(DRAW_COUNT, dtype_bytes(dtype));
    dtype_convert(bench->draws[1], dtype, draws, DTYPE_F32, DRAW_COUNT);
}

/* Device memory until blocks_free(). */
void *block_new(struct bench *bench, size_t bytes)
{
    CHECK(bench->block_count < BLOCKS_MAXIMUM);
    void *block = backend_allocate(bench->backend, bytes, bench->error);
    if (!block) {
        log_error("%s", bench->error->message);
        exit(1);
    }
    bench->blocks[bench->block_count++] = block;
    return block;
}

void blocks_free(struct bench *bench)
{
    while (bench->block_count > 0)
        backend_free(bench->backend, bench->blocks[--bench->block_count]);
}

struct tensor tensor_new(struct bench *bench, enum dtype dtype, int64_t rows,
                         int64_t columns)
{
    const size_t each = dtype_bytes(dtype);
    const int64_t count = rows * columns;
    unsigned char *data = block_new(bench, (size_t)count * each);
    for (int64_t done = 0; done < count; done += DRAW_COUNT) {
        const int64_t left = count - done;
        backend_copy_in(bench->backend, data + (size_t)done * each,
                        bench->draws[dtype == DTYPE_F32 ? 0 : 1],
                        (size_t)(left < DRAW_COUNT ? left : DRAW_COUNT) * each);
    }
    return tensor_view_2d(data, dtype, rows, columns);
}

struct tensor matrix(struct bench *bench, int64_t rows, int64_t columns)
{
    return tensor_new(bench, backend_compute_dtype(bench->backend), rows, columns);
}

struct tensor vector(struct bench *bench, enum dtype dtype, int64_t count)
{
    return tensor_view_1d(tensor_new(bench, dtype, 1, count).data, dtype, count);
}

int32_t *integers_new(struct bench *bench, const int32_t *host, int64_t count)
{
    const size_t bytes = (size_t)count * sizeof *host;
    int32_t *device = block_new(bench, bytes);
    backend_copy_in(bench->backend, device, host, bytes);
    return device;
}

/* 0, step, 2 step, …, all taken modulo `modulus`. */
int32_t *ramp_new(struct bench *bench, int64_t count, int64_t step, int64_t modulus)
{
    int32_t *host = memory_allocate_array((size_t)count, sizeof *host);
    for (int64_t i = 0; i < count; i++)
        host[i] = (int32_t)(i * step % modulus);
    int32_t *device = integers_new(bench, host, count);
    free(host);
    return device;
}

double device_clock(struct bench *bench)
{
    if (backend_sync(bench->backend, bench->error)) {
        log_error("%s", bench->error->message);
        exit(1);
    }
    return clock_seconds();
}

bool timing_next(struct timing *timing)
{
    enum { UNMEASURED = 2 };
    const int64_t call = timing->call++;
    const int64_t measured = call - UNMEASURED;
    if (call == 0)
        return true;
    if (measured <= 0) {
        const double now = device_clock(timing->bench);
        const double once = now - timing->start;
        const double wanted = timing->bench->settings->stretch_ms * 1e-3;
        timing->calls_each = (int64_t)fmin(CALLS_MAXIMUM, ceil(wanted / fmax(once, 1e-6)));
        timing->start = now;
        return true;
    }
    if (measured % timing->calls_each == 0) {
        const double now = device_clock(timing->bench);
        timing->seconds[measured / timing->calls_each - 1] =
            (now - timing->start) / (double)timing->calls_each;
        timing->start = now;
    }
    return measured < STRETCHES * timing->calls_each;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `work`: bytes or floating-point operations of a call; the unit is GB/s or TFLOP/s. */
void report(struct timing *timing, const char *what, const char *model, const char *details,
            double work, const char *unit)
{
    const double scale = strcmp(unit, "TFLOP/s") == 0 ? 1e-12 : 1e-9;
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    double *seconds = timing->seconds;
    qsort(seconds, STRETCHES, sizeof *seconds, compare_doubles);
    json_object_begin(&json, NULL);
    json_string(&json, "side", "holdfast");
    json_string(&json, "what", what);
    json_string(&json, "model", model);
    json_string(&json, "details", details);
    json_number(&json, "rate", work / seconds[STRETCHES / 2] * scale);
    json_number(&json, "least", work / seconds[STRETCHES - 1] * scale);
    json_number(&json, "most", work / seconds[0] * scale);
    json_string(&json, "unit", unit);
    json_number(&json, "ms", seconds[STRETCHES / 2] * 1e3);
    json_object_end(&json);
    printf("%s\n", text_buffer_string(&text));
    fflush(stdout);
    text_buffer_release(&text);
}
