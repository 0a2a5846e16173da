#ifndef HOLDFAST_BASE_UNPACK_H
#define HOLDFAST_BASE_UNPACK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * gzip (RFC 1952, with zlib) and zstd (RFC 8878, with libzstd), told by their first bytes:
 * 1F 8B, and 28 B5 2F FD (or 5? 2A 4D 18, a frame that is skipped). Members or frames may
 * stand one after the other, as `cat a.gz b.gz` and pigz leave them.
 */
enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };
enum packing packing_of(const void *bytes, size_t count);

/*
 * Unpacks `count` bytes, which packing_of() knows, and gives them to `sink` piece by piece;
 * `consumed` of the packed bytes are done with. A sink that returns a status other than
 * STATUS_OK stops it. Checksums are checked. Errors name `where` and the byte.
 */
typedef enum status unpack_sink(void *context, const void *bytes, size_t count,
                                size_t consumed, struct error *error);
enum status unpack(const void *bytes, size_t count, const char *where, unpack_sink *sink,
                   void *context, struct error *error);

/*
 * STATUS_UNSUPPORTED, and how to convert it, for what is no text and we do not unpack:
 * Parquet, Arrow, xz, bzip2, zip, UTF-16. STATUS_FORMAT for other bytes with a NUL among
 * the first 4096, which is in no text. STATUS_OK for anything else.
 */
enum status bytes_check_readable(const void *bytes, size_t count, const char *where,
                                 struct error *error);

#endif
