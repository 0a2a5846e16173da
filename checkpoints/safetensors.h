#ifndef HOLDFAST_CHECKPOINTS_SAFETENSORS_H
#define HOLDFAST_CHECKPOINTS_SAFETENSORS_H

#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * safetensors, byte for byte:
 *
 *     [0, 8)        header length N, u64 little-endian
 *     [8, 8+N)      JSON: {"name": {"dtype": "F32", "shape": [2,3],
 *                   "data_offsets": [begin, end]}, …, "__metadata__": {"k": "v"}}
 *     [8+N, …)      the data; offsets count from here; no gaps, no overlap
 *
 * The header may be padded at its end with spaces. Rank 0 is a scalar, an extent of 0 an
 * empty tensor; both are valid.
 *
 * Source: https://github.com/huggingface/safetensors, "Format".
 *
 * Read by mmap: entry->data points into the map. Refused, by the
 * specification: a header over 100 MB or longer than the file, one that does
 * not begin with '{' or is not UTF-8, offsets with a hole, an overlap or another end than
 * the file's, a size other than shape times dtype, a shape that overflows, metadata that
 * are not strings. Beyond these: a name given twice
 * (the reference implementation, 0.8.0, takes the last), NUL in a name, more than
 * TENSOR_RANK_MAXIMUM dimensions, and dtypes outside of `enum dtype`
 * (STATUS_UNSUPPORTED).
 */
enum { TENSOR_RANK_MAXIMUM = 8 };

struct safetensors_entry {
    char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_RANK_MAXIMUM];
    int64_t count;
    const void *data; /* may be unaligned: use safetensors_copy(), or memcpy */
    size_t bytes;
    struct file_map map; /* borrowed: of the file; empty where the data are none of its */
};

struct safetensors {
    struct file_map map;
    char *path;
    struct safetensors_entry *entries; /* sorted by name */
    size_t entry_count;
    char **metadata;       /* key, value, key, value, … */
    size_t metadata_count; /* pairs */
    bool owns_map;         /* opened, not parsed from borrowed bytes */
};

/* After an error nothing is left open; safetensors_close() is then harmless, as it is on
 * a zeroed struct. */
enum status safetensors_open(struct safetensors *file, const char *path,
                             struct error *error);
/* As safetensors_open(), over bytes in memory (borrowed); `where` names them. */
enum status safetensors_parse(struct safetensors *file, const void *bytes, size_t count,
                              const char *where, struct error *error);
void safetensors_close(struct safetensors *file);
/* Both NULL if absent. */
const struct safetensors_entry *safetensors_find(const struct safetensors *file,
                                                 const char *name);
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/* Product of a shape (1 for rank 0); false if an extent is negative or it overflows. */
bool safetensors_shape_count(const int64_t *shape, int rank, int64_t *count);

/*
 * Copies a whole entry into `destination` (entry->count elements of `dtype`, aligned to
 * its element), converted to `dtype`. Integers only to their own dtype; anything else is
 * a bug.
 */
void safetensors_copy(const struct safetensors_entry *entry, void *destination,
                      enum dtype dtype);

/*
 * Writes a file. `tensors` gives names, dtypes, shapes and data; `stored` is the dtype in
 * the file (float tensors are converted, rounded to nearest even, through a buffer of
 * fixed size; an integer tensor's is its dtype). `metadata` is key, value, key, value, …
 *
 * Order: as given, but tensors of larger stored elements first, as the reference
 * implementation does, and the header is padded so that the data begin at a multiple of
 * 64: so every tensor is aligned to its element, which PyTorch needs. Same input, same
 * bytes.
 *
 * Atomic: after an error (a full disk) nothing is left, and an earlier file stands. Two
 * tensors of one name, or a shape that overflows, are a bug.
 */
struct safetensors_tensor {
    const char *name;
    const void *data;  /* borrowed; alignment does not matter. NULL: a source makes them */
    enum dtype dtype;  /* in memory */
    enum dtype stored; /* in the file */
    int rank;
    int64_t shape[TENSOR_RANK_MAXIMUM];
};
enum status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                              size_t count, const char *const *metadata,
                              size_t metadata_pairs, struct error *error);

/*
 * What makes data while a file is written: values <- elements [first, first + count) of
 * `tensor`, in its dtype. Called for piece after piece, in the order of the file; its error
 * is that of writing.
 */
struct safetensors_source {
    enum status (*read)(void *context, const struct safetensors_tensor *tensor,
                        int64_t first, int64_t count, void *values, struct error *error);
    void *context;
};
/* safetensors_write() with a source for tensors without data. */
enum status safetensors_write_from(const char *path,
                                   const struct safetensors_tensor *tensors, size_t count,
                                   const char *const *metadata, size_t metadata_pairs,
                                   const struct safetensors_source *source,
                                   struct error *error);

/* Bytes that a tensor's data take in the file. */
size_t safetensors_stored_bytes(const struct safetensors_tensor *tensor);

/*
 * The weights of a Hugging Face directory: model.safetensors, or else the shards that
 * model.safetensors.index.json names:
 *
 *     {"metadata": {"total_size": 1234},
 *      "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", …}}
 *
 * Shards are plain names (not empty, no '/', no '..'); each must be there and whole, and
 * each tensor of the map in its shard and in no other.
 */
struct weight_files {
    struct safetensors *files;
    size_t count;
};
enum status weight_files_open(struct weight_files *weights, const char *directory,
                              struct error *error);
void weight_files_close(struct weight_files *weights);
/* Searches all shards; *file_path (may be NULL) names the shard, for messages. NULL, and
 * *file_path untouched, if no shard has it. */
const struct safetensors_entry *weight_files_find(const struct weight_files *weights,
                                                  const char *name, const char **file_path);

/*
 * Writes weights into `directory`, which must exist, as transformers'
 * save_pretrained() lays them out: model.safetensors if all data together (as stored)
 * have at most `max_shard_bytes` (0: no limit), else model-00001-of-0000N.safetensors …
 * filled in the order given, a tensor over the limit alone in its shard, and last
 * model.safetensors.index.json. The metadata are {"format": "pt"}, without which
 * transformers refuses a file.
 *
 * Errors: each file is atomic, the set is not, though without its index it does not
 * count; write into a new directory and rename that. A directory that holds weights
 * already is refused. No tensor at all, or two of one name, are a bug.
 */
enum status weight_files_write(const char *directory,
                               const struct safetensors_tensor *tensors, size_t count,
                               size_t max_shard_bytes, struct error *error);

/* The same with a source for tensors without data: asked in the order given, where all are
 * stored alike. */
enum status weight_files_write_from(const char *directory,
                                    const struct safetensors_tensor *tensors, size_t count,
                                    size_t max_shard_bytes,
                                    const struct safetensors_source *source,
                                    struct error *error);

#endif
