#ifndef HOLDFAST_MODEL_DECODE_STEP_H
#define HOLDFAST_MODEL_DECODE_STEP_H

#include "model/cached_pass.h"

/*
 * One token for each of up to `limit` sequences: one copy to the device, the pass, the
 * sampling, one copy back.
 *
 * Where the back-end can record, a step has one of a few numbers of rows (1, 2, 4, …,
 * limit), the rows beyond the sequences being padding, and each is recorded when it comes
 * for the second time (scratch and plans are there then) and replayed from there on. All
 * of them work in the same buffers. Padding reads and writes page 0 of the cache, which
 * no sequence may own.
 */
struct decode_row {
    int32_t token;
    int32_t position;
    int32_t turn;         /* row of the rotary tables */
    const int32_t *pages; /* [page_count] */
    int64_t page_count;
    double temperature; /* 0: greedy */
    double top_p;       /* in (0, 1] */
    double draw;        /* uniform in [0, 1) */
};

/* What changes from step to step, laid out alike on the host and on the device. */
struct decode_inputs {
    double *draw;        /* [limit], as all but `pages` */
    int32_t *tokens;     /* what is known and not yet in the cache */
    int32_t *positions;  /* of it */
    int32_t *turns;      /* likewise: rows of the rotary tables */
    int32_t *cache_rows; /* where its keys and values go */
    float *temperature;
    float *top_p;
    int32_t *pages; /* [limit, width]; last, so that a step copies only its rows */
};

enum { DECODE_SHAPES = 32 };
struct decode_step {
    struct transformer *model;
    struct key_value_cache *cache;
    int64_t limit;
    int64_t width; /* pages of a sequence at most */
    struct arena host_memory;
    void *device_memory;
    struct decode_inputs host;
    struct decode_inputs device;
    int32_t *sampled; /* device [limit] */
    float *logits;    /* device [limit, V] */
    bool records;     /* whether the back-end can */
    bool ran[DECODE_SHAPES];
    struct recording *recordings[DECODE_SHAPES];
};

/* The model's inference buffers and rotary tables, and later the cache, must stay in place
 * until release. */
enum status decode_step_reserve(struct decode_step *step, struct transformer *model,
                                struct key_value_cache *cache, int64_t limit, int64_t width,
                                struct error *error);
void decode_step_release(struct decode_step *step);

/* Says what row `index` is in the next step. */
void decode_step_set(struct decode_step *step, int64_t index, const struct decode_row *row);
/* Begins to sample the tokens of rows [0, count): a device does it while the host goes on.
 */
void decode_step_start(struct decode_step *step, int64_t count, int32_t *sampled);
/* Waits for `sampled`: [count], -1 where the logits are not finite. */
enum status decode_step_finish(struct decode_step *step, struct error *error);

#endif
