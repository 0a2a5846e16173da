#include "base/file.h"

#include "base/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Makes one folder, whose parent is there, durably. */
static enum status make_directory(const char *path, struct error *error)
{
    if (mkdir(path, 0777) != 0) {
        const int failure = errno;
        if (file_is_directory(path))
            return STATUS_OK;
        return error_set_errno(error, failure, "%s: cannot make the folder", path);
    }
    char *parent = path_directory(path);
    const enum status result = file_sync_directory(parent, error);
    free(parent);
    return result;
}

enum status file_make_directories(const char *path, struct error *error)
{
    if (*path == '\0')
        return error_set(error, STATUS_USAGE, "the name of a folder is empty");
    char *prefix = memory_duplicate_string(path);
    enum status result = STATUS_OK;
    for (char *slash = prefix; !result && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        result = make_directory(prefix, error);
        *slash = '/';
    }
    if (!result)
        result = make_directory(prefix, error);
    free(prefix);
    return result;
}

char *file_first_missing(const char *path)
{
    char *prefix = memory_duplicate_string(path);
    for (char *slash = prefix; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (!file_exists(prefix))
            return prefix;
        *slash = '/';
    }
    if (!file_exists(prefix))
        return prefix;
    free(prefix);
    return NULL;
}

/* One visit of the walk: files, and folders after what is in them, are removed. */
static enum status remove_entry(const FTSENT *entry, struct error *error)
{
    switch (entry->fts_info) {
    case FTS_D:
        return STATUS_OK;
    case FTS_DNR:
    case FTS_ERR:
        return error_set_errno(error, entry->fts_errno, "%s: cannot remove",
                               entry->fts_path);
    case FTS_NS:
        if (entry->fts_errno == ENOENT)
            return STATUS_OK;
        return error_set_errno(error, entry->fts_errno, "%s: cannot remove",
                               entry->fts_path);
    default:
        if (remove(entry->fts_accpath) != 0 && errno != ENOENT)
            return error_set_errno(error, errno, "%s: cannot remove", entry->fts_path);
        return STATUS_OK;
    }
}

enum status file_remove_tree(const char *path, struct error *error)
{
    if (*path == '\0')
        return error_set(error, STATUS_USAGE, "the name of a folder is empty");
    char *root = memory_duplicate_string(path);
    char *const roots[] = {root, NULL};
    enum status result = STATUS_OK;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        result = error_set_errno(error, errno, "%s: cannot remove", path);
    for (const FTSENT *entry; walk && !result && (entry = fts_read(walk));)
        result = remove_entry(entry, error);
    if (walk)
        fts_close(walk);
    free(root);
    return result;
}

void file_remove_in(const char *folder, const char *name)
{
    struct error ignored;
    char *path = path_join(folder, name);
    file_remove_tree(path, &ignored);
    free(path);
}

/* Whether it is file_create()'s name for a file that is in the folder. */
static bool is_torn(const char *folder, const char *name)
{
    enum { RANDOM = 6 }; /* mkstemp()'s letters and digits */
    const size_t length = strlen(name);
    if (length < RANDOM + 3 || name[0] != '.' || name[length - RANDOM - 1] != '.')
        return false;
    for (size_t i = length - RANDOM; i < length; i++)
        if (!isalnum((unsigned char)name[i]))
            return false;
    char *whole = memory_duplicate_bytes(name + 1, length - RANDOM - 2);
    const bool there = file_exists_in(folder, whole);
    free(whole);
    return there;
}

void file_remove_torn(const char *folder)
{
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        if (is_torn(folder, entry->d_name))
            file_remove_in(folder, entry->d_name);
    if (directory)
        closedir(directory);
}

bool file_exists_in(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    const bool there = file_exists(path);
    free(path);
    return there;
}

void file_remove_made(const char *path, const char *first_missing)
{
    struct error ignored; /* what cannot be removed is left: there is an error already */
    if (file_remove_tree(path, &ignored))
        return;
    for (char *parent, *at = memory_duplicate_string(path);; at = parent) {
        parent = path_directory(at);
        free(at);
        if (strlen(parent) < strlen(first_missing) || rmdir(parent) != 0) {
            free(parent);
            return;
        }
    }
}

static enum status sync_parent(const char *path, struct error *error)
{
    char *parent = path_directory(path);
    const enum status result = file_sync_directory(parent, error);
    free(parent);
    return result;
}

enum status file_rename_directory(const char *from, const char *to, struct error *error)
{
    if (rename(from, to) != 0)
        return error_set_errno(error, errno, "%s: cannot rename to %s", from, to);
    const enum status result = sync_parent(to, error);
    return result ? result : sync_parent(from, error);
}

enum status file_sync_directory(const char *path, struct error *error)
{
    const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, errno, "%s: cannot open the folder", path);
    int failure;
    do
        failure = fsync(descriptor) == 0 ? 0 : errno;
    while (failure == EINTR);
    close(descriptor);
    if (failure && failure != EINVAL && failure != EROFS) /* no sync on this file system */
        return error_set_errno(error, failure, "%s: cannot sync the folder", path);
    return STATUS_OK;
}

char *path_join(const char *directory, const char *name)
{
    if (*directory == '\0' || *name == '/')
        return memory_duplicate_string(name);
    struct text_buffer buffer = {0};
    text_buffer_append(&buffer, directory);
    if (!text_ends_with(directory, "/"))
        text_buffer_append_char(&buffer, '/');
    text_buffer_append(&buffer, name);
    return text_buffer_detach(&buffer);
}

/* Where the last component starts; slashes at the end do not end it. */
const char *path_base_name(const char *path)
{
    const char *end = path + strlen(path);
    while (end > path && end[-1] == '/')
        end--;
    while (end > path && end[-1] != '/')
        end--;
    return end;
}

char *path_directory(const char *path)
{
    const char *end = path_base_name(path);
    while (end > path + 1 && end[-1] == '/')
        end--;
    return end == path ? memory_duplicate_string(*path == '/' ? "/" : ".")
                       : memory_duplicate_bytes(path, (size_t)(end - path));
}

static void sha256_hex(char hex[SHA256_HEX_BYTES], struct sha256_ctx *context)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA256_HEX_BYTES - 1] = '\0';
}

void bytes_sha256(char hex[SHA256_HEX_BYTES], const void *bytes, size_t count)
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, count, bytes);
    sha256_hex(hex, &context);
}

/* Memory stays small however large the file is. */
enum status file_sha256(char hex[SHA256_HEX_BYTES], const char *path, struct error *error)
{
    enum { STEP_BYTES = 8 << 20 };
    struct file_map map;
    struct sha256_ctx context;
    const enum status result = file_map(&map, path, error);
    hex[0] = '\0';
    if (result)
        return result;
    sha256_init(&context);
    for (size_t at = 0; at < map.bytes; at += STEP_BYTES) {
        const size_t left = map.bytes - at;
        const size_t step = left < STEP_BYTES ? left : STEP_BYTES;
        sha256_update(&context, step, map.data + at);
        file_map_forget(&map, map.data + at, step);
    }
    sha256_hex(hex, &context);
    file_unmap(&map);
    return STATUS_OK;
}
