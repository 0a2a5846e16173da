#include "text/protobuf.h"

enum { VARINT_BYTES_MAXIMUM = 10 };

static bool read_varint(struct wire_reader *reader, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < VARINT_BYTES_MAXIMUM && reader->offset < reader->bytes; i++) {
        const unsigned char byte = reader->data[reader->offset++];
        *value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(struct wire_reader *reader, size_t width, uint64_t *value)
{
    *value = 0;
    if (reader->bytes - reader->offset < width)
        return false;
    for (size_t i = 0; i < width; i++)
        *value |= (uint64_t)reader->data[reader->offset + i] << (8 * i);
    reader->offset += width;
    return true;
}

static bool read_bytes(struct wire_reader *reader, struct wire_field *field)
{
    if (!read_varint(reader, &field->value) ||
        field->value > reader->bytes - reader->offset)
        return false;
    field->data = reader->data + reader->offset;
    field->bytes = (size_t)field->value;
    reader->offset += field->bytes;
    return true;
}

static bool read_payload(struct wire_reader *reader, struct wire_field *field)
{
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(reader, &field->value);
    case WIRE_FIXED64:
        return read_fixed(reader, 8, &field->value);
    case WIRE_BYTES:
        return read_bytes(reader, field);
    case WIRE_FIXED32:
        return read_fixed(reader, 4, &field->value);
    }
    return false;
}

bool wire_next(struct wire_reader *reader, struct wire_field *field, struct error *error)
{
    uint64_t key = 0;
    if (reader->failed || reader->offset >= reader->bytes)
        return false;
    *field = (struct wire_field){.offset = reader->offset};
    reader->failed = !read_varint(reader, &key);
    field->number = key >> 3;
    field->type = (enum wire_type)(key & 7);
    if (!reader->failed && field->number > 0 && read_payload(reader, field))
        return true;
    reader->failed = true;
    error_set(error, STATUS_FORMAT,
              "byte %zu: no field of a Protocol Buffers message starts here, or it is cut",
              field->offset);
    return false;
}
