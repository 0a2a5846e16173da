#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16 };

/* Opens for reading what is no folder, and says how it is. */
static enum status open_for_reading(int *descriptor, struct stat *status, const char *path,
                                    struct error *error)
{
    do
        *descriptor = open(path, O_RDONLY | O_CLOEXEC);
    while (*descriptor < 0 && errno == EINTR);
    if (*descriptor < 0)
        return error_set_errno(error, errno, "%s: cannot open", path);
    enum status result = STATUS_OK;
    if (fstat(*descriptor, status) != 0)
        result = error_set_errno(error, errno, "%s: cannot examine", path);
    else if (S_ISDIR(status->st_mode))
        result = error_set(error, STATUS_IO, "%s: is a folder; name a file in it", path);
    if (result)
        close(*descriptor);
    return result;
}

/* As read(), retried when a signal interrupts it. */
static ssize_t read_some(int descriptor, void *bytes, size_t count)
{
    ssize_t got;
    do
        got = read(descriptor, bytes, count);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Appends all that is left to read; `expected` is a guess of its size. */
static enum status read_all(struct text_buffer *buffer, int descriptor, size_t expected,
                            size_t limit_bytes, const char *path, struct error *error)
{
    array_reserve(buffer->data, buffer->capacity, expected + 1);
    buffer->data[buffer->length] = '\0';
    for (;;) {
        if (limit_bytes > 0 && buffer->length > limit_bytes)
            return error_set(error, STATUS_LIMIT, "%s: larger than %zu bytes", path,
                             limit_bytes);
        if (buffer->capacity - buffer->length < 2) /* one byte more tells the end */
            array_reserve(buffer->data, buffer->capacity, buffer->length + READ_BYTES);
        const ssize_t got = read_some(descriptor, buffer->data + buffer->length,
                                      buffer->capacity - buffer->length - 1);
        if (got < 0)
            return error_set_errno(error, errno, "%s: cannot read", path);
        buffer->length += (size_t)got;
        buffer->data[buffer->length] = '\0';
        if (got == 0)
            return STATUS_OK;
    }
}

static size_t expected_bytes(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_size > 0 ? (size_t)status->st_size : 0;
}

enum status file_read(struct text_buffer *buffer, const char *path, size_t limit_bytes,
                      struct error *error)
{
    int descriptor;
    struct stat status;
    text_buffer_clear(buffer);
    enum status result = open_for_reading(&descriptor, &status, path, error);
    if (result)
        return result;
    const size_t expected = expected_bytes(&status);
    if (limit_bytes > 0 && expected > limit_bytes)
        result =
            error_set(error, STATUS_LIMIT, "%s: larger than %zu bytes", path, limit_bytes);
    else
        result = read_all(buffer, descriptor, expected + 1, limit_bytes, path, error);
    if (result)
        text_buffer_clear(buffer);
    close(descriptor);
    return result;
}

/* Pipes and files of /proc cannot be mapped: their bytes go into pages of our own. */
static enum status map_copy(struct file_map *map, int descriptor, const char *path,
                            struct error *error)
{
    struct text_buffer buffer = {0};
    enum status result = read_all(&buffer, descriptor, READ_BYTES, 0, path, error);
    if (result == STATUS_OK && buffer.length > 0) {
        void *pages = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED) {
            result = error_set_errno(error, errno, "%s: cannot map", path);
        } else {
            memcpy(pages, buffer.data, buffer.length);
            *map =
                (struct file_map){.data = pages, .bytes = buffer.length, .is_copy = true};
        }
    }
    text_buffer_release(&buffer);
    return result;
}

static enum status map_pages(struct file_map *map, int descriptor, size_t bytes,
                             const char *path, struct error *error)
{
    void *pages = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (pages == MAP_FAILED)
        return error_set_errno(error, errno, "%s: cannot map", path);
    *map = (struct file_map){.data = pages, .bytes = bytes};
    return STATUS_OK;
}

enum status file_map_descriptor(struct file_map *map, int descriptor, const char *path,
                                struct error *error)
{
    struct stat status;
    *map = (struct file_map){.data = (const unsigned char *)""};
    if (fstat(descriptor, &status) != 0)
        return error_set_errno(error, errno, "%s: cannot examine", path);
    const size_t bytes = expected_bytes(&status);
    return bytes > 0 ? map_pages(map, descriptor, bytes, path, error)
                     : map_copy(map, descriptor, path, error);
}

enum status file_map(struct file_map *map, const char *path, struct error *error)
{
    int descriptor;
    struct stat status;
    *map = (struct file_map){.data = (const unsigned char *)""};
    const enum status opened = open_for_reading(&descriptor, &status, path, error);
    if (opened)
        return opened;
    const enum status result = file_map_descriptor(map, descriptor, path, error);
    close(descriptor);
    return result;
}

void file_unmap(struct file_map *map)
{
    if (map->bytes > 0)
        munmap((void *)(uintptr_t)map->data, map->bytes);
    *map = (struct file_map){0};
}

/* A fault maps the piece of the page cache around it, which Linux 6.18 makes up to 2 MiB
 * large, on both sides. */
enum { AROUND_BYTES = 2 << 20 };

