#include "checkpoints/safetensors.h"

#include "base/memory.h"
#include "base/text_buffer.h"
#include "checkpoints/shown_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 64, CHUNK_COUNT = 16384 };

static bool is_float(enum dtype dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16;
}

size_t safetensors_stored_bytes(const struct safetensors_tensor *tensor)
{
    int64_t count;
    size_t bytes;
    CHECK(tensor->rank >= 0 && tensor->rank <= TENSOR_RANK_MAXIMUM);
    CHECK(tensor->stored == tensor->dtype ||
          (is_float(tensor->stored) && is_float(tensor->dtype)));
    CHECK(safetensors_shape_count(tensor->shape, tensor->rank, &count));
    CHECK(!__builtin_mul_overflow((uint64_t)count, dtype_bytes(tensor->stored), &bytes));
    return bytes;
}

static int compare_strings(const void *left, const void *right)
{
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

static void check_names(const struct safetensors_tensor *tensors, size_t count)
{
    const char **names = memory_allocate_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        CHECK(strcmp(tensors[i].name, "__metadata__") != 0);
        names[i] = tensors[i].name;
    }
    qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 1; i < count; i++)
        CHECK(strcmp(names[i - 1], names[i]) != 0);
    free(names);
}

/* The tensors in the order of the file: larger elements first, otherwise as given. */
static const struct safetensors_tensor **
file_order(const struct safetensors_tensor *tensors, size_t count)
{
    const struct safetensors_tensor **order =
        memory_allocate_array(count + 1, sizeof *order);
    size_t placed = 0;
    for (size_t bytes = sizeof(int64_t); bytes > 0; bytes /= 2)
        for (size_t i = 0; i < count; i++)
            if (dtype_bytes(tensors[i].stored) == bytes)
                order[placed++] = &tensors[i];
    CHECK(placed == count);
    return order;
}

static void append_string(struct text_buffer *header, const char *text)
{
    text_buffer_append_json(header, text, strlen(text));
}

static void append_metadata(struct text_buffer *header, const char *const *metadata,
                            size_t pairs)
{
    text_buffer_append(header, "\"__metadata__\":{");
    for (size_t i = 0; i < pairs; i++) {
        text_buffer_append(header, i ? "," : "");
        append_string(header, metadata[2 * i]);
        text_buffer_append(header, ":");
        append_string(header, metadata[2 * i + 1]);
    }
    text_buffer_append(header, "}");
}

static void append_tensor(struct text_buffer *header,
                          const struct safetensors_tensor *tensor, size_t *offset)
{
    append_string(header, tensor->name);
    text_buffer_appendf(header, ":{\"dtype\":\"%s\",\"shape\":[",
                        dtype_name(tensor->stored));
    for (int i = 0; i < tensor->rank; i++)
        text_buffer_appendf(header, "%s%" PRId64, i ? "," : "", tensor->shape[i]);
    const size_t begin = *offset;
    CHECK(!__builtin_add_overflow(begin, safetensors_stored_bytes(tensor), offset));
    text_buffer_appendf(header, "],\"data_offsets\":[%zu,%zu]}", begin, *offset);
}

/* The eight length bytes and the header behind them, padded with spaces. */
static void header_build(struct text_buffer *header,
                         const struct safetensors_tensor **order, size_t count,
                         const char *const *metadata, size_t metadata_pairs)
{
    static const char length_place[LENGTH_BYTES] = {0};
    size_t offset = 0;
    text_buffer_append_bytes(header, length_place, LENGTH_BYTES);
    text_buffer_append(header, "{");
    if (metadata_pairs > 0)
        append_metadata(header, metadata, metadata_pairs);
    for (size_t i = 0; i < count; i++) {
        text_buffer_append(header, i || metadata_pairs > 0 ? "," : "");
        append_tensor(header, order[i], &offset);
    }
    text_buffer_append(header, "}");
    while (header->length % DATA_ALIGNMENT != 0)
        text_buffer_append(header, " ");
    const uint64_t length = header->length - LENGTH_BYTES;
    memcpy(header->data, &length, sizeof length);
}

