#ifndef HOLDFAST_DATA_GEN_PARQUET_CODEC_H
#define HOLDFAST_DATA_GEN_PARQUET_CODEC_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What pages are packed with: Parquet's CompressionCodec. */
enum parquet_codec {
    CODEC_PLAIN,
    CODEC_SNAPPY,
    CODEC_GZIP,
    CODEC_LZO,
    CODEC_BROTLI,
    CODEC_LZ4, /* framed as Hadoop does */
    CODEC_ZSTD,
    CODEC_LZ4_RAW
};

/* Unpacks to exactly `out_count` bytes. STATUS_FORMAT: the bytes are damaged;
 * STATUS_UNSUPPORTED: not a codec of ours. The message names neither file nor place. */
enum status parquet_unpack(int codec, const unsigned char *in, size_t in_count,
                           unsigned char *out, size_t out_count, struct error *error);

/*
 * Snappy's raw format: a varint of the length, then
 *
 *     tag & 3 = 0   literal: tag >> 2 is its length - 1; 60 … 63: in the next 1 … 4 bytes
 *             1     copy: 4 + (tag >> 2 & 7) bytes, from (tag >> 5) << 8 | next byte ago
 *             2, 3  copy: 1 + (tag >> 2) bytes, from as many ago as 2 or 4 bytes say
 *
 * Source: google/snappy, format_description.txt.
 */
bool snappy_unpack(const unsigned char *in, size_t in_count, unsigned char *out,
                   size_t out_count);

/*
 * An LZ4 block: sequences of
 *
 *     token      literals << 4 | copied - 4; 15: more follows, in bytes up to one below 255
 *     literals   as they are
 *     offset     2 bytes: where the copy comes from, that many ago; none in the last one
 *
 * Source: lz4, doc/lz4_Block_format.md.
 */
bool lz4_unpack(const unsigned char *in, size_t in_count, unsigned char *out,
                size_t out_count);

/*
 * RLE and bit-packing in turn, as levels and places in a dictionary are written:
 *
 *     varint v   v & 1 = 0: v >> 1 times the value in the next (width + 7) / 8 bytes
 *                v & 1 = 1: (v >> 1) * 8 values of `width` bits each, lowest bit first
 *
 * Source: Apache Parquet, Encodings.md.
 */
struct hybrid_reader {
    const unsigned char *bytes;
    size_t count;
    size_t at;
    int width;      /* bits, 0 to 32 */
    uint64_t left;  /* values of the run */
    bool is_packed; /* then its values are in bits from `bit` on */
    uint64_t bit;
    uint32_t value;
};
bool hybrid_next(struct hybrid_reader *reader, uint32_t *value);

/*
 * DELTA_BINARY_PACKED: a header (values a block, miniblocks a block, count of values, the
 * first one), then blocks of the least delta, a width for each miniblock, and the deltas
 * less that one, packed. Decodes all; *values is the caller's, [*count]. Returns the bytes
 * it took, or 0 if they are damaged. At most `limit` values.
 */
size_t delta_unpack(const unsigned char *bytes, size_t count, size_t limit,
                    int64_t **values, size_t *value_count);

#endif
