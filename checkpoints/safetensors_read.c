#include "checkpoints/safetensors.h"

#include "base/json.h"
#include "base/memory.h"
#include "checkpoints/shown_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensor bytes are used as they stand in the file: little-endian");

enum { LENGTH_BYTES = 8, HEADER_BYTES_MAXIMUM = 100 * 1000 * 1000 };

/* Where an entry's data lie, counted from the end of the header. */
struct span {
    int64_t begin;
    int64_t end;
    size_t entry;
};

struct header {
    const char *text;
    size_t bytes;
};

/* Length of the well-formed UTF-8 character at `text` (of `count` > 0 bytes), or 0. */
static size_t utf8_character_bytes(const unsigned char *text, size_t count)
{
    const unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    const size_t bytes = first < 0xC2   ? 0
                         : first < 0xE0 ? 2
                         : first < 0xF0 ? 3
                         : first < 0xF5 ? 4
                                        : 0;
    if (bytes == 0 || bytes > count)
        return 0;
    /* The second byte excludes overlong forms, surrogates, and above U+10FFFF. */
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

/*
 * Refuses what cJSON would let pass: malformed UTF-8, and NUL, raw or as \u0000, at
 * which a C string would end ("a\u0000b" would be read as "a").
 */
static enum status header_check_text(const struct header *header, const char *where,
                                     struct error *error)
{
    const unsigned char *text = (const unsigned char *)header->text;
    for (size_t i = 0, step; i < header->bytes; i += step) {
        const size_t left = header->bytes - i;
        step = utf8_character_bytes(text + i, left);
        if (step == 0)
            return error_set(error, STATUS_FORMAT,
                             "%s: byte %zu: the header is not valid UTF-8", where,
                             LENGTH_BYTES + i);
        if (text[i] == 0 || (left >= 6 && memcmp(text + i, "\\u0000", 6) == 0))
            return error_set(error, STATUS_FORMAT, "%s: byte %zu: NUL in the header", where,
                             LENGTH_BYTES + i);
        if (text[i] == '\\' && left > 1 && text[i + 1] < 0x80)
            step = 2;
    }
    return STATUS_OK;
}

static enum status header_find(struct header *header, const struct safetensors *file,
                               struct error *error)
{
    const struct file_map *map = &file->map;
    if (bytes_are_lfs_pointer(map->data, map->bytes))
        return error_set(error, STATUS_FORMAT,
                         "%s: is a git-LFS pointer, not the file itself; fetch the file "
                         "with 'git lfs pull'",
                         file->path);
    if (map->bytes < LENGTH_BYTES)
        return error_set(error, STATUS_FORMAT,
                         "%s: %zu bytes, too small for a safetensors file (at least 8); "
                         "download or copy it again",
                         file->path, map->bytes);
    uint64_t bytes;
    memcpy(&bytes, map->data, sizeof bytes);
    if (bytes > HEADER_BYTES_MAXIMUM)
        return error_set(error, STATUS_FORMAT,
                         "%s: byte 0: header length %" PRIu64 " is over the limit of %d; "
                         "is this a safetensors file?",
                         file->path, bytes, HEADER_BYTES_MAXIMUM);
    if (bytes > map->bytes - LENGTH_BYTES)
        return error_set(error, STATUS_FORMAT,
                         "%s: the header should end at byte %" PRIu64
                         ", but the file has %zu bytes: truncated, or not a safetensors "
                         "file; download or copy it again",
                         file->path, LENGTH_BYTES + bytes, map->bytes);
    *header = (struct header){(const char *)map->data + LENGTH_BYTES, (size_t)bytes};
    if (bytes == 0 || header->text[0] != '{')
        return error_set(error, STATUS_FORMAT,
                         "%s: byte 8: the header does not begin with '{'; is this a "
                         "safetensors file?",
                         file->path);
    return STATUS_OK;
}

/* A whole number >= 0 that a double holds exactly. */
static bool whole_number(const cJSON *item, int64_t *out)
{
    const double limit = 9007199254740992.0; /* 2^53 */
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= limit))
        return false;
    *out = (int64_t)item->valuedouble;
    return (double)*out == item->valuedouble;
}

