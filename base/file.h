#ifndef HOLDFAST_BASE_FILE_H
#define HOLDFAST_BASE_FILE_H

#include "base/error.h"
#include "base/text_buffer.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * A whole file, mapped read-only. data[bytes] is not NUL. An empty file maps to "". A
 * pipe is read to its end into memory. Nobody may shorten the file while it is mapped.
 */
struct file_map {
    const unsigned char *data;
    size_t bytes;
    bool is_copy; /* of a pipe: the pages are ours alone, not the file's */
};
enum status file_map(struct file_map *map, const char *path, struct error *error);
void file_unmap(struct file_map *map);
/* Maps what stands in an open file, of which it borrows nothing; `path` names it. */
enum status file_map_descriptor(struct file_map *map, int descriptor, const char *path,
                                struct error *error);
/*
 * Takes the pages of [data, data + bytes), which lie in the map, out of this process's
 * memory; read again, they come back from the file. So a walk over a file larger than
 * memory stays small, and what was copied once does not count beside its copy. Those
 * around them go too: Linux brings as many with a fault. Does nothing to a copy,
 * or with an empty map.
 */
void file_map_forget(const struct file_map *map, const void *data, size_t bytes);

/* Reads a whole file into `buffer` (replacing it). At most `limit_bytes`, 0 = no limit. */
enum status file_read(struct text_buffer *buffer, const char *path, size_t limit_bytes,
                      struct error *error);

/*
 * A file that appears whole or not at all: written beside `path` under a temporary
 * name, synced, renamed, and its folder synced. Write errors (a full disk) are kept and
 * reported by file_commit(); file_abandon() removes the temporary and is safe after
 * a commit or on a zeroed struct. The commit closes in any case; where it fails, `path`
 * is as it was. fileno() of the stream is not to be used. A device or pipe (/dev/stdout) is
 * written in place; where `path` is a link, the file it names is replaced.
 */
struct file_writer {
    FILE *stream; /* write here; NULL when closed */
    char *path;
    char *temporary_path;
    struct file_sink *sink; /* descriptor and first error, behind the stream */
};
enum status file_create(struct file_writer *writer, const char *path, struct error *error);
enum status file_commit(struct file_writer *writer, struct error *error);
void file_abandon(struct file_writer *writer);
/* All three at once. */
enum status file_write_all(const char *path, const char *bytes, size_t count,
                           struct error *error);

/*
 * Append-only log of whole lines: each file_log_append() writes one line and syncs it
 * before it returns. Opening repairs a torn last line (one without '\n', left by a
 * crash) by cutting it off, and says in *torn (may be NULL) whether it did. While it is
 * open, opening it again fails: two writers would tear each other's lines. A line that
 * could not be written whole is taken back. `line` must not hold '\n' (CHECK).
 */
struct file_log {
    int descriptor; /* -1 when closed */
    char *path;
};
enum status file_log_open(struct file_log *log, const char *path, bool *torn,
                          struct error *error);
enum status file_log_append(struct file_log *log, const char *line, size_t count,
                            struct error *error);
void file_log_close(struct file_log *log);

bool file_exists(const char *path);
bool file_exists_in(const char *folder, const char *name);
bool file_is_directory(const char *path);
enum status file_make_directories(const char *path, struct error *error); /* mkdir -p */
/* The first folder on the way to `path` that is not there (heap); NULL: all are. */
char *file_first_missing(const char *path);
enum status file_remove_tree(const char *path,
                             struct error *error); /* rm -r; absent is fine */
/*
 * Takes back the folder `path` that was made for what did not come about, with all that is
 * in it, and those above it as far as `first_missing` (from file_first_missing(), before
 * they were made) that nobody else has put anything into.
 */
void file_remove_made(const char *path, const char *first_missing);
/*
 * What writers that were killed left in `folder`: ".NAME.XXXXXX" where NAME is there too.
 * For a folder that no other process writes into.
 */
void file_remove_torn(const char *folder);
/* A file or folder in `folder`; what cannot be removed is left. */
void file_remove_in(const char *folder, const char *name);
/* Atomic and synced; `to` must be absent or an empty folder. */
enum status file_rename_directory(const char *from, const char *to, struct error *error);
enum status file_sync_directory(const char *path, struct error *error);

/* "a/b" joined; caller frees. An absolute name, or one in "", stays as it is. */
char *path_join(const char *directory, const char *name);
/* The last component, borrowed: "a/b" gives "b", "a/b/" gives "b/". */
const char *path_base_name(const char *path);
/* What is before the last component; caller frees: "a/b" gives "a", "b" gives ".". */
char *path_directory(const char *path);

/* Lower-case hexadecimal SHA-256 and its NUL (libnettle). */
enum { SHA256_HEX_BYTES = 65 };
enum status file_sha256(char hex[SHA256_HEX_BYTES], const char *path, struct error *error);
void bytes_sha256(char hex[SHA256_HEX_BYTES], const void *bytes, size_t count);

/* What git leaves in place of a large file that was not fetched. */
bool bytes_are_lfs_pointer(const void *bytes, size_t count);

/*
 * Lines of a mapped or read text: the next line without its "\n" or "\r\n".
 *     struct line_reader lines = {.data = …, .bytes = …};
 *     while (line_next(&lines)) use(lines.line, lines.line_bytes, lines.number);
 */
struct line_reader {
    const char *data;
    size_t bytes;
    size_t offset;
    const char *line;
    size_t line_bytes;
    int64_t number; /* from 1 */
};
bool line_next(struct line_reader *reader);
bool line_is_blank(const struct line_reader *reader); /* only spaces and tabs */

#endif
