#include "data_gen/source_file.h"

#include "base/memory.h"
#include "base/unpack.h"
#include "data_gen/parquet.h"
#include "data_gen/parquet_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORGET_STEP_BYTES = 8 << 20 };

/* --- unpacking --- */

struct spool {
    const struct file_map *packed;
    const char *where;
    const char *folder;
    int descriptor;
    size_t forgotten; /* of the packed bytes */
};

static enum status spool_open(struct spool *spool, struct error *error)
{
    const char *folder = getenv("TMPDIR");
    spool->folder = folder && *folder ? folder : "/tmp";
    char *path = path_join(spool->folder, "holdfast-source-XXXXXX");
    spool->descriptor = mkostemp(path, O_CLOEXEC);
    if (spool->descriptor < 0)
        error_set_errno(error, errno,
                        "%s: cannot make a file in %s to unpack it to: set TMPDIR to "
                        "another folder",
                        spool->where, spool->folder);
    else
        unlink(path);
    free(path);
    return spool->descriptor < 0 ? error->status : STATUS_OK;
}

static enum status spool_write(void *context, const void *bytes, size_t count,
                               size_t consumed, struct error *error)
{
    struct spool *spool = context;
    const char *at = bytes;
    while (count > 0) {
        const ssize_t put = write(spool->descriptor, at, count);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_set_errno(
                error, errno,
                "%s: cannot unpack it to %s: set TMPDIR to a folder with room",
                spool->where, spool->folder);
        at += put;
        count -= (size_t)put;
    }
    if (consumed - spool->forgotten >= FORGET_STEP_BYTES) {
        file_map_forget(spool->packed, spool->packed->data + spool->forgotten,
                        consumed - spool->forgotten);
        spool->forgotten = consumed;
    }
    return STATUS_OK;
}

/* Puts the unpacked text in the place of the packed file. */
static enum status unpack_to_spool(struct source_file *file, struct error *error)
{
    struct file_map unpacked = {0};
    struct spool spool = {.packed = &file->map, .where = file->where};
    if (spool_open(&spool, error))
        return error->status;
    enum status status =
        parquet_is(file->map.data, file->map.bytes)
            ? parquet_to_lines(&file->map, file->where, spool_write, &spool, error)
            : unpack(file->map.data, file->map.bytes, file->where, spool_write, &spool,
                     error);
    if (!status)
        status = file_map_descriptor(&unpacked, spool.descriptor, file->where, error);
    file_unmap(&file->map);
    close(file->descriptor);
    file->map = unpacked;
    file->descriptor = spool.descriptor;
    return status;
}

/* --- the file --- */

static enum status text_check(struct source_file *file, struct error *error)
{
    file->bytes = (const char *)file->map.data;
    file->count = file->map.bytes;
    if (bytes_are_lfs_pointer(file->bytes, file->count))
        return error_set(error, STATUS_FORMAT,
                         "%s: this is a git-LFS pointer, not the data: run `git lfs pull`",
                         file->where);
    if (packing_of(file->bytes, file->count) != PACKING_NONE)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: is packed twice: unpack it once yourself", file->where);
    return bytes_check_readable(file->bytes, file->count, file->where, error);
}

enum status source_file_open(struct source_file *file, const char *path,
                             struct error *error)
{
    *file = (struct source_file){.where = memory_duplicate_string(path), .descriptor = -1};
    enum status status = STATUS_OK;
    if (file_is_directory(path))
        status = error_set(error, STATUS_IO, "%s: is a folder; name a file in it", path);
    else if ((file->descriptor = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        status = error_set_errno(error, errno, "%s: cannot open", path);
    else
        status = file_map_descriptor(&file->map, file->descriptor, path, error);
    if (!status) {
        file->hash = source_hash_start(path, &file->map);
        if (packing_of(file->map.data, file->map.bytes) != PACKING_NONE ||
            parquet_is(file->map.data, file->map.bytes))
            status = unpack_to_spool(file, error);
    }
    if (!status)
        status = text_check(file, error);
    if (status)
        source_file_close(file);
    return status;
}

enum status source_file_of_bytes(struct source_file *file, const char *bytes, size_t count,
                                 const char *where, struct error *error)
{
    *file = (struct source_file){
        .where = memory_duplicate_string(where),
        .descriptor = -1,
        .map = {.data = (const unsigned char *)bytes, .bytes = count, .is_copy = true}};
    const enum status status = text_check(file, error);
    if (status)
        source_file_close(file);
    return status;
}

void source_file_close(struct source_file *file)
{
    if (!file->where)
        return;
    source_hash_free(file->hash);
    if (file->descriptor >= 0) {
        file_unmap(&file->map);
        close(file->descriptor);
    }
    memory_free_text(file->where);
    *file = (struct source_file){.descriptor = -1};
}

struct source_hash *source_file_take_hash(struct source_file *file)
{
    struct source_hash *hash = file->hash;
    file->hash = NULL;
    return hash;
}

enum status source_file_sha256(struct source_file *file, char hex[SHA256_HEX_BYTES],
                               struct error *error)
{
    CHECK(file->hash);
    return source_hash_wait(file->hash, hex, error);
}

void source_file_forget_all(struct source_file *file, size_t offset)
{
    if (offset > file->forgotten)
        file_map_forget(&file->map, file->map.data + file->forgotten,
                        offset - file->forgotten);
    file->forgotten = offset;
}

void source_file_forget(struct source_file *file, size_t offset)
{
    if (offset < file->forgotten)
        file->forgotten = offset;
    if (offset >= file->forgotten + FORGET_STEP_BYTES)
        source_file_forget_all(file, offset);
}

enum status source_file_read(const struct source_file *file, size_t offset, char *out,
                             size_t count, struct error *error)
{
    CHECK(offset <= file->count && count <= file->count - offset);
    if (file->map.is_copy) {
        memcpy(out, file->bytes + offset, count);
        return STATUS_OK;
    }
    while (count > 0) {
        const ssize_t got = pread(file->descriptor, out, count, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(error, errno, "%s: cannot read", file->where);
        if (got == 0)
            return error_set(error, STATUS_IO, "%s: became shorter while it was read",
                             file->where);
        offset += (size_t)got;
        out += got;
        count -= (size_t)got;
    }
    return STATUS_OK;
}

enum status source_lines_read(struct string_list *lines, const char *path, const char *what,
                              struct error *error)
{
    struct source_file file;
    if (source_file_open(&file, path, error))
        return error->status;
    struct line_reader reader = {.data = file.bytes, .bytes = file.count};
    while (line_next(&reader)) {
        if (line_is_blank(&reader))
            continue;
        char *line = memory_duplicate_bytes(reader.line, reader.line_bytes);
        string_list_add(lines, line);
        free(line);
    }
    source_file_close(&file);
    if (lines->count == 0)
        return error_set(error, STATUS_FORMAT, "%s: holds no %s (one a line)", path, what);
    return STATUS_OK;
}
