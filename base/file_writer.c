#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM_BYTES = 1 << 16 };

static mode_t creation_mode;

/* umask() can only be asked by changing it: once, so that threads hardly race. */
static void find_creation_mode(void)
{
    const mode_t mask = umask(0);
    umask(mask);
    creation_mode = 0666 & ~mask;
}

/* ".name.XXXXXX" beside `path`; the name is cut so that it stays under NAME_MAX. */
static char *temporary_template(const char *path)
{
    const char *name = path_base_name(path);
    struct text_buffer buffer = {0};
    text_buffer_append_bytes(&buffer, path, (size_t)(name - path));
    text_buffer_appendf(&buffer, ".%.200s.XXXXXX", name);
    return text_buffer_detach(&buffer);
}

/*
 * Behind the stream: a descriptor, and the errno of the first write that failed, which
 * stdio itself forgets before the commit.
 */
struct file_sink {
    int descriptor;
    int failure;
    char buffer[STREAM_BYTES];
};

static ssize_t sink_write(void *cookie, const char *bytes, size_t count)
{
    struct file_sink *sink = cookie;
    size_t done = 0;
    while (done < count) {
        const ssize_t put = write(sink->descriptor, bytes + done, count - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            if (sink->failure == 0)
                sink->failure = errno;
            break;
        }
        done += (size_t)put;
    }
    return (ssize_t)done;
}

static int sink_seek(void *cookie, off64_t *offset, int whence)
{
    const struct file_sink *sink = cookie;
    const off64_t reached = lseek64(sink->descriptor, *offset, whence);
    if (reached < 0)
        return -1;
    *offset = reached;
    return 0;
}

/* Takes the descriptor over. */
static enum status open_stream(struct file_writer *writer, int descriptor,
                               struct error *error)
{
    static const cookie_io_functions_t functions = {.write = sink_write, .seek = sink_seek};
    writer->sink = memory_allocate(sizeof *writer->sink);
    writer->sink->descriptor = descriptor;
    writer->stream = fopencookie(writer->sink, "wb", functions);
    if (!writer->stream)
        return error_set_errno(error, errno, "%s: cannot create", writer->path);
    setvbuf(writer->stream, writer->sink->buffer, _IOFBF, STREAM_BYTES);
    return STATUS_OK;
}

/* Devices and pipes (/dev/stdout) are written in place: they cannot be replaced. */
static enum status open_in_place(struct file_writer *writer, struct error *error)
{
    const int descriptor = open(writer->path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, errno, "%s: cannot open for writing", writer->path);
    return open_stream(writer, descriptor, error);
}

static enum status open_temporary(struct file_writer *writer, mode_t mode,
                                  struct error *error)
{
    char *temporary_path = temporary_template(writer->path);
    const int descriptor = mkostemp(temporary_path, O_CLOEXEC);
    if (descriptor < 0) {
        free(temporary_path);
        return error_set_errno(error, errno, "%s: cannot create", writer->path);
    }
    writer->temporary_path = temporary_path; /* from here on it must be removed */
    fchmod(descriptor, mode);                /* some file systems know no modes */
    return open_stream(writer, descriptor, error);
}

enum status file_create(struct file_writer *writer, const char *path, struct error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_creation_mode);
    struct stat status;
    enum status result;
    char *target = realpath(path, NULL); /* a link stays, what it names is replaced */
    *writer = (struct file_writer){.path = target ? target : memory_duplicate_string(path)};
    if (!target || stat(target, &status) != 0)
        result = open_temporary(writer, creation_mode, error);
    else if (S_ISDIR(status.st_mode))
        result = error_set(error, STATUS_IO, "%s: is a folder; name a file to write", path);
    else if (!S_ISREG(status.st_mode))
        result = open_in_place(writer, error);
    else
        result = open_temporary(writer, status.st_mode & 07777, error);
    if (result)
        file_abandon(writer);
    return result;
}

static int sync_descriptor(int descriptor)
{
    int result;
    do
        result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    return result;
}

/* 0, or the errno of the first failure. Pipes and terminals need no sync. */
static int flush_and_close(struct file_writer *writer)
{
    struct file_sink *sink = writer->sink;
    const bool failed = ferror(writer->stream) != 0 || fflush(writer->stream) != 0;
    int failure = sink->failure;
    if (failed && failure == 0)
        failure = EIO;
    if (failure == 0 && writer->temporary_path && sync_descriptor(sink->descriptor) != 0)
        failure = errno;
    fclose(writer->stream);
    writer->stream = NULL;
    if (close(sink->descriptor) != 0 && failure == 0)
        failure = errno;
    sink->descriptor = -1;
    return failure;
}

static enum status put_in_place(struct file_writer *writer, struct error *error)
{
    if (rename(writer->temporary_path, writer->path) != 0)
        return error_set_errno(error, errno, "%s: cannot replace", writer->path);
    free(writer->temporary_path);
    writer->temporary_path = NULL;
    char *directory = path_directory(writer->path);
    const enum status result = file_sync_directory(directory, error);
    free(directory);
    return result;
}

enum status file_commit(struct file_writer *writer, struct error *error)
{
    CHECK(writer->stream);
    enum status result = STATUS_OK;
    const int failure = flush_and_close(writer);
    if (failure)
        result = error_set_errno(error, failure, "%s: cannot write", writer->path);
    else if (writer->temporary_path)
        result = put_in_place(writer, error);
    file_abandon(writer);
    return result;
}

void file_abandon(struct file_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    if (writer->sink && writer->sink->descriptor >= 0)
        close(writer->sink->descriptor);
    free(writer->sink);
    if (writer->temporary_path)
        unlink(writer->temporary_path);
    free(writer->temporary_path);
    free(writer->path);
    *writer = (struct file_writer){0};
}

enum status file_write_all(const char *path, const char *bytes, size_t count,
                           struct error *error)
{
    struct file_writer writer;
    const enum status result = file_create(&writer, path, error);
    if (result)
        return result;
    fwrite(bytes, 1, count, writer.stream); /* its failure is kept for the commit */
    return file_commit(&writer, error);
}
