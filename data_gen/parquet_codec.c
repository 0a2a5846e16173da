#define ZLIB_CONST /* next_in is not written to */

#include "data_gen/parquet_codec.h"

#include "base/memory.h"
#include "data_gen/parquet_thrift.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* --- snappy --- */

/* `bytes` of them, lowest first. */
static size_t little_endian(const unsigned char *at, size_t bytes)
{
    size_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (size_t)at[i] << 8 * i;
    return value;
}

/* `length` bytes from `offset` bytes before; they may run into themselves. */
static void copy_back(unsigned char *out, size_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = *(out + i - offset);
}

/* What a tag says: a literal (offset 0) or a copy; false if the bytes of it are missing. */
static bool snappy_tag(struct thrift_reader *in, size_t *length, size_t *offset)
{
    const unsigned tag = in->bytes[in->at++];
    const size_t left = in->count - in->at;
    const unsigned kind = tag & 3;
    const size_t more = kind == 0   ? (tag >> 2 < 60 ? 0 : (tag >> 2) - 59)
                        : kind == 3 ? 4
                                    : kind;
    if (more > left)
        return false;
    const size_t said = little_endian(in->bytes + in->at, more);
    in->at += more;
    *length = kind == 0   ? (more ? said : tag >> 2) + 1
              : kind == 1 ? 4 + (tag >> 2 & 7)
                          : (tag >> 2) + 1;
    *offset = kind == 0 ? 0 : kind == 1 ? (size_t)(tag >> 5) << 8 | said : said;
    return kind == 0 || *offset > 0;
}

bool snappy_unpack(const unsigned char *in, size_t in_count, unsigned char *out,
                   size_t out_count)
{
    struct thrift_reader reader = {.bytes = in, .count = in_count};
    size_t at = 0, length, offset;
    if (thrift_varint(&reader) != out_count || reader.failed)
        return false;
    while (reader.at < reader.count) {
        if (!snappy_tag(&reader, &length, &offset) || length > out_count - at ||
            offset > at || (offset == 0 && length > reader.count - reader.at))
            return false;
        if (offset == 0) {
            memcpy(out + at, in + reader.at, length);
            reader.at += length;
        } else {
            copy_back(out + at, offset, length);
        }
        at += length;
    }
    return at == out_count;
}

/* --- LZ4 --- */

/* Four bits of a token, and what follows if they are all set; false if that is cut off. */
static bool lz4_length(const unsigned char *in, size_t in_count, size_t *at, size_t *length)
{
    size_t more = *length == 15 ? 255 : 0;
    while (more == 255) {
        if (*at >= in_count)
            return false;
        more = in[(*at)++];
        *length += more;
    }
    return true;
}

bool lz4_unpack(const unsigned char *in, size_t in_count, unsigned char *out,
                size_t out_count)
{
    size_t at = 0, made = 0;
    while (at < in_count) {
        const unsigned token = in[at++];
        size_t literals = token >> 4, copied = token & 15;
        if (!lz4_length(in, in_count, &at, &literals) || literals > in_count - at ||
            literals > out_count - made)
            return false;
        memcpy(out + made, in + at, literals);
        at += literals;
        made += literals;
        if (at == in_count)
            break;
        if (in_count - at < 2)
            return false;
        const size_t offset = little_endian(in + at, 2);
        at += 2;
        if (!lz4_length(in, in_count, &at, &copied) || copied + 4 > out_count - made ||
            offset == 0 || offset > made)
            return false;
        copy_back(out + made, offset, copied + 4);
        made += copied + 4;
    }
    return made == out_count;
}

/* --- the others --- */

static bool gzip_unpack(const unsigned char *in, size_t in_count, unsigned char *out,
                        size_t out_count)
{
    z_stream stream = {.next_in = in,
                       .avail_in = (uInt)in_count,
                       .next_out = out,
                       .avail_out = (uInt)out_count};
    if (in_count > UINT32_MAX || inflateInit2(&stream, 15 + 32) != Z_OK)
        return false;
    const int result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return result == Z_STREAM_END && stream.avail_out == 0;
}

enum status parquet_unpack(int codec, const unsigned char *in, size_t in_count,
                           unsigned char *out, size_t out_count, struct error *error)
{
    bool good = false;
    if (out_count == 0)
        return STATUS_OK;
    switch (codec) {
    case CODEC_PLAIN:
        good = in_count == out_count;
        if (good)
            memcpy(out, in, out_count);
        break;
    case CODEC_SNAPPY:
        good = snappy_unpack(in, in_count, out, out_count);
        break;
    case CODEC_GZIP:
        good = gzip_unpack(in, in_count, out, out_count);
        break;
    case CODEC_ZSTD:
        good = ZSTD_decompress(out, out_count, in, in_count) == out_count;
        break;
    case CODEC_LZ4_RAW:
        good = lz4_unpack(in, in_count, out, out_count);
        break;
    default:
        return error_set(
            error, STATUS_UNSUPPORTED,
            "is packed with %s, and only snappy, gzip, zstd and LZ4 are known: "
            "write the file again with one of them",
            codec == CODEC_BROTLI ? "brotli"
            : codec == CODEC_LZO  ? "LZO"
                                  : "LZ4 in Hadoop's frames");
    }
    return good ? STATUS_OK
                : error_set(error, STATUS_FORMAT, "the packed bytes are damaged");
}

