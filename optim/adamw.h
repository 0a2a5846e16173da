#ifndef HOLDFAST_OPTIM_ADAMW_H
#define HOLDFAST_OPTIM_ADAMW_H

#include "backend/backend.h"
#include "backend/collective.h"
#include "backend/operations.h"
#include "backend/sharding.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * AdamW over one block of weights (formula: backend/operations.h, adamw_update), with
 * global-norm clipping: gradients are scaled by min(1, clip_norm / norm) inside the same
 * pass, the norm staying on the device. Moments are fp32, or bf16 rounded stochastically
 * (half the memory), or 8-bit codes with a scale a block (a quarter; backend/moments8.h).
 * Ranges say which elements decay (matrices) and which do not (norms).
 *
 * With 8-bit codes the moments of ranges that do not decay, and of ranges of less than
 * ADAMW_SMALL elements, stay fp32: there is nothing to save, and bitsandbytes does the same
 * with the small ones. A moment is then three arrays (struct adamw_moment): codes for
 * every element (unused for small runs), a scale for each block, where element e in the
 * joined run number r has scale e / 256 + r, and the fp32 moments of small runs back to
 * back. Every shard begins at a block, or where a unit does, which is never within a run
 * with codes (all begin with a norm, or with the first run): its part of each is
 * contiguous.
 *
 * Several processes share the work (ZeRO, Rajbhandari et al. 2020, arXiv:1910.02054), each
 * holding the moments of its own shards only. Stage 1: each has all weights and gradients,
 * sums the gradients of all in its own shard, updates that shard of the weights, and gets
 * the others' from the others. Stage 3: weights and gradients are those of the own shards
 * too, and the gradients are sums already.
 */
struct adamw_range {
    int64_t offset;
    int64_t count;
    bool decayed;
};

/* Neighbouring ranges of one kind, joined. */
struct adamw_run {
    int64_t offset;
    int64_t count;
    bool decayed;
    bool small;     /* fp32 moments beside 8-bit ones */
    int64_t before; /* elements of small runs before this one */
};

enum { ADAMW_SMALL = 4096 };

/* What the own shard has of a moment, in device memory. */
struct adamw_moment {
    void *values;  /* [held] of the moments' type */
    float *scales; /* u8: one a block, else NULL */
    float *small;  /* u8: of small runs, else NULL */
};

/* The parts of a moment, for checkpoints. */
enum adamw_array { ADAMW_VALUES, ADAMW_SCALES, ADAMW_SMALL_VALUES, ADAMW_ARRAYS };

struct adamw {
    struct backend *backend;
    struct collectives *collectives; /* NULL: one process on its own */
    int64_t count;                   /* of all weights */
    struct sharding sharding;        /* whose held elements these moments are of */
    struct held_run
        *parts[ADAMW_ARRAYS]; /* [units] of each array, what is held of a unit */
    bool held_alone;          /* weights, remainders and gradients are of them too */
    enum dtype dtype;         /* of the moments: f32, bf16, or u8: 8-bit codes */
    struct adamw_moment moment1;
    struct adamw_moment moment2;
    double *norm_squared; /* device memory [1] */
    int64_t step;         /* updates made */
    struct adamw_run *ranges;
    int64_t range_count;
};

struct adamw_options {
    double beta1;
    double beta2;
    double epsilon;
    double weight_decay;
    double clip_norm; /* 0: none */
    uint64_t seed;    /* of stochastic rounding, where there is any */
};

/* Neighbouring ranges of the same kind are joined. Ranges must cover [0, count) in order.
 * `moments` is f32 or u8, or bf16 where the back-end computes in it. */
enum status adamw_init(struct adamw *adamw, struct backend *backend, int64_t count,
                       enum dtype moments, const struct adamw_range *ranges,
                       int64_t range_count, struct error *error);
/* The same for one of several processes; `collectives` is borrowed. */
enum status adamw_init_shared(struct adamw *adamw, struct backend *backend,
                              struct collectives *collectives, int64_t count,
                              enum dtype moments, const struct adamw_range *ranges,
                              int64_t range_count, struct error *error);
/* The same where each holds nothing but its shards (copied) of weights and gradients. With
 * u8 moments a unit must not begin inside of a run with codes. */
enum status adamw_init_sharded(struct adamw *adamw, struct backend *backend,
                               const struct sharding *sharding, enum dtype moments,
                               const struct adamw_range *ranges, int64_t range_count,
                               struct error *error);
void adamw_release(struct adamw *adamw);

/*
 * One update. `remainders` holds the lower halves of fp32 masters, or has NULL data (see
 * adamw_update). *norm is the global gradient norm before clipping; the one wait for the
 * device is at the end. A norm that is not finite leaves weights, moments and step
 * untouched and returns STATUS_FORMAT: the caller decides.
 *
 * Of several processes each brings the gradients of its own examples, and all get the same
 * weights and norm; the gradients, and the remainders outside of the own shard, are stale
 * after it. Sharded, all three are [sharding_held_count].
 */
enum status adamw_step(struct adamw *adamw, struct tensor *weights,
                       struct tensor *remainders, const struct tensor *gradients, double lr,
                       const struct adamw_options *options, double *norm,
                       struct error *error);

/* All remainders, on every process (nothing to do for one on its own, NULL data, or a
 * sharded one). */
enum status adamw_gather_remainders(struct adamw *adamw, struct tensor *remainders,
                                    struct error *error);

/* Finds `parts`, once sharding and ranges are known. */
void adamw_parts_find(struct adamw *adamw);
/* Elements of an array of a moment, over all shards, and room for those that are held;
 * their type. None of scales and small values but for u8. */
int64_t adamw_array_count(const struct adamw *adamw, enum adamw_array array);
int64_t adamw_array_held(const struct adamw *adamw, enum adamw_array array);
enum dtype adamw_array_dtype(const struct adamw *adamw, enum adamw_array array);
/* Where the own part of it lies. */
void *adamw_array_data(const struct adamw_moment *moment, enum adamw_array array);
/* Arrays are gathered in the units of the sharding. Unit u begins at element
 * adamw_array_start(u), and ends where the next one begins. */
int64_t adamw_array_start(const struct adamw *adamw, enum adamw_array array, int64_t unit);
/* The part of a unit that is this rank's: where in the array, and in what is held. */
struct held_run adamw_array_run(const struct adamw *adamw, enum adamw_array array,
                                int64_t unit);
/* A unit of an array whole, in host memory of rank 0; NULL elsewhere. `moment` is
 * &adamw->moment1 or moment2. All processes call this. */
enum status adamw_gather_array(struct adamw *adamw, const struct adamw_moment *moment,
                               enum adamw_array array, int64_t unit, void *host,
                               struct error *error);

#endif
