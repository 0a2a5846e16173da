#ifndef HOLDFAST_DATA_GEN_SOURCE_FILE_H
#define HOLDFAST_DATA_GEN_SOURCE_FILE_H

#include "base/error.h"
#include "base/file.h"
#include "base/options.h"
#include "data_gen/source_hash.h"

/*
 * The text of a source, in one piece: a file as it is, mapped, or what a gzip or zstd file
 * unpacks to (told by its first bytes; base/unpack.h), or the rows of a Parquet file as
 * JSONL (data_gen/parquet.h), written to a file of no name in $TMPDIR (default /tmp) and
 * mapped too. Pages that were read are given back as the reader goes on, so that a source
 * of any size takes little memory.
 *
 * The SHA-256 is that of the file on disk, packed or not. It is computed beside the reading
 * (data_gen/source_hash.h); source_file_sha256() waits for it.
 */
struct source_file {
    const char *bytes; /* [count], not NUL-terminated */
    size_t count;
    const char *where;        /* its path, for messages; owned */
    struct file_map map;      /* behind `bytes` */
    int descriptor;           /* of what is mapped; -1: `bytes` are in memory */
    size_t forgotten;         /* pages before it were given back */
    struct source_hash *hash; /* under way or done; NULL: nothing to hash */
};

enum status source_file_open(struct source_file *file, const char *path,
                             struct error *error);
/* Over bytes in memory, borrowed; `where` names them. */
enum status source_file_of_bytes(struct source_file *file, const char *bytes, size_t count,
                                 const char *where, struct error *error);
void source_file_close(struct source_file *file);

enum status source_file_sha256(struct source_file *file, char hex[SHA256_HEX_BYTES],
                               struct error *error);
/* The hash itself, for who outlives the file; the caller frees. */
struct source_hash *source_file_take_hash(struct source_file *file);

/* What is before `offset` is not read any more for now (a smaller one starts over). Its
 * pages are given back in large steps, or at once. */
void source_file_forget(struct source_file *file, size_t offset);
void source_file_forget_all(struct source_file *file, size_t offset);

/* Copies count bytes at offset to `out`, without keeping pages in memory. */
enum status source_file_read(const struct source_file *file, size_t offset, char *out,
                             size_t count, struct error *error);

/* Adds the lines of a file that are not blank to `lines`; none at all of `what` is an
 * error. */
enum status source_lines_read(struct string_list *lines, const char *path, const char *what,
                              struct error *error);

#endif