void file_map_forget(const struct file_map *map, const void *data, size_t bytes)
{
    if (bytes == 0 || map->bytes == 0 || map->is_copy)
        return;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t first = (size_t)((const unsigned char *)data - map->data);
    const size_t last = first + bytes;
    const size_t begin = first > AROUND_BYTES ? (first - AROUND_BYTES) / page * page : 0;
    const size_t end = map->bytes - last > AROUND_BYTES ? last + AROUND_BYTES : map->bytes;
    /* Only a hint: where it is refused the pages stay until they are unmapped. */
    (void)madvise((void *)(uintptr_t)(map->data + begin), end - begin, MADV_DONTNEED);
}

bool bytes_are_lfs_pointer(const void *bytes, size_t count)
{
    static const char start[] = "version https://git-lfs";
    return count >= sizeof start - 1 && memcmp(bytes, start, sizeof start - 1) == 0;
}

/* --- file_log --- */

/* The length of the part that ends in '\n', or -1 with errno. */
static off_t whole_lines_bytes(int descriptor, off_t bytes)
{
    char *block = memory_allocate(READ_BYTES);
    off_t end = bytes;
    off_t result = 0;
    while (end > 0 && result == 0) {
        const off_t start = end > READ_BYTES ? end - READ_BYTES : 0;
        const ssize_t got = pread(descriptor, block, (size_t)(end - start), start);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            result = -1;
            break;
        }
        const char *newline = memrchr(block, '\n', (size_t)got);
        if (newline)
            result = start + (newline - block) + 1;
        end = start;
    }
    free(block);
    return result;
}

static enum status cut_torn_line(struct file_log *log, bool *torn, struct error *error)
{
    struct stat status;
    if (fstat(log->descriptor, &status) != 0)
        return error_set_errno(error, errno, "%s: cannot examine", log->path);
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return STATUS_OK;
    const off_t whole = whole_lines_bytes(log->descriptor, status.st_size);
    if (whole < 0)
        return error_set_errno(error, errno, "%s: cannot read", log->path);
    if (whole == status.st_size)
        return STATUS_OK;
    if (ftruncate(log->descriptor, whole) != 0 || fsync(log->descriptor) != 0)
        return error_set_errno(error, errno, "%s: cannot cut off a torn last line",
                               log->path);
    if (torn)
        *torn = true;
    return STATUS_OK;
}

enum status file_log_open(struct file_log *log, const char *path, bool *torn,
                          struct error *error)
{
    enum status result;
    *log = (struct file_log){.descriptor = -1, .path = memory_duplicate_string(path)};
    if (torn)
        *torn = false;
    char *directory = path_directory(path);
    log->descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log->descriptor < 0)
        result = error_set_errno(error, errno, "%s: cannot open for appending", path);
    else if (flock(log->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        result =
            error_set(error, STATUS_IO,
                      "%s: another process is writing to it; wait for it to end", path);
    else if (!(result = cut_torn_line(log, torn, error)))
        result = file_sync_directory(directory, error);
    free(directory);
    if (result)
        file_log_close(log);
    return result;
}

static int write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t put = write(descriptor, bytes, count);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        bytes += put;
        count -= (size_t)put;
    }
    return 0;
}

/* Syncs; what cannot be synced (a terminal, a pipe) is no error. */
static int sync_data(int descriptor)
{
    int result;
    do
        result = fdatasync(descriptor);
    while (result != 0 && errno == EINTR);
    return result != 0 && (errno == EINVAL || errno == EROFS) ? 0 : result;
}

enum status file_log_append(struct file_log *log, const char *line, size_t count,
                            struct error *error)
{
    CHECK(log->path && !memchr(line, '\n', count));
    const off_t before = lseek(log->descriptor, 0, SEEK_END);
    struct text_buffer whole = {0};
    text_buffer_append_bytes(&whole, line, count);
    text_buffer_append_char(&whole, '\n');
    enum status result = STATUS_OK;
    if (write_all(log->descriptor, whole.data, whole.length) != 0 ||
        sync_data(log->descriptor) != 0) {
        result = error_set_errno(error, errno, "%s: cannot append", log->path);
        if (before >= 0 && ftruncate(log->descriptor, before) != 0)
            error_prefix(error, "a line may be torn");
    }
    text_buffer_release(&whole);
    return result;
}

void file_log_close(struct file_log *log)
{
    if (log->path && log->descriptor >= 0)
        close(log->descriptor);
    free(log->path);
    *log = (struct file_log){.descriptor = -1};
}

bool line_next(struct line_reader *reader)
{
    if (reader->offset >= reader->bytes)
        return false;
    const char *line = reader->data + reader->offset;
    const size_t left = reader->bytes - reader->offset;
    const char *newline = memchr(line, '\n', left);
    const size_t length = newline ? (size_t)(newline - line) : left;
    reader->offset += newline ? length + 1 : length;
    reader->line = line;
    reader->line_bytes =
        newline && length > 0 && line[length - 1] == '\r' ? length - 1 : length;
    reader->number++;
    return true;
}

bool line_is_blank(const struct line_reader *reader)
{
    for (size_t i = 0; i < reader->line_bytes; i++)
        if (reader->line[i] != ' ' && reader->line[i] != '\t')
            return false;
    return true;
}
