#ifndef HOLDFAST_DATA_GEN_PARQUET_H
#define HOLDFAST_DATA_GEN_PARQUET_H

#include "base/error.h"
#include "base/file.h"
#include "base/unpack.h"

/*
 * The rows of a Parquet file as JSONL: a row a line, its columns the keys, in their order.
 * Debian has no C library for it; this reads what Hugging Face's hub, pyarrow, pandas,
 * DuckDB and Spark write by default:
 *
 *     nesting    lists (of three levels, or of two as old writers have them) become
 *                arrays, groups objects, maps with text keys objects; null is null
 *     values     booleans, integers, floats and byte arrays, which are taken for text;
 *                dates and times are the integers that they are stored as; INT96,
 *                decimals, half floats and bytes of fixed length are null
 *     encodings  plain, dictionary, RLE, the three of deltas, byte stream split
 *     packing    none, snappy, gzip, zstd, LZ4; pages of version 1 and 2
 *
 * `map` is a file for which parquet_is() is true. Lines go to `sink` piece by piece, with
 * the count of bytes done with, which grows by row groups. One page of each column, and its
 * dictionary, is held at a time. Errors name `where`, the column and the byte; what is
 * packed otherwise (brotli) is STATUS_UNSUPPORTED.
 */
enum status parquet_to_lines(const struct file_map *map, const char *where,
                             unpack_sink *sink, void *context, struct error *error);

#endif
