#ifndef HOLDFAST_DATA_GEN_PARQUET_THRIFT_H
#define HOLDFAST_DATA_GEN_PARQUET_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Thrift's compact protocol, as much of it as Parquet's headers need:
 *
 *     integer   a varint (7 bits a byte, lowest first), zigzag: 0, -1, 1, -2, …
 *     binary    a varint of its length, then the bytes
 *     list      (count << 4 | type), or (0xF0 | type) and a varint of the count
 *     struct    fields, then 0. A field: (step of its id << 4 | type), or type and the id
 *
 * Source: Apache Thrift, "Thrift Compact protocol encoding".
 *
 * Errors are sticky: after one `failed` is set, everything reads as 0 and structs end.
 */
enum thrift_type {
    THRIFT_STOP,
    THRIFT_TRUE,
    THRIFT_FALSE,
    THRIFT_I8,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_SET,
    THRIFT_MAP,
    THRIFT_STRUCT
};

struct thrift_reader {
    const unsigned char *bytes;
    size_t count;
    size_t at;
    bool failed;
};

/* A field of a struct; {0} before the first. */
struct thrift_field {
    int id;
    int type;
};

/* False at the end of the struct. The caller reads or skips the value of each field. */
bool thrift_field_next(struct thrift_reader *reader, struct thrift_field *field);
void thrift_skip(struct thrift_reader *reader, int type);

uint64_t thrift_varint(struct thrift_reader *reader);
/* Fails where the type of the field, or of a list's elements, is another. */
int64_t thrift_integer(struct thrift_reader *reader, int type);
const unsigned char *thrift_binary(struct thrift_reader *reader, int type, size_t *count);
/* The count and the type of the elements. */
size_t thrift_list(struct thrift_reader *reader, int type, int *element_type);
bool thrift_struct(struct thrift_reader *reader, int type); /* whether it is one */

#endif
