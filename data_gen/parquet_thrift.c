#include "data_gen/parquet_thrift.h"

enum { NESTING_LIMIT = 32 };

static unsigned byte_next(struct thrift_reader *reader)
{
    if (reader->failed || reader->at >= reader->count) {
        reader->failed = true;
        return 0;
    }
    return reader->bytes[reader->at++];
}

uint64_t thrift_varint(struct thrift_reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const unsigned byte = byte_next(reader);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

static int64_t zigzag(struct thrift_reader *reader)
{
    const uint64_t value = thrift_varint(reader);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* What is not of the type that is wanted is an error. */
static bool is_type(struct thrift_reader *reader, bool good)
{
    reader->failed = reader->failed || !good;
    return !reader->failed;
}

bool thrift_field_next(struct thrift_reader *reader, struct thrift_field *field)
{
    const unsigned byte = byte_next(reader);
    field->type = (int)(byte & 0x0F);
    if (reader->failed || field->type == THRIFT_STOP)
        return false;
    const int64_t id = byte >> 4 ? field->id + (int64_t)(byte >> 4) : zigzag(reader);
    if (id < INT16_MIN || id > INT16_MAX)
        reader->failed = true;
    field->id = (int)id;
    return !reader->failed;
}

int64_t thrift_integer(struct thrift_reader *reader, int type)
{
    return is_type(reader, type >= THRIFT_I16 && type <= THRIFT_I64) ? zigzag(reader) : 0;
}

const unsigned char *thrift_binary(struct thrift_reader *reader, int type, size_t *count)
{
    *count = 0;
    if (!is_type(reader, type == THRIFT_BINARY))
        return NULL;
    const uint64_t bytes = thrift_varint(reader);
    if (reader->failed || bytes > reader->count - reader->at) {
        reader->failed = true;
        return NULL;
    }
    *count = (size_t)bytes;
    reader->at += *count;
    return reader->bytes + reader->at - *count;
}

size_t thrift_list(struct thrift_reader *reader, int type, int *element_type)
{
    *element_type = THRIFT_STOP;
    if (!is_type(reader, type == THRIFT_LIST || type == THRIFT_SET))
        return 0;
    const unsigned byte = byte_next(reader);
    const uint64_t count = byte >> 4 == 15 ? thrift_varint(reader) : byte >> 4;
    *element_type = (int)(byte & 0x0F);
    /* each element takes a byte at least */
    return is_type(reader, count <= reader->count - reader->at) ? (size_t)count : 0;
}

bool thrift_struct(struct thrift_reader *reader, int type)
{
    return is_type(reader, type == THRIFT_STRUCT);
}

static void skip(struct thrift_reader *reader, int type, int depth);

static void skip_list(struct thrift_reader *reader, int type, int depth)
{
    int element_type;
    const size_t count = thrift_list(reader, type, &element_type);
    for (size_t i = 0; i < count && !reader->failed; i++) {
        if (element_type == THRIFT_TRUE || element_type == THRIFT_FALSE)
            byte_next(reader);
        else
            skip(reader, element_type, depth);
    }
}

static void skip_map(struct thrift_reader *reader, int depth)
{
    const uint64_t count = thrift_varint(reader);
    const unsigned types = count ? byte_next(reader) : 0;
    is_type(reader, count <= reader->count); /* each entry takes a byte at least */
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        skip(reader, (int)(types >> 4), depth);
        skip(reader, (int)(types & 0x0F), depth);
    }
}

static void skip_bytes(struct thrift_reader *reader, size_t count)
{
    if (is_type(reader, count <= reader->count - reader->at))
        reader->at += count;
}

static void skip(struct thrift_reader *reader, int type, int depth)
{
    size_t count;
    struct thrift_field field = {0};
    if (!is_type(reader, depth < NESTING_LIMIT))
        return;
    if (type == THRIFT_BINARY)
        thrift_binary(reader, type, &count);
    else if (type == THRIFT_LIST || type == THRIFT_SET)
        skip_list(reader, type, depth + 1);
    else if (type == THRIFT_MAP)
        skip_map(reader, depth + 1);
    else if (type == THRIFT_STRUCT)
        while (thrift_field_next(reader, &field))
            skip(reader, field.type, depth + 1);
    else if (type == THRIFT_I8 || type == THRIFT_DOUBLE)
        skip_bytes(reader, type == THRIFT_I8 ? 1 : 8);
    else if (type >= THRIFT_I16 && type <= THRIFT_I64)
        thrift_varint(reader);
    else
        is_type(reader, type == THRIFT_TRUE || type == THRIFT_FALSE);
}

void thrift_skip(struct thrift_reader *reader, int type)
{
    skip(reader, type, 0);
}