static bool write_bytes(FILE *stream, const void *bytes, size_t count)
{
    return count == 0 || fwrite(bytes, 1, count, stream) == count;
}

/* A file that is being written. */
struct output {
    const char *path;
    FILE *stream;
    const struct safetensors_source *source; /* of tensors without data */
};

/* Elements [first, first + count): where they are, or made in `piece`. NULL: an error. */
static const void *piece_of(const struct output *output,
                            const struct safetensors_tensor *tensor, int64_t first,
                            int64_t count, void *piece, struct error *error)
{
    const struct safetensors_source *source = output->source;
    if (tensor->data)
        return (const char *)tensor->data + (size_t)first * dtype_bytes(tensor->dtype);
    CHECK(source);
    return source->read(source->context, tensor, first, count, piece, error) ? NULL : piece;
}

static enum status write_failed(const struct output *output,
                                const struct safetensors_tensor *tensor,
                                struct error *error)
{
    return error_set_errno(error, errno, "%s: cannot write tensor '%s'", output->path,
                           show_name(tensor->name).text);
}

static enum status write_pieces(const struct output *output,
                                const struct safetensors_tensor *tensor, int64_t total,
                                struct error *error)
{
    _Alignas(64) unsigned char chunk[CHUNK_COUNT * sizeof(int64_t)];
    _Alignas(64) unsigned char piece[CHUNK_COUNT * sizeof(int64_t)];
    const size_t stored_each = dtype_bytes(tensor->stored);
    const bool converted = tensor->stored != tensor->dtype;
    for (int64_t first = 0; first < total; first += CHUNK_COUNT) {
        struct safetensors_entry slice = {.dtype = tensor->dtype};
        slice.count = total - first < CHUNK_COUNT ? total - first : CHUNK_COUNT;
        slice.data = piece_of(output, tensor, first, slice.count, piece, error);
        if (!slice.data)
            return error->status;
        if (converted)
            safetensors_copy(&slice, chunk, tensor->stored);
        if (!write_bytes(output->stream, converted ? chunk : slice.data,
                         (size_t)slice.count * stored_each))
            return write_failed(output, tensor, error);
    }
    return STATUS_OK;
}

static enum status write_tensor(const struct output *output,
                                const struct safetensors_tensor *tensor,
                                struct error *error)
{
    const size_t bytes = safetensors_stored_bytes(tensor);
    if (tensor->stored != tensor->dtype || !tensor->data)
        return write_pieces(output, tensor, (int64_t)(bytes / dtype_bytes(tensor->stored)),
                            error);
    if (write_bytes(output->stream, tensor->data, bytes))
        return STATUS_OK;
    return write_failed(output, tensor, error);
}

static enum status write_all(const char *path, const struct text_buffer *header,
                             const struct safetensors_tensor **order, size_t count,
                             const struct safetensors_source *source, struct error *error)
{
    struct file_writer writer = {0};
    enum status status = file_create(&writer, path, error);
    if (!status && !write_bytes(writer.stream, header->data, header->length))
        status = error_set_errno(error, errno, "%s: cannot write the header", path);
    const struct output output = {path, writer.stream, source};
    for (size_t i = 0; !status && i < count; i++)
        status = write_tensor(&output, order[i], error);
    if (!status)
        status = file_commit(&writer, error);
    file_abandon(&writer);
    return status;
}

enum status safetensors_write_from(const char *path,
                                   const struct safetensors_tensor *tensors, size_t count,
                                   const char *const *metadata, size_t metadata_pairs,
                                   const struct safetensors_source *source,
                                   struct error *error)
{
    check_names(tensors, count);
    const struct safetensors_tensor **order = file_order(tensors, count);
    struct text_buffer header = {0};
    header_build(&header, order, count, metadata, metadata_pairs);
    const enum status status = write_all(path, &header, order, count, source, error);
    text_buffer_release(&header);
    free(order);
    return status;
}

enum status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                              size_t count, const char *const *metadata,
                              size_t metadata_pairs, struct error *error)
{
    return safetensors_write_from(path, tensors, count, metadata, metadata_pairs, NULL,
                                  error);
}
