#ifndef HOLDFAST_MODEL_PARAMETERS_H
#define HOLDFAST_MODEL_PARAMETERS_H

#include "backend/backend.h"
#include "backend/sharding.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Parameters that lie in one block, in the order of entries[], so that their gradients and
 * moments are blocks of the same layout and the optimiser is one pass.
 */
struct parameter {
    char *name;     /* as Hugging Face files spell it: model.layers.0.… */
    int64_t offset; /* in elements, into weights and gradients */
    int64_t count;
    int rank;
    int64_t shape[2];
    bool transposed;   /* files have the matrix as [shape[1], shape[0]] */
    bool decayed;      /* weight decay applies (matrices; not norms) */
    int64_t quantized; /* its number in model/quantized.h, not in this block; else -1 */
};

/*
 * Weights are held in the back-end's compute type. Training in bf16 needs more: the fp32
 * masters, whose upper halves are the weights, and whose lower halves are kept beside them
 * (base/dtype.h, bf16_split). In fp32 the weights are the masters. Weights that stay frozen
 * need none, and the matrices of their blocks may be held in NF4 (model/quantized.h).
 */
enum master_weights { MASTERS_DROPPED, MASTERS_KEPT, MASTERS_DROPPED_NF4 };

struct parameter_block {
    struct backend *backend;
    const struct sharding *sharding; /* borrowed: weights, remainders and gradients are what
                                        it holds of [count]. NULL: all of them */
    struct parameter *entries;
    size_t entry_count;
    size_t entry_capacity;
    int64_t quantized_count; /* of entries that lie elsewhere */
    int64_t count;           /* of elements */
    enum dtype dtype;        /* of the weights */
    void *weights;           /* device */
    int16_t *remainders; /* device; NULL: the masters are not kept, or are the weights */
    float *gradients;    /* device; NULL until reserved */
};

/* An empty block; entries are added, then the weights are allocated (zero). */
void parameter_block_init(struct parameter_block *block, struct backend *backend);
void parameter_block_release(struct parameter_block *block);
/* Appends behind the last one. columns 0: a vector, which does not decay. */
void parameter_block_add(struct parameter_block *block, const char *name, int64_t rows,
                         int64_t columns);
/* The same for a matrix whose weights lie in NF4 elsewhere: it takes no place here. */
void parameter_block_add_quantized(struct parameter_block *block, const char *name,
                                   int64_t rows, int64_t columns);
/* Elements of weights and gradients that are held here. */
int64_t parameter_block_held(const struct parameter_block *block);
enum status parameter_block_allocate(struct parameter_block *block,
                                     enum master_weights masters, struct error *error);
enum status parameter_block_reserve_gradients(struct parameter_block *block,
                                              struct error *error);
void parameter_block_drop_gradients(struct parameter_block *block);

/* Sets the weights [first, first + count), and their masters where they are kept. */
void parameter_block_put(struct parameter_block *block, int64_t first, const float *values,
                         int64_t count);
/* The same of bf16 weights, where the block's are; the masters' lower halves stay. */
void parameter_block_put_halves(struct parameter_block *block, int64_t first,
                                const uint16_t *halves, int64_t count);
/* The masters of held elements [place, place + count) as f32. */
enum status parameter_block_get_held(const struct parameter_block *block, int64_t place,
                                     int64_t count, float *values, struct error *error);
/* All masters (the weights, where none are kept) as f32: values [block->count].
 * Not of a block that is shared out. */
enum status parameter_block_get(const struct parameter_block *block, float *values,
                                struct error *error);

/* How files have it: the shape of its tensor there, [rank]. */
void parameter_file_shape(const struct parameter *parameter, int64_t *shape);
/* values [parameter->count] on the host, from the order of files to that of the block. */
void parameter_from_file(const struct parameter *parameter, float *values);
/* The same the other way. */
void parameter_to_file(const struct parameter *parameter, float *values);
/* All of a block, [block->count], to the order of files. */
void parameter_block_to_file(const struct parameter_block *block, float *values);
size_t parameter_block_bytes(const struct parameter_block *block);

/* Element type and place of the next view into a block laid out as the weights are. */
struct parameter_cursor {
    unsigned char *next;
    enum dtype dtype;
};
struct tensor parameter_take(struct parameter_cursor *cursor, int64_t rows,
                             int64_t columns);

#endif