bool safetensors_shape_count(const int64_t *shape, int rank, int64_t *count)
{
    int64_t product = 1;
    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(product, shape[i], &product))
            return false;
    *count = product;
    return true;
}

static enum status entry_read_dtype(struct safetensors_entry *entry, const cJSON *item,
                                    const char *where, struct error *error)
{
    if (!cJSON_IsString(item))
        return error_set(error, STATUS_FORMAT, "%s: tensor '%s': dtype is not a string",
                         where, show_name(entry->name).text);
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        if (strcmp(dtype_name((enum dtype)dtype), item->valuestring) == 0) {
            entry->dtype = (enum dtype)dtype;
            return STATUS_OK;
        }
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: tensor '%s': dtype '%s' is not supported (F32, BF16, F16, I32, "
                     "I64 and U8 are); convert the model first",
                     where, show_name(entry->name).text, show_name(item->valuestring).text);
}

static enum status entry_read_shape(struct safetensors_entry *entry, const cJSON *item,
                                    const char *where, struct error *error)
{
    if (!cJSON_IsArray(item))
        return error_set(error, STATUS_FORMAT, "%s: tensor '%s': shape is not an array",
                         where, show_name(entry->name).text);
    const cJSON *extent;
    cJSON_ArrayForEach(extent, item)
    {
        if (entry->rank == TENSOR_RANK_MAXIMUM)
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s: tensor '%s': more than %d dimensions", where,
                             show_name(entry->name).text, TENSOR_RANK_MAXIMUM);
        if (!whole_number(extent, &entry->shape[entry->rank]))
            return error_set(error, STATUS_FORMAT,
                             "%s: tensor '%s': shape[%d] is not a whole number from 0 to "
                             "2^53",
                             where, show_name(entry->name).text, entry->rank);
        entry->rank++;
    }
    if (!safetensors_shape_count(entry->shape, entry->rank, &entry->count) ||
        __builtin_mul_overflow((uint64_t)entry->count, dtype_bytes(entry->dtype),
                               &entry->bytes))
        return error_set(error, STATUS_FORMAT, "%s: tensor '%s': its shape overflows",
                         where, show_name(entry->name).text);
    return STATUS_OK;
}

static enum status entry_read_offsets(const struct safetensors_entry *entry,
                                      struct span *span, const cJSON *item,
                                      const char *where, struct error *error)
{
    const cJSON *begin = cJSON_IsArray(item) ? item->child : NULL;
    const cJSON *end = begin ? begin->next : NULL;
    if (!end || end->next || !whole_number(begin, &span->begin) ||
        !whole_number(end, &span->end) || span->end < span->begin)
        return error_set(error, STATUS_FORMAT,
                         "%s: tensor '%s': data_offsets are not [begin, end] in bytes",
                         where, show_name(entry->name).text);
    const uint64_t bytes = (uint64_t)(span->end - span->begin);
    if (bytes != entry->bytes)
        return error_set(error, STATUS_FORMAT,
                         "%s: tensor '%s': data_offsets span %" PRIu64
                         " bytes, but dtype and shape need %zu",
                         where, show_name(entry->name).text, bytes, entry->bytes);
    return STATUS_OK;
}

static enum status entry_read(struct safetensors_entry *entry, struct span *span,
                              const cJSON *object, const char *where, struct error *error)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    const cJSON *fields[3] = {0};
    entry->name = memory_duplicate_string(object->string);
    if (!cJSON_IsObject(object))
        return error_set(error, STATUS_FORMAT, "%s: tensor '%s': not an object", where,
                         show_name(entry->name).text);
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        for (int i = 0; i < 3; i++) {
            if (strcmp(item->string, keys[i]) == 0)
                fields[i] = item;
        }
    }
    for (int i = 0; i < 3; i++)
        if (!fields[i])
            return error_set(error, STATUS_FORMAT, "%s: tensor '%s': '%s' is missing",
                             where, show_name(entry->name).text, keys[i]);
    enum status status = entry_read_dtype(entry, fields[0], where, error);
    if (!status)
        status = entry_read_shape(entry, fields[1], where, error);
    if (!status)
        status = entry_read_offsets(entry, span, fields[2], where, error);
    return status;
}

