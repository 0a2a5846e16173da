#ifndef HOLDFAST_MODEL_CHECKPOINT_SUMMARY_H
#define HOLDFAST_MODEL_CHECKPOINT_SUMMARY_H

#include "base/dtype.h"
#include "base/error.h"
#include "model/architecture.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What the weight files of a directory hold, from their headers: no weight is read. Every
 * tensor that config.json asks for is there, in its shape, and nothing else is; or an error
 * says what is wrong, as loading would.
 */
enum checkpoint_part {
    PART_EMBEDDING,
    PART_ATTENTION,
    PART_FEED_FORWARD,
    PART_NORMS,
    PART_HEAD, /* 0 where it is the embedding */
    PART_COUNT
};
struct checkpoint_summary {
    int64_t parameters;          /* numbers, all parts */
    int64_t parts[PART_COUNT];   /* numbers */
    int64_t stored[DTYPE_COUNT]; /* numbers, by the type in the files */
    size_t tensor_count;
    size_t file_count;
    size_t file_bytes;
};
enum status checkpoint_summarise(struct checkpoint_summary *summary,
                                 const struct architecture *architecture,
                                 const char *directory, struct error *error);
/* "embedding", … */
const char *checkpoint_part_name(enum checkpoint_part part);

#endif
