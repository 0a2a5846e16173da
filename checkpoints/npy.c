#include "checkpoints/npy.h"

#include "base/file.h"
#include "base/text_buffer.h"
#include "checkpoints/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the data are '<f4'");

enum { PREFIX_BYTES = 10, DATA_ALIGNMENT = 64, FIRST_EXTENT_DIGITS = 21 };

static void append_shape(struct text_buffer *header, int rank, const int64_t *shape)
{
    text_buffer_append(header, "(");
    for (int i = 0; i < rank; i++)
        text_buffer_appendf(header, i ? ", %" PRId64 : "%" PRId64, shape[i]);
    text_buffer_append(header, rank == 1 ? ",)" : ")");
}

static void header_build(struct text_buffer *header, int rank, const int64_t *shape)
{
    text_buffer_append_bytes(header, "\x93NUMPY\x01\x00\x00\x00", PREFIX_BYTES);
    text_buffer_append(header, "{'descr': '<f4', 'fortran_order': False, 'shape': ");
    append_shape(header, rank, shape);
    text_buffer_append(header, ", }");
    /* numpy.save leaves room for the first extent to grow to 21 digits. */
    if (rank > 0) {
        char digits[32];
        const int used = snprintf(digits, sizeof digits, "%" PRId64, shape[0]);
        for (int i = used; i < FIRST_EXTENT_DIGITS; i++)
            text_buffer_append_char(header, ' ');
    }
    while ((header->length + 1) % DATA_ALIGNMENT != 0)
        text_buffer_append_char(header, ' ');
    text_buffer_append_char(header, '\n');
    const uint16_t length = (uint16_t)(header->length - PREFIX_BYTES);
    memcpy(header->data + 8, &length, sizeof length);
}

enum status npy_write_f32(const char *path, const float *data, int rank,
                          const int64_t *shape, struct error *error)
{
    int64_t count;
    CHECK(rank >= 0 && rank <= TENSOR_RANK_MAXIMUM);
    CHECK(safetensors_shape_count(shape, rank, &count));
    struct text_buffer header = {0};
    struct file_writer writer = {0};
    header_build(&header, rank, shape);
    enum status status = file_create(&writer, path, error);
    if (!status && (fwrite(header.data, 1, header.length, writer.stream) != header.length ||
                    (count > 0 && fwrite(data, sizeof *data, (size_t)count,
                                         writer.stream) != (size_t)count)))
        status = error_set_errno(error, errno, "%s: cannot write the array", path);
    if (!status)
        status = file_commit(&writer, error);
    file_abandon(&writer);
    text_buffer_release(&header);
    return status;
}