/* --- runs --- */

static bool run_begin(struct hybrid_reader *reader)
{
    struct thrift_reader in = {
        .bytes = reader->bytes, .count = reader->count, .at = reader->at};
    const uint64_t header = thrift_varint(&in);
    const size_t bytes = ((size_t)reader->width + 7) / 8;
    if (in.failed)
        return false;
    reader->is_packed = header & 1;
    if (reader->is_packed) {
        const uint64_t groups = header >> 1;
        reader->bit = (uint64_t)in.at * 8;
        if (reader->width && groups > (in.count - in.at + 7) / (size_t)reader->width)
            return false; /* some writers cut the last group short */
        reader->left = groups * 8;
        in.at += (size_t)groups * (size_t)reader->width;
        reader->at = in.at < in.count ? in.at : in.count;
        return reader->width > 0 || groups < UINT32_MAX;
    }
    if (bytes > in.count - in.at)
        return false;
    reader->left = header >> 1;
    reader->value = (uint32_t)little_endian(in.bytes + in.at, bytes);
    reader->at = in.at + bytes;
    return true;
}

static bool bits_take(const unsigned char *bytes, size_t count, uint64_t *bit, int width,
                      uint64_t *value)
{
    *value = 0;
    if ((*bit + (uint64_t)width + 7) / 8 > count)
        return false;
    for (int i = 0; i < width;) {
        const int within = (int)(*bit & 7);
        const int taken = 8 - within < width - i ? 8 - within : width - i;
        const uint64_t part = (uint64_t)bytes[*bit / 8] >> within & ((1u << taken) - 1);
        *value |= part << i;
        *bit += (uint64_t)taken;
        i += taken;
    }
    return true;
}

bool hybrid_next(struct hybrid_reader *reader, uint32_t *value)
{
    uint64_t bits = 0;
    while (reader->left == 0)
        if (reader->at >= reader->count || !run_begin(reader))
            return false;
    reader->left--;
    if (!reader->is_packed) {
        *value = reader->value;
        return true;
    }
    const bool good =
        bits_take(reader->bytes, reader->count, &reader->bit, reader->width, &bits);
    *value = (uint32_t)bits;
    return good;
}

/* --- deltas --- */

struct delta_reader {
    struct thrift_reader in;
    size_t block;      /* values */
    size_t miniblocks; /* of each block */
    size_t count;      /* values in all */
    uint64_t last;
    int64_t *values;
    size_t made;
};

static uint64_t zigzag_next(struct thrift_reader *in)
{
    const uint64_t value = thrift_varint(in);
    return value >> 1 ^ (0 - (value & 1));
}

static bool delta_begin(struct delta_reader *delta, size_t limit)
{
    struct thrift_reader *in = &delta->in;
    const uint64_t block = thrift_varint(in);
    const uint64_t miniblocks = thrift_varint(in);
    const uint64_t count = thrift_varint(in);
    delta->last = zigzag_next(in);
    if (in->failed || block == 0 || block > 1 << 20 || miniblocks == 0 ||
        miniblocks > block || block % miniblocks || block / miniblocks % 8 || count > limit)
        return false;
    delta->block = (size_t)block;
    delta->miniblocks = (size_t)miniblocks;
    delta->count = (size_t)count;
    return true;
}

static void delta_add(struct delta_reader *delta, size_t *capacity)
{
    array_reserve(delta->values, *capacity, delta->made + 1);
    delta->values[delta->made++] = (int64_t)delta->last;
}

static bool miniblock_read(struct delta_reader *delta, uint64_t least, int width,
                           size_t *capacity)
{
    struct thrift_reader *in = &delta->in;
    const size_t values = delta->block / delta->miniblocks;
    uint64_t bit = (uint64_t)in->at * 8;
    for (size_t i = 0; i < values && delta->made < delta->count; i++) {
        uint64_t more;
        if (!bits_take(in->bytes, in->count, &bit, width, &more))
            return false;
        delta->last += least + more;
        delta_add(delta, capacity);
    }
    in->at += values / 8 * (size_t)width;
    if (in->at > in->count)
        in->at = in->count;
    return true;
}

static bool block_read(struct delta_reader *delta, size_t *capacity)
{
    struct thrift_reader *in = &delta->in;
    const uint64_t least = zigzag_next(in);
    const unsigned char *widths = in->bytes + in->at;
    if (in->failed || delta->miniblocks > in->count - in->at)
        return false;
    in->at += delta->miniblocks;
    for (size_t i = 0; i < delta->miniblocks && delta->made < delta->count; i++)
        if (widths[i] > 64 || !miniblock_read(delta, least, widths[i], capacity))
            return false;
    return true;
}

size_t delta_unpack(const unsigned char *bytes, size_t count, size_t limit,
                    int64_t **values, size_t *value_count)
{
    struct delta_reader delta = {.in = {.bytes = bytes, .count = count}};
    size_t capacity = 0;
    bool good = delta_begin(&delta, limit);
    if (good && delta.count)
        delta_add(&delta, &capacity);
    while (good && delta.made < delta.count)
        good = block_read(&delta, &capacity);
    *values = delta.values;
    *value_count = delta.made;
    return good ? delta.in.at : 0;
}
