#ifndef HOLDFAST_TEXT_PROTOBUF_H
#define HOLDFAST_TEXT_PROTOBUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading the wire format of Protocol Buffers, field by field. A message is a run of
 *
 *     varint    field number << 3 | type
 *     payload   type 0: varint; 1: 8 bytes; 2: varint n, then n bytes; 5: 4 bytes
 *
 * numbers little-endian, varints seven bits a byte, lowest first, bit 7 set on all but the
 * last. Groups (types 3 and 4) are refused.
 *
 *     struct wire_reader reader = {.data = …, .bytes = …};
 *     while (wire_next(&reader, &field, error)) …
 *     if (reader.failed) …
 */
struct wire_reader {
    const unsigned char *data;
    size_t bytes;
    size_t offset;
    bool failed;
};

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint64_t number;
    enum wire_type type;
    uint64_t value;            /* of a number, as its bits */
    const unsigned char *data; /* WIRE_BYTES; borrowed */
    size_t bytes;
    size_t offset; /* where the field starts in its message */
};

/* False at the end, and on an error, which `failed` tells. */
bool wire_next(struct wire_reader *reader, struct wire_field *field, struct error *error);

#endif