static enum status metadata_read(struct safetensors *file, const cJSON *object,
                                 struct error *error)
{
    const size_t pairs = (size_t)cJSON_GetArraySize(object);
    file->metadata = memory_allocate_array(2 * pairs + 1, sizeof *file->metadata);
    if (cJSON_IsNull(object))
        return STATUS_OK;
    if (!cJSON_IsObject(object))
        return error_set(error, STATUS_FORMAT, "%s: '__metadata__' is not an object",
                         file->path);
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsString(item))
            return error_set(error, STATUS_FORMAT,
                             "%s: '__metadata__': the value of '%s' is not a string",
                             file->path, show_name(item->string).text);
        char **pair = file->metadata + 2 * file->metadata_count++;
        pair[0] = memory_duplicate_string(item->string);
        pair[1] = memory_duplicate_string(item->valuestring);
    }
    return STATUS_OK;
}

static int compare_spans(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* The spans must tile the data, in some order, to the last byte of the file. */
static enum status spans_check(const struct safetensors *file, struct span *spans,
                               size_t data_begin, struct error *error)
{
    int64_t end = 0;
    qsort(spans, file->entry_count, sizeof *spans, compare_spans);
    for (size_t i = 0; i < file->entry_count; i++) {
        if (spans[i].begin != end)
            return error_set(error, STATUS_FORMAT,
                             "%s: tensor '%s': its data begin at %" PRId64
                             ", but the data before end at %" PRId64 " (%s)",
                             file->path, show_name(file->entries[spans[i].entry].name).text,
                             spans[i].begin, end,
                             spans[i].begin < end ? "overlap" : "hole");
        end = spans[i].end;
    }
    const uint64_t expected = data_begin + (uint64_t)end;
    if (expected > file->map.bytes)
        return error_set(error, STATUS_FORMAT,
                         "%s: truncated: expected %" PRIu64
                         " bytes, the file has %zu; download or copy it again",
                         file->path, expected, file->map.bytes);
    if (expected < file->map.bytes)
        return error_set(error, STATUS_FORMAT,
                         "%s: expected %" PRIu64
                         " bytes, the file has %zu: unknown data after the last tensor",
                         file->path, expected, file->map.bytes);
    return STATUS_OK;
}

static int compare_names(const void *left, const void *right)
{
    const struct safetensors_entry *a = left;
    const struct safetensors_entry *b = right;
    return strcmp(a->name, b->name);
}

static enum status entries_read(struct safetensors *file, struct span *spans,
                                const cJSON *root, struct error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, root)
    {
        if (strcmp(item->string, "__metadata__") == 0) {
            const enum status status = metadata_read(file, item, error);
            if (status)
                return status;
            continue;
        }
        const size_t index = file->entry_count++;
        spans[index].entry = index;
        const enum status status =
            entry_read(&file->entries[index], &spans[index], item, file->path, error);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status root_read(struct safetensors *file, const cJSON *root, size_t data_begin,
                             struct error *error)
{
    const size_t keys = (size_t)cJSON_GetArraySize(root);
    file->entries = memory_allocate_array(keys + 1, sizeof *file->entries);
    struct span *spans = memory_allocate_array(keys + 1, sizeof *spans);
    enum status status = entries_read(file, spans, root, error);
    if (!status)
        status = spans_check(file, spans, data_begin, error);
    for (size_t i = 0; !status && i < file->entry_count; i++)
        file->entries[spans[i].entry].data = file->map.data + data_begin + spans[i].begin;
    free(spans);
    qsort(file->entries, file->entry_count, sizeof *file->entries, compare_names);
    return status;
}

/* file->map and file->path are set; on an error the caller closes. */
static enum status header_read(struct safetensors *file, struct error *error)
{
    struct header header = {0};
    enum status status = header_find(&header, file, error);
    if (!status)
        status = header_check_text(&header, file->path, error);
    if (status)
        return status;
    cJSON *root = NULL;
    status = json_parse(&root, header.text, header.bytes, file->path, error);
    if (!status)
        status = root_read(file, root, LENGTH_BYTES + header.bytes, error);
    cJSON_Delete(root);
    return status;
}

/* A pipe or a device among the files of a model would be read without an end. */
static enum status regular_check(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        return STATUS_OK; /* file_map() says what there is to say */
    return error_set(error, STATUS_FORMAT,
                     "%s: is a pipe or a device, not a file; download or copy it again",
                     path);
}

enum status safetensors_open(struct safetensors *file, const char *path,
                             struct error *error)
{
    *file = (struct safetensors){0}; /* from here on safetensors_close() is safe */
    file->path = memory_duplicate_string(path);
    file->owns_map = true;
    enum status status = regular_check(path, error);
    if (!status)
        status = file_map(&file->map, path, error);
    if (!status)
        status = header_read(file, error);
    for (size_t i = 0; !status && i < file->entry_count; i++)
        file->entries[i].map = file->map;
    if (status)
        safetensors_close(file);
    return status;
}

enum status safetensors_parse(struct safetensors *file, const void *bytes, size_t count,
                              const char *where, struct error *error)
{
    *file = (struct safetensors){0};
    file->path = memory_duplicate_string(where);
    file->map = (struct file_map){.data = bytes, .bytes = count};
    const enum status status = header_read(file, error);
    if (status)
        safetensors_close(file);
    return status;
}

void safetensors_close(struct safetensors *file)
{
    for (size_t i = 0; i < file->entry_count; i++)
        free(file->entries[i].name);
    for (size_t i = 0; i < 2 * file->metadata_count; i++)
        free(file->metadata[i]);
    free(file->entries);
    free(file->metadata);
    free(file->path);
    if (file->owns_map)
        file_unmap(&file->map);
    *file = (struct safetensors){0};
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file,
                                                 const char *name)
{
    size_t low = 0;
    size_t high = file->entry_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, file->entries[middle].name);
        if (order == 0)
            return &file->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    for (size_t i = file->metadata_count; i-- > 0;)
        if (strcmp(file->metadata[2 * i], key) == 0)
            return file->metadata[2 * i + 1];
    return NULL;
}

static bool is_aligned(const void *pointer, size_t bytes)
{
    return (uintptr_t)pointer % bytes == 0;
}

void safetensors_copy(const struct safetensors_entry *entry, void *destination,
                      enum dtype dtype)
{
    enum { CHUNK_COUNT = 1024 };
    const size_t bytes_each = dtype_bytes(entry->dtype);
    if (entry->count == 0)
        return;
    if (dtype == entry->dtype) {
        memcpy(destination, entry->data, entry->bytes);
        return;
    }
    if (is_aligned(entry->data, bytes_each)) {
        dtype_convert(destination, dtype, entry->data, entry->dtype, entry->count);
        return;
    }
    _Alignas(64) unsigned char chunk[CHUNK_COUNT * sizeof(float)];
    for (int64_t i = 0; i < entry->count; i += CHUNK_COUNT) {
        const int64_t left = entry->count - i;
        const int64_t count = left < CHUNK_COUNT ? left : CHUNK_COUNT;
        memcpy(chunk, (const char *)entry->data + (size_t)i * bytes_each,
               (size_t)count * bytes_each);
        dtype_convert((char *)destination + (size_t)i * dtype_bytes(dtype), dtype, chunk,
                      entry->dtype, count);
    }
}
