#ifndef HOLDFAST_SCRIPTS_BENCH_GPU_GPU_MEASURE_H
#define HOLDFAST_SCRIPTS_BENCH_GPU_GPU_MEASURE_H

#include "backend/operations.h"

#include <stdbool.h>
#include <stdint.h>

/* What gpu_operations.c measures with: operands of random normals on the device, and the
 * time of calls. What fails ends the program. */

struct settings {
    char *device;
    int64_t tokens, side;
    double stretch_ms;
    bool small, own_attention;
};

enum { DRAW_COUNT = 1048573, BLOCKS_MAXIMUM = 64 };

struct bench {
    const struct settings *settings;
    struct backend *backend;
    struct error *error;
    void *draws[2]; /* [DRAW_COUNT] normals: f32, and the compute type */
    void *blocks[BLOCKS_MAXIMUM];
    int block_count;
};

/* Once the back-end is open; freed by the caller. */
void draws_fill(struct bench *bench);
/* Device memory until blocks_free(). */
void *block_new(struct bench *bench, size_t bytes);
void blocks_free(struct bench *bench);
struct tensor tensor_new(struct bench *bench, enum dtype dtype, int64_t rows,
                         int64_t columns);
/* In the compute type. */
struct tensor matrix(struct bench *bench, int64_t rows, int64_t columns);
struct tensor vector(struct bench *bench, enum dtype dtype, int64_t count);
int32_t *integers_new(struct bench *bench, const int32_t *host, int64_t count);
/* 0, step, 2 step, …, all taken modulo `modulus`. */
int32_t *ramp_new(struct bench *bench, int64_t count, int64_t step, int64_t modulus);

/* Tells a loop how often to run: one call unmeasured, one for its length, then stretches.
 */
enum { STRETCHES = 5, CALLS_MAXIMUM = 100 };
struct timing {
    struct bench *bench;
    int64_t call;
    int64_t calls_each; /* of a stretch */
    double start;
    double seconds[STRETCHES]; /* of one call */
};

/* The clock, once the device has done all. */
double device_clock(struct bench *bench);
bool timing_next(struct timing *timing);
/* Prints one line. `work`: bytes or floating-point operations of a call; the unit is GB/s
 * or TFLOP/s. */
void report(struct timing *timing, const char *what, const char *model, const char *details,
            double work, const char *unit);

#define MEASURE(bench_, what, model, details, work, unit, call_)                           \
    do {                                                                                   \
        struct timing timing_ = {.bench = (bench_), .start = device_clock(bench_)};        \
        while (timing_next(&timing_)) {                                                    \
            call_;                                                                         \
        }                                                                                  \
        report(&timing_, what, model, details, work, unit);                                \
    } while (0)

#endif
